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

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

# Of the linear model's window, in pixels of the map: covers a network's blur plus its misplacement.
_RADIUS = 4
_EPS = 1e-3  # regularises the colour covariance: contrasts below 0.03 are noise
_REACH = np.ones((5, 5), np.uint8)  # a step and its two sides lie within this
_AROUND = np.ones((9, 9), np.uint8)
# Local range over the shot's range: below the first it is a slope, above the second a step.
_STEP = (0.04, 0.12)
_TRUST = (0.2, 0.5)  # R² below the first: the picture has no such edge; above the second: it has
_CORE = (0.55, 0.75)  # range within reach over range around: 0.5 on a slope, 1 in the middle of a step
_SMALLEST = 8  # pixels a side of a map with surfaces
_SHARPEN = (0.25, 0.75)  # membership below the first is far, above the second near
_STRIP = 32  # rows of the large picture at a time: what they need stays in the cache, and an 8K frame small


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
        far, near = cv2.erode(p, _REACH), cv2.dilate(p, _REACH)
        spread = near - far
        tiny = np.float32(1e-6 * self._span)
        step = _smoothstep(spread / np.float32(self._span), *_STEP)
        out = _smooth_resize(p, size)
        if not step.any():
            return out
        # The two sides without the blur between them; on slopes p itself.
        side = _smoothstep((p - far) / np.maximum(spread, tiny), *_SHARPEN)
        sides = p + step * (far + side * spread - p)
        guide = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        slopes, offset, trust = _linear_model(guide, sides / np.float32(self._span))
        beyond = _beyond(p, 4)  # or a slope would look like a step where the map ends
        within, around = (
            (cv2.dilate(beyond, reach) - cv2.erode(beyond, reach))[4:-4, 4:-4] for reach in (_REACH, _AROUND)
        )
        core = _smoothstep(within / np.maximum(around, tiny), *_CORE)
        steep = np.minimum(4 * step * core, 1)  # a step, seen in the picture or not; 0 on a slope
        step *= _smoothstep(trust, *_TRUST)
        # Only the middle of a step has both sides in reach. At its foot the side is known and colour noise
        # would speckle; a slope goes on rising outside the reach.
        weight = step * core
        p = p + step * (sides - p)
        scale = np.float32(self._span) / np.maximum(spread, np.float32(1e-3 * self._span))
        offset = offset * scale - far * (scale / np.float32(self._span))
        # near-side membership at full size, then out = (1 − weight) p + weight (far + membership · spread)
        model = _Rows(cv2.merge([*(slope * scale for slope in slopes), offset]), size)
        ends = _Rows(cv2.merge([p + weight * (far - p), weight * spread]), size)
        # Straight interpolation bends a surface at every pixel of the map (a grid on its normals) and
        # flattens it at the border; where nothing steps, the smooth one stands.
        abrupt = _Rows(cv2.dilate(steep, _AROUND), size)
        for start in range(0, size[1], _STRIP):
            stop = min(start + _STRIP, size[1])
            near_side = _smoothstep(_apply(model(start, stop), _smoothed(rgb, start, stop)), *_SHARPEN)
            base, gain = cv2.split(ends(start, stop))
            near_side *= gain
            near_side += base
            near_side -= out[start:stop]
            near_side *= abrupt(start, stop)
            out[start:stop] += near_side
        return out


class _Rows:
    """Bilinear enlargement, some rows at a time: what `cv2.resize` gives all at once, to rounding."""

    def __init__(self, small: np.ndarray, size: tuple[int, int]) -> None:
        height = len(small)
        self._wide = cv2.resize(small, (size[0], height), interpolation=cv2.INTER_LINEAR)
        where = (np.arange(size[1]) + 0.5) * (height / size[1]) - 0.5
        above = np.floor(where)
        self._part = where - above
        self._above = np.clip(above, 0, height - 1).astype(int)
        self._below = np.clip(above + 1, 0, height - 1).astype(int)

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop) of the large picture."""
        out = np.empty((stop - start, *self._wide.shape[1:]), np.float32)
        for row in range(start, stop):
            above, below = self._wide[self._above[row]], self._wide[self._below[row]]
            part = self._part[row]
            cv2.addWeighted(above, 1 - part, below, part, 0, dst=out[row - start])
        return out


def _smoothed(rgb: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Rows [start, stop) of the plate without its grain, which would make edges sparkle; the filter costs a
    tenth of the gain and halves that.
    """
    first, last = max(start - 1, 0), min(stop + 1, len(rgb))
    return cv2.GaussianBlur(rgb[first:last], (3, 3), 0)[start - first : stop - first]


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
    p = _beyond(p, 2)
    box = (2, 2, p.shape[1] - 2, p.shape[0] - 2)
    return np.array(Image.fromarray(p).resize(size, Image.Resampling.BICUBIC, box=box))


def _beyond(p: np.ndarray, count: int) -> np.ndarray:
    """The map with ``count`` more pixels on every side, on a straight line through its last two."""
    steps = np.arange(1, count + 1, dtype=np.float32)
    for _ in range(2):
        first, last = p[:1], p[-1:]
        before = first + steps[::-1, None] * (first - p[min(1, len(p) - 1)])
        after = last + steps[:, None] * (last - p[max(-2, -len(p))])
        p = np.concatenate([before, p, after]).T
    return np.ascontiguousarray(p)


def _linear_model(
    guide: np.ndarray, p: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """p ≈ a · colour + b, window by window: a for colours in 0..255, b, R² in [0, 1], each (h, w)."""
    r, g, b = cv2.split(guide.astype(np.float32) * np.float32(1 / 255))
    mean_r, mean_g, mean_b, mean_p = _box(r), _box(g), _box(b), _box(p)
    cov_r, cov_g, cov_b = (_box(c * p) - m * mean_p for c, m in ((r, mean_r), (g, mean_g), (b, mean_b)))
    eps = np.float32(_EPS)
    rr, gg, bb = (_box(c * c) - m * m + eps for c, m in ((r, mean_r), (g, mean_g), (b, mean_b)))
    rg, rb, gb = (
        _box(r * g) - mean_r * mean_g,
        _box(r * b) - mean_r * mean_b,
        _box(g * b) - mean_g * mean_b,
    )
    # inverse of the symmetric 3x3 covariance by cofactors
    c11, c12, c13 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c22, c23, c33 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    inverse = 1 / (rr * c11 + rg * c12 + rb * c13)
    a_r = (c11 * cov_r + c12 * cov_g + c13 * cov_b) * inverse
    a_g = (c12 * cov_r + c22 * cov_g + c23 * cov_b) * inverse
    a_b = (c13 * cov_r + c23 * cov_g + c33 * cov_b) * inverse
    offset = mean_p - a_r * mean_r - a_g * mean_g - a_b * mean_b
    variance = np.maximum(_box(p * p) - mean_p * mean_p, 0) + np.float32(1e-7)
    explained = (a_r * cov_r + a_g * cov_g + a_b * cov_b) / variance
    unit = np.float32(1 / 255)
    return (_box(a_r) * unit, _box(a_g) * unit, _box(a_b) * unit), _box(offset), _box(explained)


def _apply(model: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """a · colour + b at full size: model (H, W, 4), rgb (H, W, 3) uint8 -> (H, W) float32."""
    a_r, a_g, a_b, out = cv2.split(model)
    for slope, channel in zip((a_r, a_g, a_b), cv2.split(rgb), strict=True):
        np.multiply(slope, channel, out=slope)
        out += slope
    return out


def _box(values: np.ndarray) -> np.ndarray:
    side = 2 * _RADIUS + 1
    return cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT)


def _smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    t = (values - np.float32(low)) * np.float32(1 / (high - low))
    np.clip(t, 0, 1, out=t)
    slope = np.float32(3) - np.float32(2) * t
    return t * t * slope
