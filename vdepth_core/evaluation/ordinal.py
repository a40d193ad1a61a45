"""ORD and D3R: whether points stand in the right order, anywhere and across depth's jumps.

Xian et al., "Structure-Guided Ranking Loss for Single Image Depth Prediction", CVPR 2020, and Miangoleh et
al., "Boosting Monocular Depth Estimation Models to High-Resolution via Content-Adaptive Multi-Resolution
Merging", CVPR 2021. Points are the middles of superpixels of the truth; the published ones are MATLAB's, ours
scikit-image's SLIC, so that figures are near the published but not the same: they are called D3R (slic).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, UsageError

SUPERPIXELS, COMPACTNESS = 5000, 20
PARTNERS = 3  # random ones of each point, for ORD
ORD_RATIO = 1.03
D3R_APART, D3R_RATIO = 1.1, 1.01  # how far neighbours must be apart in truth, and what counts as apart
_LONGEST = 1024  # pixels of the side that superpixels are made on; larger truth is thinned out
_LIGHTNESS = 100.0  # disparity 0..1 as the lightness that SLIC's compactness is meant for
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Ordinal:
    """Errors in the order of points, 0 to 2; lower is better. A wrong order counts 2, a missed one 1.

    Attributes:
        ord: Over random pairs of points.
        d3r: Over neighbouring superpixels that a jump of depth lies between.
        pairs, jumps: How many pairs each is over.
    """

    ord: float
    d3r: float
    pairs: int
    jumps: int


def order(a: np.ndarray, b: np.ndarray, ratio: float) -> np.ndarray:
    """+1 where ``a`` is more than ``ratio`` times ``b``, −1 where ``b`` is of ``a``, else 0; any shape.

    Args:
        a, b: Numbers >= 0.
        ratio: Above 1.
    """
    q = (a + _EPS) / (b + _EPS)
    return (q > ratio).astype(np.int8) - (q < 1 / ratio).astype(np.int8)


def ordinal_errors(
    depth: np.ndarray, truth: np.ndarray, valid: np.ndarray, *, seed: int = 0
) -> Ordinal | None:
    """Measures ORD and D3R (slic) of one picture.

    Truth as disparity has 1 as its largest value; the estimate's disparity is put on its range, smallest to
    smallest, largest to largest; both as depth then run from 0 to 1 over the valid pixels.

    Args:
        depth: (H, W) estimated depth, up to scale and shift of its inverse.
        truth: (H, W) true depth.
        valid: (H, W) bool, where truth is known.
        seed: Of ORD's random pairs.

    Returns:
        None where truth is flat or has no two points in order.

    Raises:
        InputError: the sizes differ.
        UsageError: scikit-image is not installed.
    """
    if depth.shape != truth.shape or valid.shape != truth.shape:
        raise InputError(
            f"Depth {depth.shape} cannot be compared with truth {truth.shape}.", "Give maps of one size."
        )
    step = -(-max(truth.shape) // _LONGEST)
    depth, truth, valid = (np.asarray(a)[::step, ::step] for a in (depth, truth, valid))
    g: np.ndarray = np.zeros(truth.shape)
    g[valid] = 1 / truth[valid].astype(np.float64)
    if not valid.any() or np.ptp(g[valid]) == 0:
        return None
    g /= g.max()
    with np.errstate(divide="ignore"):
        e = 1 / np.maximum(depth.astype(np.float64), 1e-12)
    lowest, low, high = g[valid].min(), e[valid].min(), e[valid].max()
    e = lowest + (1 - lowest) * np.clip((e - low) / max(high - low, _EPS), 0, 1)
    true, said = (_as_depth(d, valid) for d in (g, e))
    labels = superpixels(g)
    rows, columns, known = _points(labels, valid)
    true, said = true[rows, columns], said[rows, columns]

    neighbours = touching(labels)
    neighbours = neighbours[known[neighbours].all(axis=1)]
    d3r, jumps = _error(true, said, neighbours, D3R_APART, D3R_RATIO)
    points = np.flatnonzero(known)
    partners = np.random.default_rng(seed).choice(points, (len(points), PARTNERS))
    pairs = np.stack([np.repeat(points, PARTNERS), partners.ravel()], axis=1)
    wrong, count = _error(true, said, pairs, 1.0, ORD_RATIO)
    return Ordinal(wrong, d3r, count, jumps) if count else None


def mean_ordinal(frames: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Ordinal | None:
    """Mean over frames of `ordinal_errors`; D3R over those that have a jump. None if no frame has points.

    Args:
        frames: Depth, truth and where it is valid, a frame.

    Raises:
        UsageError: scikit-image is not installed.
    """
    found = [one for index, frame in enumerate(frames) if (one := ordinal_errors(*frame, seed=index))]
    if not found:
        return None
    jumping = [one.d3r for one in found if one.jumps]
    return Ordinal(
        float(np.mean([one.ord for one in found])),
        float(np.mean(jumping)) if jumping else 0.0,
        sum(one.pairs for one in found),
        sum(one.jumps for one in found),
    )


def superpixels(disparity: np.ndarray) -> np.ndarray:
    """Labels (H, W) from 0 on, of about `SUPERPIXELS` superpixels of disparity (H, W) in 0..1.

    Args:
        disparity: Of the truth.

    Raises:
        UsageError: scikit-image is not installed.
    """
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise UsageError(
            "ORD and D3R need scikit-image, which is not installed.", 'Run pip install "vdepth[evaluation]".'
        ) from error
    count = min(SUPERPIXELS, disparity.size)
    found: Any = slic(
        disparity * _LIGHTNESS, n_segments=count, compactness=COMPACTNESS, start_label=0, channel_axis=None
    )
    return np.unique(found, return_inverse=True)[1].reshape(disparity.shape)


def touching(labels: np.ndarray) -> np.ndarray:
    """(n, 2) pairs of labels (H, W) that share an edge of a pixel, each once, the smaller first.

    Args:
        labels: Integers.
    """
    sides = ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:]))
    found = [np.stack([a.ravel(), b.ravel()], axis=1) for a, b in sides]
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _as_depth(disparity: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Disparity (H, W) above 0 where valid -> depth, 0 to 1 over the valid pixels."""
    depth = 1 / np.maximum(disparity, _EPS)
    low, high = depth[valid].min(), depth[valid].max()
    return np.asarray(np.clip((depth - low) / max(high - low, _EPS), 0, 1))


def _points(labels: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row and column of each label's middle, rounded down, and whether truth is known there."""
    flat, size = labels.ravel(), np.bincount(labels.ravel())
    rows, columns = np.indices(labels.shape)
    middle = [
        np.floor(np.bincount(flat, axis.ravel()) / size + 1e-9).astype(np.int64) for axis in (rows, columns)
    ]
    return middle[0], middle[1], valid[middle[0], middle[1]]


def _error(
    true: np.ndarray, said: np.ndarray, pairs: np.ndarray, apart: float, ratio: float
) -> tuple[float, int]:
    """Mean difference of order over the pairs (n, 2) whose truth is more than ``apart``; how many."""
    a, b = pairs[:, 0], pairs[:, 1]
    counts = order(true[a], true[b], apart) != 0
    a, b = a[counts], b[counts]
    if not a.size:
        return 0.0, 0
    return float(np.abs(order(true[a], true[b], ratio) - order(said[a], said[b], ratio)).mean()), int(a.size)
