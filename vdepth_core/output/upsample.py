"""Brings a disparity map to the plate's raster and snaps its depth edges to the edges of the picture.

After the guided filter (He et al. 2013, eq. 5-8 and the colour guide of eq. 19) in its fast form (He & Sun
2015: the linear model is solved at low resolution and up-sampled), with three changes that keep it from
inventing depth:

* it works only where the map itself has a step, and hands back plain interpolation everywhere else: texture
  is never copied onto surfaces;
* it answers one question, "near side or far side of this step", and the depths of the two sides come from the
  map, so the result never leaves the local range;
* where colour does not explain the step (coefficient of determination R² of the linear model) it steps back
  as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

# Of the linear model's window, in pixels of the map: covers a network's blur plus its misplacement.
_RADIUS = 4
_EPS = 1e-3  # regularises the colour covariance: contrasts below 0.03 are noise
_REACH = np.ones((5, 5), np.uint8)  # a step and its two sides lie within this
_AROUND = np.ones((9, 9), np.uint8)
# Local range over the shot's range: below the first it is a slope, above the second a step.
_STEP = (0.04, 0.12)
_TRUST = (0.2, 0.5)  # R² below the first: the picture has no such edge; above the second: it has
CORE = (0.55, 0.75)  # range within reach over range around: 0.5 on a slope, 1 in the middle of a step
_SMALLEST = 8  # pixels a side of a map with surfaces
SHARPEN = (0.25, 0.75)  # membership below the first is far, above the second near
_TILE = (32, 160)  # of the large picture at a time: what it needs stays in the cache, and an 8K frame small
_BAND = 1 << 19  # pixels of the map at a time: what says how its edges lie takes 120 bytes of each
_MARGIN = 2 * _RADIUS + 2  # rows of the map that a row of the planes depends on, to either side


class Upsampler:
    """Edge-aware resizing of disparity maps of one shot; stateless between frames and safe in several
    threads.

    Args:
        span: The disparity range of the whole shot (hi − lo), which tells steps from slopes the same way in
            every frame.

    Raises:
        ValueError: ``span`` is not positive.
    """

    def __init__(self, span: float) -> None:
        if not span > 0:
            raise ValueError(f"span {span} is not positive")
        self._span = span

    def __call__(self, disparity: np.ndarray, rgb: np.ndarray) -> np.ndarray:
        """Resizes ``disparity`` (h, w) float32 to the raster of ``rgb`` (H, W, 3) uint8.

        Pixel centres lie at +0.5. A smaller raster gets area averages, the same raster the same values. What
        is not finite stays not finite (NaN) and does not touch its neighbours.

        Returns:
            (H, W) float32, every value within the range of the map around it.
        """
        size = rgb.shape[1], rgb.shape[0]
        return _around_holes(disparity, size, lambda p: self._resize(p, rgb, size))

    def _resize(self, p: np.ndarray, rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        height, width = p.shape
        out = _smooth_resize(p, size)
        guide = _averaged(rgb, (width, height))
        down, across = _spans(height, size[1], _TILE[0], _LINEAR), _spans(width, size[0], _TILE[1], _LINEAR)
        for band in _bands(down, _BAND // width):
            top, bottom = max(band[0].low - _MARGIN, 0), min(band[-1].high + _MARGIN, height)
            planes = self._planes(p[top:bottom], guide[top:bottom])
            if planes is None:
                continue
            for rows, columns in _stepping(planes[-1], top, band, across):
                small = planes[:, rows.low - top : rows.high - top, columns.low : columns.high]
                *model, base, gain, abrupt = rows.weights @ small @ columns.weights.T
                plate = smoothed(rgb, rows.start, rows.stop, columns.start, columns.stop)
                near_side = smoothstep(_apply(model, plate), *SHARPEN)
                near_side *= gain
                near_side += base
                here = out[rows.start : rows.stop, columns.start : columns.stop]
                near_side -= here
                near_side *= abrupt
                here += near_side
        return out

    def _planes(self, p: np.ndarray, guide: np.ndarray) -> np.ndarray | None:
        """What the tiles interpolate, of some rows of the map and its guide: (7, h, w); None: no steps.

        Right from `_MARGIN` rows within, or up to the map's own border.
        """
        far = cv2.erode(p, _REACH)
        spread = cv2.dilate(p, _REACH) - far
        tiny = np.float32(1e-6 * self._span)
        step = smoothstep(spread / np.float32(self._span), *_STEP)
        if not step.any():
            return None
        # The two sides without the blur between them; on slopes p itself.
        side = smoothstep((p - far) / np.maximum(spread, tiny), *SHARPEN)
        sides = p + step * (far + side * spread - p)
        del side
        slopes, offset, trust = _linear_model(guide, sides / np.float32(self._span))
        wider = beyond(p, 4)  # or a slope would look like a step where the map ends
        within, around = (
            (cv2.dilate(wider, reach) - cv2.erode(wider, reach))[4:-4, 4:-4] for reach in (_REACH, _AROUND)
        )
        core = smoothstep(within / np.maximum(around, tiny), *CORE)
        steep = np.minimum(4 * step * core, 1)  # a step, seen in the picture or not; 0 on a slope
        del wider, within, around
        step *= smoothstep(trust, *_TRUST)
        # Only the middle of a step has both sides in reach. At its foot the side is known and colour noise
        # would speckle; a slope goes on rising outside the reach.
        weight = step * core
        p = p + step * (sides - p)
        del sides, step, core, trust
        scale = np.float32(self._span) / np.maximum(spread, np.float32(1e-3 * self._span))
        offset = offset * scale - far * (scale / np.float32(self._span))
        # near-side membership at full size, then out = (1 − weight) p + weight (far + membership · spread).
        # Straight interpolation bends a surface at every pixel of the map (a grid on its normals) and
        # flattens it at the border; where nothing steps, the smooth one stands.
        return np.stack(
            [*(slope * scale for slope in slopes), offset, p + weight * (far - p), weight * spread,
             cv2.dilate(steep, _AROUND)]
        )  # fmt: skip


@dataclass(frozen=True)
class _Span:
    """Some rows or columns of the large picture, and how they follow from those of the map.

    Attributes:
        start, stop: In the large picture.
        low, high: In the map.
        weights: (stop − start, high − low) float32.
    """

    start: int
    stop: int
    low: int
    high: int
    weights: np.ndarray


@lru_cache(maxsize=16)
def _spans(small: int, large: int, tile: int, kernel: Kernel, margin: int = 0) -> tuple[_Span, ...]:
    """One axis of a separable resize, ``tile`` pixels at a time: small enough for matrices that the cache
    holds and that no BLAS gives to several threads.

    ``margin``: pixels the map has more on each side. Beyond it goes on as it ends.
    """
    ratio = small / large
    scale, most = max(ratio, 1.0), small + 2 * margin - 1
    taps = 2 * math.ceil(kernel.reach * scale)
    where = (np.arange(large) + 0.5) * ratio - 0.5 + margin
    which = np.floor(where).astype(int)[:, None] + np.arange(1 - taps // 2, 1 + taps // 2)
    values = kernel.at((which - where[:, None]) / scale)
    values /= values.sum(axis=1, keepdims=True)
    which = np.clip(which, 0, most)
    spans = []
    for start in range(0, large, tile):
        stop = min(start + tile, large)
        low, high = int(which[start].min()), int(which[stop - 1].max()) + 1
        weights = np.zeros((stop - start, high - low))
        np.add.at(weights, (np.arange(stop - start)[:, None], which[start:stop] - low), values[start:stop])
        spans.append(_Span(start, stop, low, high, weights.astype(np.float32)))
    return tuple(spans)


def _bands(down: Sequence[_Span], most: int) -> Iterator[Sequence[_Span]]:
    """``down`` in parts that follow from at most ``most`` rows of the map."""
    start = 0
    for stop in range(1, len(down) + 1):
        if stop == len(down) or down[stop].high - down[start].low > most:
            yield down[start:stop]
            start = stop


def _stepping(
    steep: np.ndarray, top: int, down: Sequence[_Span], across: Sequence[_Span]
) -> Iterator[tuple[_Span, _Span]]:
    """The tiles that are not 0 all over in ``steep`` (h, w), the map from row ``top`` on: few, as a rule."""
    below = cv2.integral((steep > 0).view(np.uint8))
    above, left = [span.low - top for span in down], [span.low for span in across]
    bottom, right = [span.high - top for span in down], [span.high for span in across]
    count = below[bottom][:, right] - below[above][:, right] - below[bottom][:, left] + below[above][:, left]
    for row, column in np.argwhere(count):
        yield down[row], across[column]


@dataclass(frozen=True)
class Kernel:
    """A resampling kernel: how far it reaches, and its value at distances."""

    reach: int
    at: Callable[[np.ndarray], np.ndarray]


def _keys(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))


_LINEAR = Kernel(1, lambda x: np.maximum(1 - np.abs(x), 0))
_CUBIC = Kernel(2, _keys)


def smoothed(rgb: np.ndarray, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """A part of the plate without its grain, which would make edges sparkle; the filter costs a tenth of the
    gain and halves that.

    Args:
        rgb: (H, W, 3) uint8, the whole plate.
        top, bottom, left, right: The part's rows and columns, the ends not included.
    """
    y, x = max(top - 1, 0), max(left - 1, 0)
    around = rgb[y : bottom + 1, x : right + 1]
    return cv2.GaussianBlur(around, (3, 3), 0)[top - y : bottom - y, left - x : right - x]


def _averaged(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture at the smaller ``size`` (width, height): halved as long as that goes, then averaged by area.

    OpenCV halves ten times faster than it does anything else. Eight bits are rounded once a step.
    """
    height, width = picture.shape[:2]
    while height % 2 == width % 2 == 0 and height >= 2 * size[1] and width >= 2 * size[0]:
        height, width = height // 2, width // 2
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def resize_surface(disparity: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a disparity map smoothly, without a picture: for what follows surfaces, as normals do.

    Args:
        disparity: (h, w); what is not finite stays so.
        size: (width, height).

    Returns:
        (H, W) float32; planes stay planes up to the border.
    """
    return _around_holes(disparity, size, lambda p: _smooth_resize(p, size))


def _around_holes(
    disparity: np.ndarray, size: tuple[int, int], resize: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Enlarges by ``resize``, shrinks by area averages; what is not finite is NaN and touches nothing."""
    disparity = np.ascontiguousarray(disparity, np.float32)
    height, width = disparity.shape
    if (width, height) == size:
        return disparity.copy()
    if size[0] <= width and size[1] <= height:

        def resize(p: np.ndarray) -> np.ndarray:
            return np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA))

    finite = np.isfinite(disparity)
    if finite.all():
        return resize(disparity)
    out = resize(np.where(finite, disparity, np.float32(disparity[finite].min() if finite.any() else 0.0)))
    out[cv2.resize(finite.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT) == 0] = np.nan
    return out


def _smooth_resize(p: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cubic convolution (Keys 1981, a = -1/2), which keeps planes planes: (h, w) -> size, up to the border.

    Beyond the border the map goes on straight. (OpenCV's cubic has a = -3/4 and makes ripples on a slope.)
    """
    if min(p.shape) < _SMALLEST:  # nothing that could be called a surface
        return np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_LINEAR))
    p = beyond(p, 2)
    wide = np.empty((len(p), size[0]), np.float32)
    for columns in _spans(p.shape[1] - 4, size[0], _TILE[1], _CUBIC, 2):
        for top in range(0, len(p), _TILE[0]):
            rows = slice(top, top + _TILE[0])
            wide[rows, columns.start : columns.stop] = p[rows, columns.low : columns.high] @ columns.weights.T
    out = np.empty((size[1], size[0]), np.float32)
    for span in _spans(len(p) - 4, size[1], _TILE[0] // 2, _CUBIC, 2):
        np.matmul(span.weights, wide[span.low : span.high], out=out[span.start : span.stop])
    return out


def beyond(p: np.ndarray, count: int) -> np.ndarray:
    """The map with ``count`` more pixels on every side, on a straight line through its last two.

    Args:
        p: (h, w).
        count: In pixels.
    """
    height, width = p.shape
    steps = np.arange(1, count + 1, dtype=np.float32)[:, None]
    out = np.empty((height + 2 * count, width + 2 * count), np.float32)
    out[count : count + height, count : count + width] = p
    for lines, length in ((out[:, count : count + width], height), (out.T, width)):
        first, last = lines[count], lines[count + length - 1]
        lines[:count] = first + steps[::-1] * (first - lines[count + min(1, length - 1)])
        lines[count + length :] = last + steps * (last - lines[count + length - min(2, length)])
    return out


def _linear_model(
    guide: np.ndarray, p: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """p ≈ a · colour + b, window by window: a for colours in 0..255, b, R² in [0, 1], each (h, w)."""
    r, g, b = cv2.split(guide.astype(np.float32) * np.float32(1 / 255))
    mean_r, mean_g, mean_b, mean_p = (_mean(plane) for plane in (r, g, b, p))
    cov_r, cov_g, cov_b, variance = (_mean(plane * p) for plane in (r, g, b, p))
    rr, gg, bb = (_mean(plane * plane) for plane in (r, g, b))
    rg, rb, gb = _mean(r * g), _mean(r * b), _mean(g * b)
    del r, g, b
    for covariance, mean in ((cov_r, mean_r), (cov_g, mean_g), (cov_b, mean_b), (variance, mean_p)):
        np.subtract(covariance, mean * mean_p, out=covariance)
    for covariance, mean in ((rr, mean_r), (gg, mean_g), (bb, mean_b)):
        np.subtract(covariance, mean * mean, out=covariance)
        np.add(covariance, np.float32(_EPS), out=covariance)
    rg, rb, gb = rg - mean_r * mean_g, rb - mean_r * mean_b, gb - mean_g * mean_b
    # inverse of the symmetric 3x3 covariance by cofactors
    c11, c12, c13 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c22, c23, c33 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    inverse = 1 / (rr * c11 + rg * c12 + rb * c13)
    del rr, gg, bb, rg, rb, gb, covariance
    a_r = (c11 * cov_r + c12 * cov_g + c13 * cov_b) * inverse
    a_g = (c12 * cov_r + c22 * cov_g + c23 * cov_b) * inverse
    a_b = (c13 * cov_r + c23 * cov_g + c33 * cov_b) * inverse
    del c11, c12, c13, c22, c23, c33, inverse
    offset = mean_p - a_r * mean_r - a_g * mean_g - a_b * mean_b
    variance = np.maximum(variance, 0) + np.float32(1e-7)
    explained = (a_r * cov_r + a_g * cov_g + a_b * cov_b) / variance
    unit = np.float32(1 / 255)
    return (_mean(a_r * unit), _mean(a_g * unit), _mean(a_b * unit)), _mean(offset), _mean(explained)


def _apply(model: Sequence[np.ndarray], rgb: np.ndarray) -> np.ndarray:
    """a · colour + b: planes a_r, a_g, a_b, b (H, W), which it changes, and rgb (H, W, 3) uint8."""
    *slopes, out = model
    for slope, channel in zip(slopes, cv2.split(rgb), strict=True):
        np.multiply(slope, channel, out=slope)
        out += slope
    return out


def _mean(plane: np.ndarray) -> np.ndarray:
    """Means over the window of each pixel."""
    side = 2 * _RADIUS + 1
    return np.asarray(cv2.boxFilter(plane, -1, (side, side), borderType=cv2.BORDER_REFLECT))


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 up to ``low``, 1 from ``high`` on, and level at both.

    Args:
        values: float32.
        low, high: In their unit.
    """
    t = (values - np.float32(low)) * np.float32(1 / (high - low))
    np.clip(t, 0, 1, out=t)
    slope = np.float32(3) - np.float32(2) * t
    smooth: np.ndarray = t * t * slope
    return smooth
