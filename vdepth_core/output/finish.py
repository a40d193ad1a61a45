"""From a shot's final disparity to depth: one range for the whole shot, then one fixed formula for every
frame.

Nothing here looks at a single frame to choose a scale: a range fitted per frame is what makes depth flicker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..store import FrameArray
from ..types import Quantity, Space
from .upsample import Upsampler

__all__ = ["FAR_AWAY", "DepthMapping", "DisparityRange", "Upsampler", "fit_mapping", "fit_range"]

FAR_AWAY = np.float32(1e10)
"""Z of sky and pixels without depth, as Blender writes it: large, but infinities break compositor nodes."""

LOW_QUANTILE, HIGH_QUANTILE = 0.001, 0.999
# A range narrower than this part of its values is a flat shot, and rounding noise is all it holds.
_FLAT = 1e-5
_ROWS = 32  # of a large picture at a time


@dataclass(frozen=True)
class DisparityRange:
    """Robust ends of a shot's disparity: ``lo`` is far, ``hi`` is near, ``lo < hi`` always."""

    lo: float
    hi: float


@dataclass(frozen=True)
class DepthMapping:
    """How a shot's disparity y becomes depth Z and normalised disparity d; the same for all its frames.

    For ``affine_invariant``: d = clip((y − lo)/(hi − lo), 0, 1) and Z = 1/(d·(1/near − 1/far) + 1/far).
    Otherwise Z = 1/y where y > 0, and d only serves the preview. What is not finite, and y ≤ 0 where Z = 1/y,
    becomes Z = `FAR_AWAY` and d = 0.

    What the store calls final need not be disparity yet; `disparity` makes it so, with ``gain``, ``offset``
    and ``depth_ends``. Files always hold disparity, so none of them is in their headers.

    Attributes:
        space: What the numbers mean.
        range: Robust disparity range of the shot.
        near, far: Depth at d = 1 and d = 0.
        gain: Factor from final values to disparity: width / fx for canonical disparity.
        offset: Added to an affine-invariant shot that reaches below 0, so that ``lo`` is 0: no file holds
            negative disparity, and a shift is free there.
        depth_ends: (lo, hi) of a shot whose final values are affine-invariant depth; they become ``near`` and
            ``far``.
    """

    space: Space
    range: DisparityRange
    near: float
    far: float
    gain: float = 1.0
    depth_ends: tuple[float, float] | None = None
    offset: float = 0.0

    def lifted(self) -> DepthMapping:
        """The same mapping for disparity moved up so far that none of the range is below 0, as files have it.

        An affine-invariant shot has no zero of its own, so nothing is lost; others are as they are.
        """
        if self.space != "affine_invariant" or self.range.lo >= 0:
            return self
        moved = DisparityRange(0.0, self.range.hi - self.range.lo)
        return replace(self, range=moved, offset=self.offset - self.range.lo)

    def disparity(self, final: np.ndarray) -> np.ndarray:
        """Disparity (H, W) float32 of the store's ``final`` (H, W); what is not finite stays so.

        Args:
            final: As the method left it.
        """
        if self.depth_ends is None:
            if (self.gain, self.offset) == (1.0, 0.0):
                return final
            return final * np.float32(self.gain) + np.float32(self.offset)
        lo, hi = self.depth_ends
        z = np.clip((final - np.float32(lo)) * np.float32(1.0 / (hi - lo)), 0.0, 1.0)
        return np.asarray(np.reciprocal(self.near + z * np.float32(self.far - self.near)), np.float32)

    def normalised(self, disparity: np.ndarray) -> np.ndarray:
        """d in [0, 1], float32, of ``disparity`` (H, W); 0 where it is not finite.

        Args:
            disparity: As `disparity` gives it.
        """
        d = np.empty(disparity.shape, np.float32)
        self._normalise(disparity.astype(np.float32, copy=False), _holes(disparity), d)
        return d

    def depth(self, disparity: np.ndarray) -> np.ndarray:
        """Planar z (H, W) float32, finite and ≥ 0, of ``disparity`` (H, W).

        Args:
            disparity: As `disparity` gives it.
        """
        return self.maps(disparity)[0]

    def maps(self, disparity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`depth` and `normalised` of ``disparity`` (H, W) at once, some rows at a time: they stay in the
        processor's cache.

        Args:
            disparity: As `disparity` gives it.
        """
        z, d = np.empty(disparity.shape, np.float32), np.empty(disparity.shape, np.float32)
        for start in range(0, len(disparity), _ROWS):
            rows = slice(start, start + _ROWS)
            y = disparity[rows].astype(np.float32, copy=False)
            holes = _holes(y)
            self._normalise(y, holes, d[rows])
            self._depth(y, holes, d[rows], z[rows])
        return z, d

    def _normalise(self, y: np.ndarray, holes: np.ndarray | None, d: np.ndarray) -> None:
        np.subtract(y, np.float32(self.range.lo), out=d)
        d *= np.float32(1.0 / (self.range.hi - self.range.lo))
        np.clip(d, 0.0, 1.0, out=d)
        if holes is not None:
            d[holes] = 0.0

    def _depth(self, y: np.ndarray, holes: np.ndarray | None, d: np.ndarray, z: np.ndarray) -> None:
        if self.space == "affine_invariant":
            np.multiply(d, np.float32(1.0 / self.near - 1.0 / self.far), out=z)
            z += np.float32(1.0 / self.far)
            np.reciprocal(z, out=z)
            if holes is not None:
                z[holes] = FAR_AWAY
            return
        z[:] = FAR_AWAY
        np.divide(np.float32(1.0), y, out=z, where=(y > 1.0 / FAR_AWAY) & np.isfinite(y))


def fit_range(final: FrameArray, space: Space = "affine_invariant") -> DisparityRange:
    """Fits the robust disparity range of one shot: its 0.1 % and 99.9 % quantiles over every pixel of every
    frame.

    The quantiles are exact order statistics found by radix selection on the float's bits: one streaming pass
    counts the upper 16 bits, a second the lower 16 bits of the two cells that hold the quantiles. Memory is
    two small tables and one frame, outliers cost no resolution, and no sampling makes the result depend on
    chance. Pixels that are not finite are left out, and those ≤ 0 too where Z = 1/y gives them no depth. A
    flat shot gets a range around its value, so that it lies in the middle and noise is not blown up.

    Args:
        final: Disparity of the shot, all frames done.
        space: What the disparity means.

    Raises:
        KeyError: a frame of the shot is not there.
    """
    positive = space != "affine_invariant"
    upper = np.zeros(1 << 16, np.int64)
    for index in range(final.count):
        upper += np.bincount(_keys(final.read(index), positive) >> np.uint32(16), minlength=1 << 16)
    total = int(upper.sum())
    if not total:
        return DisparityRange(0.0, 1.0)
    below = np.cumsum(upper)
    ranks = [round(q * (total - 1)) for q in (LOW_QUANTILE, HIGH_QUANTILE)]
    cells = [int(np.searchsorted(below, rank, side="right")) for rank in ranks]
    lower = {cell: np.zeros(1 << 16, np.int64) for cell in cells}
    for index in range(final.count):
        keys = _keys(final.read(index), positive)
        heads = keys >> np.uint32(16)
        for cell in lower:
            lower[cell] += np.bincount(keys[heads == cell] & np.uint32(0xFFFF), minlength=1 << 16)
    ends = []
    for rank, cell in zip(ranks, cells, strict=True):
        within = rank - (int(below[cell - 1]) if cell else 0)
        tail = int(np.searchsorted(np.cumsum(lower[cell]), within, side="right"))
        ends.append(_value(cell << 16 | tail))
    lo, hi = ends
    if hi - lo <= _FLAT * max(abs(lo), abs(hi)):
        middle = 0.5 * (lo + hi)
        margin = 0.5 * abs(middle) or 0.5
        return DisparityRange(middle - margin, middle + margin)
    return DisparityRange(lo, hi)


def fit_mapping(
    final: FrameArray,
    space: Space,
    near: float | None = None,
    far: float | None = None,
    *,
    gain: float = 1.0,
    quantity: Quantity = "disparity",
) -> DepthMapping:
    """Fits the range of a shot and settles near and far.

    For an affine-invariant shot they are ``near`` and ``far`` as asked, 1 and 100 unless given. Otherwise the
    depth is what it is, and they report the robust depth range of the shot.

    Args:
        final: The shot's settled maps, all frames done.
        space: What they mean.
        near, far: Depth of the ends of an affine-invariant shot.
        gain: Factor from ``final`` to disparity, > 0.
        quantity: The model's. Affine-invariant *depth* has no reciprocal until near and far place it: there
            Z = near + (far − near)·(final − lo)/(hi − lo).

    Raises:
        KeyError: a frame of the shot is not there.
        ValueError: not 0 < near < far.
    """
    ends = fit_range(final, space)
    if space == "affine_invariant":
        near, far = 1.0 if near is None else near, 100.0 if far is None else far
        if not 0.0 < near < far < FAR_AWAY:
            raise ValueError(f"near {near} and far {far} do not satisfy 0 < near < far < 1e10")
        if quantity == "depth":
            return DepthMapping(
                space, DisparityRange(1.0 / far, 1.0 / near), near, far, depth_ends=(ends.lo, ends.hi)
            )
    else:
        ends = DisparityRange(ends.lo * gain, ends.hi * gain)
        tiny = 1.0 / float(FAR_AWAY)
        near, far = 1.0 / max(ends.hi, 2 * tiny), 1.0 / max(ends.lo, tiny)
    return DepthMapping(space, ends, near, far, gain)


def _holes(values: np.ndarray) -> np.ndarray | None:
    """Where ``values`` are not finite; None: nowhere."""
    return None if all_finite(values) else ~np.isfinite(values)


def all_finite(values: np.ndarray) -> bool:
    """`np.isfinite(values).all()`, as a rule without a temporary array.

    Args:
        values: Of any shape.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return math.isfinite(float(values.sum())) or bool(np.isfinite(values).all())


def _keys(values: np.ndarray, positive: bool) -> np.ndarray:
    """Unsigned integers that sort like the usable float32 ``values``."""
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    usable = np.isfinite(flat)
    if positive:
        usable &= flat > 0.0
    if not usable.all():
        flat = flat[usable]
    bits = flat.view(np.uint32)
    return np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(1 << 31))


def _value(key: int) -> float:
    bits = key & 0x7FFFFFFF if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.uint32(bits).view(np.float32))
