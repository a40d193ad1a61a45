"""Boundary F1 and boundary recall: whether depth jumps where the truth jumps, whatever the scale.

Bochkovskii et al., "Depth Pro: Sharp Monocular Metric Depth in Less Than a Second", ICLR 2025, section 4. A
pixel occludes its neighbour where its inverse depth is more than t times the neighbour's; the four directions
count alone. Thresholds t are 10 steps of 1.05 to 1.25, weighted by t. Nothing is forgiven: an edge one pixel
aside is missed and, beside that, false.

Of truth without relations in some direction that direction scores 0, as published: a single upright edge seen
perfectly has F1 1/4. Compare figures on the same truth only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .undefined import UndefinedMeasure

THRESHOLDS = np.linspace(1.05, 1.25, 10)
_WEIGHTS = THRESHOLDS / THRESHOLDS.sum()
_NEAREST = 1e-6  # depth is at least this before it is inverted

_HERE, _THERE = slice(None, -1), slice(1, None)
_ALL = slice(None)
# Of each direction: the pixels that must be nearer, and the neighbours they are compared with.
_DIRECTIONS: dict[str, tuple[tuple[slice, slice], tuple[slice, slice]]] = {
    "left": ((_ALL, _HERE), (_ALL, _THERE)),
    "right": ((_ALL, _THERE), (_ALL, _HERE)),
    "top": ((_HERE, _ALL), (_THERE, _ALL)),
    "bottom": ((_THERE, _ALL), (_HERE, _ALL)),
}


@dataclass(frozen=True)
class BoundaryF1:
    """Agreement of occlusion boundaries, each a weighted mean over the thresholds; higher is better.

    Attributes:
        f1: Harmonic mean of precision and recall at every threshold.
        precision: Share of the predicted relations that the truth has.
        recall: Share of the truth's relations that were predicted. Noise has much recall: never alone.
    """

    f1: float
    precision: float
    recall: float


def boundary_f1(depth: np.ndarray, truth: np.ndarray, valid: np.ndarray | None = None) -> BoundaryF1:
    """Compares the boundaries of a depth map with those of the truth.

    Args:
        depth: (H, W) predicted depth, up to scale; a map that is only known up to scale and shift must be
            aligned first, as ratios depend on the shift.
        truth: (H, W) true depth.
        valid: (H, W) bool, where truth is known; relations with other pixels do not count, in either map.
            None: everywhere.

    Raises:
        InputError: the sizes differ.
    """
    if depth.shape != truth.shape or depth.ndim != 2 or (valid is not None and valid.shape != truth.shape):
        raise InputError(
            f"Depth {depth.shape} cannot be compared with truth {truth.shape}.", "Give maps of one size."
        )
    ours, theirs = _inverse(depth), _inverse(truth)
    precision, recall = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS))
    for near, far in _DIRECTIONS.values():
        both = ... if valid is None else valid[near] & valid[far]
        a, b = (ours[near] / ours[far])[both], (theirs[near] / theirs[far])[both]
        lowest = (a > THRESHOLDS[0]) | (b > THRESHOLDS[0])  # the few pixels that can count at all
        a, b = a[lowest], b[lowest]
        for index, threshold in enumerate(THRESHOLDS):
            said, true = a > threshold, b > threshold
            hits = np.count_nonzero(said & true)
            precision[index] += hits / max(int(np.count_nonzero(said)), 1) / len(_DIRECTIONS)
            recall[index] += hits / max(int(np.count_nonzero(true)), 1) / len(_DIRECTIONS)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    return BoundaryF1(*(float(_WEIGHTS @ values) for values in (f1, precision, recall)))


def boundary_recall(depth: np.ndarray, matte: np.ndarray) -> float:
    """The share of a matte's outline that depth has: for thin structures, hair and fur, without true depth.

    What is predicted is thinned first, or a wide slope would cover every outline: of neighbouring relations
    in one direction only the steepest counts.

    Args:
        depth: (H, W) predicted depth, up to scale.
        matte: (H, W) bool, True on what is in front.

    Raises:
        InputError: the sizes differ.
    """
    if depth.shape != matte.shape or depth.ndim != 2:
        raise InputError(
            f"Depth {depth.shape} cannot be compared with a matte {matte.shape}.", "Give maps of one size."
        )
    ours, front = _inverse(depth), np.asarray(matte, bool)
    recall = np.zeros(len(THRESHOLDS))
    for name, (near, far) in _DIRECTIONS.items():
        true, ratio = front[near] & ~front[far], ours[near] / ours[far]
        if name in ("top", "bottom"):  # lines run along the direction
            true, ratio = true.T, ratio.T
        count = max(int(np.count_nonzero(true)), 1)
        for index, threshold in enumerate(THRESHOLDS):
            hits = np.count_nonzero(steepest(ratio, threshold) & true)
            recall[index] += hits / count / len(_DIRECTIONS)
    return float(_WEIGHTS @ recall)


def steepest(ratio: np.ndarray, threshold: float) -> np.ndarray:
    """Where a row's ratio is the largest, the first of equals, of a run of ratios above the threshold.

    Args:
        ratio: (rows, n) ratios along a direction.
        threshold: What a relation must exceed.

    Returns:
        (rows, n) bool.
    """
    above = ratio > threshold
    kept = np.zeros_like(above)
    before = np.pad(above, ((0, 0), (1, 0)))[:, :-1]
    begins = np.flatnonzero((above & ~before)[above])  # places of the runs' beginnings among those above
    if not begins.size:
        return kept
    values = ratio[above]
    run = np.zeros(values.size, np.int64)
    run[begins[1:]] = 1
    run = np.cumsum(run)
    largest = np.flatnonzero(values == np.maximum.reduceat(values, begins)[run])
    _, first = np.unique(run[largest], return_index=True)
    chosen = np.zeros(values.size, bool)
    chosen[largest[first]] = True
    kept[above] = chosen
    return kept


def mean_boundaries(frames: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> BoundaryF1:
    """Mean over frames of `boundary_f1`.

    Args:
        frames: Depth, truth and where it is valid, a frame; without a valid pixel it does not count.

    Raises:
        InputError: the sizes differ.
        UndefinedMeasure: no frame has truth.
    """
    found = [boundary_f1(depth, truth, valid) for depth, truth, valid in frames if valid.any()]
    if not found:
        raise UndefinedMeasure("Boundaries of the clip are undefined: no frame has truth.",
                               "Check the truth's unit and the depth range.")  # fmt: skip
    count = len(found)
    return BoundaryF1(
        sum(one.f1 for one in found) / count,
        sum(one.precision for one in found) / count,
        sum(one.recall for one in found) / count,
    )


def _inverse(depth: np.ndarray) -> np.ndarray:
    """Inverse depth (H, W) float64; infinity, a sky, becomes the farthest finite value there can be."""
    d = np.nan_to_num(np.asarray(depth, np.float64), nan=_NEAREST, posinf=1 / _NEAREST)
    return 1 / np.maximum(d, _NEAREST)
