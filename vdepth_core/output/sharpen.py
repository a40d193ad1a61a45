"""Makes the steps of a full-size map one to two pixels wide, on the edges of the plate.

What a network sees is soft over a few of its pixels, and up-sampling only knows edges that a line through the
colours explains. In a depth map what lies between near and far is a surface nobody built: a rubber sheet. So
every pixel in a step is asked for its side:

* by itself, from where it lies between the two;
* by the pixels around it that already know theirs, each heard by how alike its colour is (the joint bilateral
  of Kopf et al. 2007). What they would say whatever their colours is taken off: before one colour, a step
  stays where it is, with its corners.

It then takes the disparity that the surface on its side has beside it, not the least or the largest around,
which would put a dark and a bright seam along the edge.

Only a step is changed, told from a slope by its range nearby against that farther off. The two sides are the
map's own, so nothing leaves the local range and no texture gets onto surfaces. Nothing is chosen by a hard
threshold, nor by a single pixel of the plate: what is steady stays so.

How near is a matter of the map, as its pixels are what the step is soft over: on plates hardly larger than
their maps, everything farther off is depth that the map has.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .upsample import CORE, SHARPEN, beyond, smoothed, smoothstep

REACH = 12  # pixels to either side that a step and its two sides lie within, at most
_MAP_PIXELS = 2.25  # and in those of the map
_NOISE = (0.01, 0.03)  # of the shot's range: below the first it may be noise, which would flicker more
_ROWS = 64  # at a time: an 8K frame needs little beside itself
_PIXELS = 1 << 12  # asked at a time: they stay in the cache

_VOICES = 24  # pixels heard; twice as many are no better
_PLAIN = (0.02, 0.08)  # this near to the least or the largest value around, a pixel lies on a surface
_KNOWN = (0.2, 0.8)  # where a voice knows its side; in the middle it is not heard
_ALIKE = 0.12  # standard deviation of colours that count as alike, of their range
_NEARBY = 0.5  # the same of places, of the reach
_STRANGERS = np.float32(1e-3)  # what voices count that are not alike
_SURFACE = 6  # power of the place between the sides that a surface's pixels count with
_SUPPORT = np.float32(0.15)  # of all voices' weight: with as much of the alike, half of what they say counts
_GAIN = np.float32(4)  # a voice counts more than the pixel's own place: the plate is sharper than the map


def reach_of(grain: float) -> int:
    """How far to either side the steps of an enlarged map are soft, in pixels.

    Args:
        grain: Pixels of the plate to one of the map.
    """
    return min(REACH, max(1, round(_MAP_PIXELS * grain)))


def sharpened(disparity: np.ndarray, rgb: np.ndarray, span: float, reach: int = REACH) -> np.ndarray:
    """Steepens the steps of a disparity map, on the edges of the plate where it has some.

    Args:
        disparity: (H, W) float32 at the plate's size; what is not finite stays so and touches nothing.
        rgb: (H, W, 3) uint8, the plate.
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
        padded = padded[start - top : stop - top + 2 * margin]
        out[start:stop] = _steepened(padded, rgb, start, span, reach)
    out[holes] = np.nan
    return out


def _steepened(p: np.ndarray, rgb: np.ndarray, start: int, span: float, reach: int) -> np.ndarray:
    """Of a map with a margin on every side, from row ``start`` of the plate on: the map without it."""
    margin = 2 * reach
    inner = (slice(margin, -margin),) * 2
    within = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    low, high = cv2.erode(p, within), cv2.dilate(p, within)
    around = (cv2.dilate(high, within) - cv2.erode(low, within))[inner]
    far, here = low[inner], p[inner]
    spread = high[inner] - far
    weight = smoothstep(spread / np.maximum(around, np.float32(1e-6 * span)), *CORE)
    weight *= smoothstep(spread * np.float32(1 / span), *_NOISE)
    del low, high, around
    np.maximum(spread, np.float32(1e-6 * span), out=spread)
    side = (here - far) / spread
    out = here.copy()
    asked = np.flatnonzero((weight > 0) & (np.abs(side - 0.5) < 0.5 - _PLAIN[0]))
    if asked.size:
        voices = _Voices(p[reach:-reach, reach:-reach], rgb, start, reach)
        for first in range(0, asked.size, _PIXELS):
            these = asked[first : first + _PIXELS]
            own, lowest, range_ = side.take(these), far.take(these), spread.take(these)
            said, on_far, on_near = voices.heard(these, lowest, range_)
            near_side = smoothstep(own + _GAIN * said, *SHARPEN)
            value = on_far + near_side * (on_near - on_far)
            believed = weight.take(these) * smoothstep(0.5 - np.abs(own - 0.5), *_PLAIN)
            out.ravel()[these] += believed * (value - here.ravel()[these])
    return out


class _Voices:
    """The pixels around those that are asked: what they are, in one place.

    Args:
        p: The map with a margin of ``reach`` on every side.
        rgb: The whole plate.
        start: The plate's row where the map begins, without its margin.
        reach: In pixels.
    """

    def __init__(self, p: np.ndarray, rgb: np.ndarray, start: int, reach: int) -> None:
        self._width, self._reach = p.shape[1], reach
        stop = start + len(p) - 2 * reach
        top, bottom = max(start - reach, 0), min(stop + reach, len(rgb))
        plate = smoothed(rgb, top, bottom, 0, rgb.shape[1])
        beside = top - start + reach, stop + reach - bottom, reach, reach
        pixels = np.empty((*p.shape, 4), np.float32)
        pixels[..., :3] = cv2.copyMakeBorder(plate, *beside, cv2.BORDER_REPLICATE)
        pixels[..., 3] = p
        self._pixels = pixels.reshape(-1, 4)

    def heard(
        self, asked: np.ndarray, far: np.ndarray, spread: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is said to pixels, each (n,) float32.

        Args:
            asked: (n,) places in the map without its margin.
            far, spread: (n,) the least value around each, and how far the largest is from it.

        Returns:
            How much nearer the alike say that they lie than all around say, -1 to 1; the disparity of the
            surface on the far side, and of that on the near side.
        """
        rows, columns = np.divmod(asked, self._width - 2 * self._reach)
        places = (rows + self._reach) * self._width + columns + self._reach
        own, scale = self._pixels.take(places, axis=0), 1 / spread
        alike, all_alike, any_, all_any, near, far_off, weight_near, weight_far = np.zeros(
            (8, asked.size), np.float32
        )
        for down, right, nearness in _spiral(self._reach):
            other = self._pixels.take(places + (down * self._width + right), axis=0)
            place = (other[:, 3] - far) * scale
            side = smoothstep(place, *_KNOWN)
            other -= own
            difference = other[:, :3]
            sure = np.abs(2 * side - 1) * np.float32(nearness)
            any_ += sure * side
            all_any += sure
            unlike = np.einsum("ij,ij->i", difference, difference)
            likeness = np.exp(unlike * np.float32(-0.5 / (255 * _ALIKE) ** 2)) + _STRANGERS
            sure *= likeness
            all_alike += sure
            alike += sure * side
            likeness *= np.float32(nearness)
            np.clip(place, 0, 1, out=place)
            on_near, on_far = likeness * place**_SURFACE, likeness * (1 - place) ** _SURFACE
            weight_near += on_near
            weight_far += on_far
            near += on_near * place
            far_off += on_far * place
        few = np.float32(1e-6)
        # Where nobody looks alike, strangers' accidents are not heard for evidence.
        said = alike / (all_alike + few) - any_ / (all_any + few)
        said *= all_alike / (all_alike + _SUPPORT * all_any + few)
        on_far = far + spread * (far_off / (weight_far + few))
        on_near = far + spread * ((near + few) / (weight_near + few))
        return said, on_far, on_near


@lru_cache(maxsize=REACH)
def _spiral(reach: int) -> tuple[tuple[int, int, float], ...]:
    """Where voices stand, evenly over a disc: rows down, columns right, and what they count for it."""
    turn = np.pi * (3 - np.sqrt(5))  # the golden angle: no two in line
    found = []
    for index in range(_VOICES):
        radius = reach * np.sqrt((index + 0.5) / _VOICES)
        down, right = radius * np.sin(index * turn), radius * np.cos(index * turn)
        found.append((round(down), round(right), float(np.exp(-0.5 * (radius / (_NEARBY * reach)) ** 2))))
    return tuple(found)
