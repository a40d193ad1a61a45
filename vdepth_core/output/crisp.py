"""Makes the edges of a full-size map one pixel wide, where they lie.

For maps that a refiner has found the edges of: interpolating those to the plate's size leaves them a few
pixels wide, and in a depth map what lies between near and far is a surface nobody built. Only a step is
changed, told from a slope by its range nearby against that farther off, however small against the shot's.
"""

from __future__ import annotations

import cv2
import numpy as np

from .upsample import CORE, SHARPEN, beyond, smoothstep

REACH = 4  # pixels to either side that a step and its two sides lie within
_NOISE = (0.002, 0.004)  # of the shot's range: below the first there is no step
_ROWS = 128  # at a time: an 8K frame needs little beside itself
_WITHIN = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)


def crisped(disparity: np.ndarray, span: float) -> np.ndarray:
    """Steepens the steps of a disparity map.

    Args:
        disparity: (H, W) float32 at the plate's size; what is not finite stays so and touches nothing.
        span: The disparity range of the whole shot (hi − lo), > 0.

    Returns:
        (H, W) float32, every value within the range of the map around it.
    """
    holes = ~np.isfinite(disparity)
    if holes.all():
        return disparity.copy()
    if holes.any():
        disparity = np.where(holes, disparity[~holes].min(), disparity)
    out = np.empty(disparity.shape, np.float32)
    margin = 2 * REACH
    for start in range(0, len(out), _ROWS):
        stop = min(start + _ROWS, len(out))
        top = max(start - margin, 0)
        padded = beyond(disparity[top : stop + margin], margin)  # a slope is no step where the map ends
        out[start:stop] = _steepened(padded[start - top : stop - top + 2 * margin], span)
    out[holes] = np.nan
    return out


def _steepened(p: np.ndarray, span: float) -> np.ndarray:
    """Of a map with a margin on every side: the map without it."""
    inner = (slice(2 * REACH, -2 * REACH),) * 2
    low, high = cv2.erode(p, _WITHIN), cv2.dilate(p, _WITHIN)
    around = (cv2.dilate(high, _WITHIN) - cv2.erode(low, _WITHIN))[inner]
    far, p = low[inner], p[inner]
    spread = high[inner] - far
    weight = smoothstep(spread / np.maximum(around, np.float32(1e-6 * span)), *CORE)
    weight *= smoothstep(spread * np.float32(1 / span), *_NOISE)
    near_side = smoothstep((p - far) / np.maximum(spread, np.float32(1e-6 * span)), *SHARPEN)
    return np.asarray(p + weight * (far + near_side * spread - p))
