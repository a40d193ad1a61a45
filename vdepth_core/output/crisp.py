"""Makes the edges of a full-size map one pixel wide, where they lie.

For maps that a refiner has found the edges of: interpolating those to the plate's size leaves them a few
pixels wide, and in a depth map what lies between near and far is a surface nobody built. Only a step is
changed, told from a slope by its range nearby against that farther off, however small against the shot's.

How near is a matter of the map, as its pixels are what the step is soft over: on plates hardly larger than
their maps, everything farther off is depth that the map has.
"""

from __future__ import annotations

import cv2
import numpy as np

from .upsample import CORE, SHARPEN, beyond, smoothstep

REACH = 4  # pixels to either side that a step and its two sides lie within, at most
_MAP_PIXELS = 1.5  # and in those of the map
_NOISE = (0.002, 0.004)  # of the shot's range: below the first there is no step
_ROWS = 128  # at a time: an 8K frame needs little beside itself


def reach_of(grain: float) -> int:
    """How far to either side the steps of an enlarged map are soft, in pixels.

    Args:
        grain: Pixels of the plate to one of the map.
    """
    return min(REACH, max(1, round(_MAP_PIXELS * grain)))


def crisped(disparity: np.ndarray, span: float, reach: int = REACH) -> np.ndarray:
    """Steepens the steps of a disparity map.

    Args:
        disparity: (H, W) float32 at the plate's size; what is not finite stays so and touches nothing.
        span: The disparity range of the whole shot (hi − lo), > 0.
        reach: Pixels to either side that a step and its two sides lie within, as `reach_of` says.

    Returns:
        (H, W) float32, every value within the range of the map around it.
    """
    holes = ~np.isfinite(disparity)
    if holes.all():
        return disparity.copy()
    if holes.any():
        disparity = np.where(holes, disparity[~holes].min(), disparity)
    out = np.empty(disparity.shape, np.float32)
    margin = 2 * reach
    for start in range(0, len(out), _ROWS):
        stop = min(start + _ROWS, len(out))
        top = max(start - margin, 0)
        padded = beyond(disparity[top : stop + margin], margin)  # a slope is no step where the map ends
        out[start:stop] = _steepened(padded[start - top : stop - top + 2 * margin], span, reach)
    out[holes] = np.nan
    return out


def _steepened(p: np.ndarray, span: float, reach: int) -> np.ndarray:
    """Of a map with a margin on every side: the map without it."""
    inner = (slice(2 * reach, -2 * reach),) * 2
    within = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    low, high = cv2.erode(p, within), cv2.dilate(p, within)
    around = (cv2.dilate(high, within) - cv2.erode(low, within))[inner]
    far, p = low[inner], p[inner]
    spread = high[inner] - far
    weight = smoothstep(spread / np.maximum(around, np.float32(1e-6 * span)), *CORE)
    weight *= smoothstep(spread * np.float32(1 / span), *_NOISE)
    near_side = smoothstep((p - far) / np.maximum(spread, np.float32(1e-6 * span)), *SHARPEN)
    return np.asarray(p + weight * (far + near_side * spread - p))
