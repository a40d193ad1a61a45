"""What the untouched model's disparity means among cameras: its unit, scale and shift, by triangulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .depths import FLOOR, triangulated, trust_of

if TYPE_CHECKING:
    from .footage import Footage

FRAMES = 12  # spread over the clip
GRID = 4  # every fourth pixel of them both ways
SURE = 0.3  # standard deviation over inverse depth below which a pixel counts for the unit
LEAST = 0.02  # share of the pixels that must
ROUNDS = 6
ROBUST = 0.3  # relative difference from where a pixel loses its voice


@dataclass(frozen=True)
class Meaning:
    """How disparity is read: inverse depth = unit · (scale · disparity + shift).

    Attributes:
        unit: Median inverse depth, in the reciprocal unit of the poses.
        scale, shift: Of the disparity, for inverse depth in that unit.
        agreement: Whether the model agrees with the clip about what is near.
    """

    unit: float
    scale: float
    shift: float
    agreement: bool


def find_meaning(
    footage: Footage, K: np.ndarray, poses: np.ndarray, spans: Sequence[range], gaps: Sequence[int],
    affine: bool,
) -> Meaning:  # fmt: skip
    """Triangulates some frames and lays the model's disparity through them, robustly.

    Args:
        footage: Its targets are the untouched model's disparity.
        K: (3, 3) for pixel indices at the footage's size.
        poses: (N, 4, 4) camera-to-world.
        spans: Frames in a row, of one shot, whose cameras are known.
        gaps: Of each span, frames.
        affine: Whether disparity has a shift.

    Raises:
        InputError: there is hardly any parallax.
    """
    frames = [index for span in spans for index in span]
    chosen = [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))]
    parts = []
    for index, inverse, error in triangulated(footage, chosen, K, poses, spans, gaps):
        maps = np.stack((footage.target.read(index)[0], inverse, error))
        parts.append(maps[:, ::GRID, ::GRID].reshape(3, -1))
    disparity, inverse, error = np.concatenate(parts, 1).astype(np.float64)
    sure = (inverse > 0) & (error < SURE * inverse)
    if sure.mean() < LEAST:
        raise InputError(
            "The clip shows too little parallax along this camera path to learn depth from.",
            "Give a longer part in which the camera travels, or check that the path is the clip's.",
        )
    unit = float(np.median(inverse[sure]))
    scale, shift = _line(disparity, inverse / unit, trust_of(inverse / unit, error / unit), affine)
    if not scale > 0:
        return Meaning(unit, 1 / max(float(disparity.std()), 1e-12), 0.0, agreement=False)
    return Meaning(unit, scale, shift, agreement=True)


def _line(x: np.ndarray, y: np.ndarray, trust: np.ndarray, affine: bool) -> tuple[float, float]:
    """Scale and shift (never below 0) of least relative error, in rounds of least squares."""
    relative = np.maximum(y, 0) + FLOOR
    weight = trust / relative**2
    scale, shift = 0.0, 0.0
    for _ in range(ROUNDS):
        total = max(float(weight.sum()), 1e-12)
        mx, my = float((weight * x).sum()) / total, float((weight * y).sum()) / total
        spread = float((weight * (x - mx) ** 2).sum())
        scale = float((weight * (x - mx) * (y - my)).sum()) / max(spread, 1e-12)
        shift = my - scale * mx
        if shift < 0 or not affine:
            scale, shift = float((weight * x * y).sum()) / max(float((weight * x * x).sum()), 1e-12), 0.0
        weight = trust / relative**2 / (1 + ((scale * x + shift - y) / (ROBUST * relative)) ** 2)
    return scale, shift
