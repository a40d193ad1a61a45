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
map's own, so nothing leaves the local range and no texture gets onto surfaces. Nothing that could be seen is
chosen by a hard threshold, nor by a single pixel of the plate: what is steady stays so.

How near is a matter of the map, as its pixels are what the step is soft over: on plates hardly larger than
their maps, everything farther off is depth that the map has.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .finish import all_finite
from .upsample import CORE, SHARPEN, beyond, smoothed, smoothstep

REACH = 12  # pixels to either side that a step and its two sides lie within, at most
_MAP_PIXELS = 2.25  # and in those of the map
_NOISE = (0.01, 0.03)  # of the shot's range: below the first it may be noise, which would flicker more
_ROWS = 64  # at a time: an 8K frame needs little beside itself
_PIXELS = 1 << 14  # asked at a time: they stay in the cache

_VOICES = 24  # pixels heard; twice as many are no better
_PLAIN = (0.02, 0.08)  # this near to the least or the largest value around, a pixel lies on a surface
_FAINT = 1 / 256  # of a step: less is not seen, and a fifth of the pixels need not be asked
_KNOWN = (0.2, 0.8)  # where a voice knows its side; in the middle it is not heard
_ALIKE = 0.12  # standard deviation of colours that count as alike, of their range
_UNLIKE = np.array([-0.5 / (255 * _ALIKE) ** 2] * 3 + [0], np.float32)  # of squared differences
_NEARBY = 0.5  # the same of places, of the reach
_STRANGERS = np.float32(1e-3)  # what voices count that are not alike
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
    holes, lowest = None if all_finite(disparity) else ~np.isfinite(disparity), np.float32(0)
    if holes is not None:
        if holes.all():
            return disparity.copy()
        lowest = disparity.min(where=~holes, initial=np.inf)
    out = np.empty(disparity.shape, np.float32)
    margin = 2 * reach
    for start in range(0, len(out), _ROWS):
        stop = min(start + _ROWS, len(out))
        top = max(start - margin, 0)
        part = disparity[top : stop + margin]
        if holes is not None:  # a strip at a time: the whole map once more would be all the room there is
            part = np.where(holes[top : stop + margin], lowest, part)
        padded = beyond(part, margin)  # a slope is no step where the map ends
        padded = padded[start - top : stop - top + 2 * margin]
        out[start:stop] = _steepened(padded, rgb, start, span, reach)
    if holes is not None:
        out[holes] = np.nan
    return out


def _steepened(p: np.ndarray, rgb: np.ndarray, start: int, span: float, reach: int) -> np.ndarray:
    """Of a map with a margin on every side, from row ``start`` of the plate on: the map without it."""
    margin = 2 * reach
    inner = (slice(margin, -margin),) * 2
    within = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    low, high = cv2.erode(p, within), cv2.dilate(p, within)
    far, out = low[inner].copy(), p[inner].copy()
    spread = high[inner] - far
    around = (cv2.dilate(high, within) - cv2.erode(low, within))[inner]
    del low, high
    steps = spread > np.float32(CORE[0]) * around
    steps &= spread > np.float32(_NOISE[0] * span)
    asked = np.flatnonzero(steps)
    if not asked.size:
        return out
    lowest, range_, here = far.take(asked), spread.take(asked), out.take(asked)
    side = (here - lowest) / range_
    weight = smoothstep(range_ / around[steps], *CORE)
    weight *= smoothstep(range_ * np.float32(1 / span), *_NOISE)
    weight *= smoothstep(np.float32(0.5) - np.abs(side - np.float32(0.5)), *_PLAIN)
    some = np.flatnonzero(weight > _FAINT)
    if not some.size:
        return out
    voices = _Voices(p[reach:-reach, reach:-reach], rgb, start, reach)
    for first in range(0, some.size, _PIXELS):
        these = some[first : first + _PIXELS]
        said, on_far, on_near = voices.heard(asked.take(these), lowest.take(these), range_.take(these))
        near_side = smoothstep(side.take(these) + _GAIN * said, *SHARPEN)
        value = on_far + near_side * (on_near - on_far)
        out.ravel()[asked.take(these)] += weight.take(these) * (value - here.take(these))
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
        plate = cv2.copyMakeBorder(plate, *beside, cv2.BORDER_REPLICATE)
        pixels = cv2.cvtColor(plate, cv2.COLOR_RGB2RGBA).astype(np.float32)
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
        other, place, likeness, certain, term = np.empty_like(own), *np.empty((4, asked.size), np.float32)
        for down, right, nearness in _spiral(self._reach):
            np.take(self._pixels, places + (down * self._width + right), 0, other, "clip")
            np.subtract(other[:, 3], far, out=place)
            place *= scale
            other -= own
            other *= other
            np.matmul(other, _UNLIKE, out=likeness)
            np.exp(likeness, out=likeness)
            likeness += _STRANGERS
            likeness *= nearness
            side = _side(place)
            np.abs(side, out=certain)
            np.multiply(certain, nearness, out=term)
            all_any += term
            term *= side
            any_ += term
            certain *= likeness
            all_alike += certain
            certain *= side
            alike += certain
            np.maximum(place, 0, out=place)
            np.minimum(place, 1, out=place)
            on_near, on_far = likeness * _power(place), np.multiply(likeness, _power(1 - place), out=likeness)
            weight_near += on_near
            weight_far += on_far
            on_near *= place
            near += on_near
            on_far *= place
            far_off += on_far
        few = np.float32(1e-6)
        # Where nobody looks alike, strangers' accidents are not heard for evidence.
        said = np.float32(0.5) * (alike / (all_alike + few) - any_ / (all_any + few))
        said *= all_alike / (all_alike + _SUPPORT * all_any + few)
        on_far = far + spread * (far_off / (weight_far + few))
        on_near = far + spread * ((near + few) / (weight_near + few))
        return said, on_far, on_near


def _side(place: np.ndarray) -> np.ndarray:
    """-1 far, 1 near, 0 not known: `smoothstep` between the two of `_KNOWN`, written about its middle."""
    low, high = _KNOWN
    side = place * np.float32(2 / (high - low))
    side -= np.float32((high + low) / (high - low))
    np.maximum(side, -1, out=side)
    np.minimum(side, 1, out=side)
    slope = side * side
    slope *= np.float32(-0.5)
    slope += np.float32(1.5)
    side *= slope
    return side


def _power(place: np.ndarray) -> np.ndarray:
    """What a pixel counts for a surface: the sixth power of its place between the two."""
    square = place * place
    sixth: np.ndarray = square * square
    sixth *= square
    return sixth


@lru_cache(maxsize=REACH)
def _spiral(reach: int) -> tuple[tuple[int, int, np.float32], ...]:
    """Where voices stand, evenly over a disc: rows down, columns right, and what they count for it."""
    turn = np.pi * (3 - np.sqrt(5))  # the golden angle: no two in line
    found = []
    for index in range(_VOICES):
        radius = reach * np.sqrt((index + 0.5) / _VOICES)
        down, right = radius * np.sin(index * turn), radius * np.cos(index * turn)
        found.append(
            (round(down), round(right), np.float32(np.exp(-0.5 * (radius / (_NEARBY * reach)) ** 2)))
        )
    return tuple(found)
