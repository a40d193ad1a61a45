"""Scale and shift of all frames of a shot, solved together from pairs of frames.

Every pair (i, j) says how j's disparities relate to i's on the pixels both see: y ≈ s x + t. Putting all
pairs on one graph and solving it robustly gives the *tracked* chart: scales m and levels in which a tracked
point keeps its value.

That chart alone must not be the answer when the camera moves: walking forward, every tracked point truly gets
nearer, and forcing equality would make the scale of frame n wander off exponentially in n. So the slow part
of the chart (a local linear trend over about ±`WINDOWS` frames, exact for a steady dolly up to its ends) is
handed back to the model's own predictions, and only the fast part, the flicker, is corrected. Where the
camera stands still, tracked values may not change at all and the trend is not handed back: there the slow
wandering of the model goes as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .scale_shift import MAD_TO_SIGMA, PairFit

WINDOWS = (3.0, 6.0, 12.0)  # frames; standard deviations of the trend's Gaussian window, 0.1 to 0.4 s
FLICKER = 1.5  # remainder over white flicker up to which a window is trusted
_PRIOR = 1e-8  # ties every frame weakly to its own prediction: the gauge of the graph and of its islands
_ITERATIONS, _FINISH = 10, 4
HUBER, CAUCHY = 1.345, 2.385  # 95 % efficiency under Gaussian noise


@dataclass(frozen=True)
class Pair:
    """What one pair of frames says: its fit from frame ``i`` (x) to frame ``j`` (y), i < j."""

    i: int
    j: int
    fit: PairFit


@dataclass(frozen=True)
class Alignment:
    """The joint solution for N frames; arrays (N,) float64.

    ``final = scale · raw + shift`` is what frame t becomes. What was handed back to the camera's motion is
    kept for `carry`: a temporal filter must compare where a tracked point keeps its value.

    Attributes:
        scale, shift: The correction.
        slow_log_scale, slow_level: The trend that was handed back.
        centre: The disparity about which scales are applied.
        alone: (N,) bool: no pair said anything about this frame.
    """

    scale: np.ndarray
    shift: np.ndarray
    slow_log_scale: np.ndarray
    slow_level: np.ndarray
    centre: float
    alone: np.ndarray

    def carry(self, source: int, to: int) -> tuple[float, float]:
        """(s, t): aligned values of frame ``source`` are expected as s · value + t in frame ``to``."""
        scale = float(np.exp(self.slow_log_scale[source] - self.slow_log_scale[to]))
        level = float(self.slow_level[source] - self.slow_level[to])
        return scale, scale * (level - self.centre) + self.centre


def solve(
    count: int,
    pairs: Sequence[Pair],
    still: np.ndarray | None = None,
    *,
    scale_only: bool = False,
    windows: Sequence[float] = WINDOWS,
) -> Alignment:
    """Solves scale and shift of ``count`` frames from ``pairs``.

    Args:
        count: Number of frames N.
        pairs: Fits between frames; frames no pair mentions are interpolated in time.
        still: (N − 1,) in [0, 1]: how surely the camera stands still between t and t + 1; None: it moves.
        scale_only: No shift (metric and scale-invariant models).
        windows: Standard deviations, in frames, of the windows the trend that is handed back is sought in.

    Returns:
        The alignment; mean log-scale and mean level of every connected part are those of the raw predictions.
    """
    if not pairs:
        zero = np.zeros(count)
        return Alignment(np.ones(count), zero, zero.copy(), zero.copy(), 0.0, np.ones(count, bool))
    i = np.array([pair.i for pair in pairs])
    j = np.array([pair.j for pair in pairs])
    moving = np.ones(max(0, count - 1)) if still is None else 1.0 - np.asarray(still, np.float64)
    fits = [pair.fit for pair in pairs]
    x, y = np.array([fit.x for fit in fits]), np.array([fit.y for fit in fits])

    weight = np.array([fit.weight for fit in fits])
    chart = solve_graph(count, i, j, -np.array([fit.log_scale for fit in fits]), weight)
    parts = _parts(count, i, j, weight > 0)
    log_scale = _without_trend(chart, parts, moving, windows)
    scale, slow = np.exp(log_scale), chart - log_scale
    if scale_only:
        zero = np.zeros(count)
        return Alignment(scale, zero, slow, zero.copy(), 0.0, parts < 0)

    # Levels around a common centre, not intercepts at 0: the intercept's error is the slope's error times the
    # distance to 0, the centre's level hardly depends on the slope.
    weight = np.array([fit.level_weight for fit in fits])
    centre = float(np.median(np.concatenate([x, y])))
    chart = solve_graph(count, i, j, scale[i] * (x - centre) - scale[j] * (y - centre), weight)
    parts = _parts(count, i, j, weight > 0)
    level = _without_trend(chart, parts, moving, windows)
    return Alignment(scale, centre + level - scale * centre, slow, chart - level, centre, parts < 0)


def solve_graph(
    count: int, i: np.ndarray, j: np.ndarray, step: np.ndarray, weight: np.ndarray, prior: float = _PRIOR
) -> np.ndarray:
    """Values v (N,) with v[j] − v[i] ≈ step, robustly (Huber: convex, so no start can trap it), weakly tied
    to 0.

    Args:
        count: N.
        i, j: (E,) frame indices, i < j.
        step: (E,) measured differences.
        weight: (E,) ≥ 0.
        prior: Weight of v ≈ 0 relative to the median edge weight.
    """
    value = np.zeros(count)
    use = weight > 0
    if not use.any():
        return value
    i, j, step, weight = i[use], j[use], step[use], weight[use]
    weight = weight / np.median(weight)
    robust = weight
    floor = 1e-3 * float(np.sqrt(np.mean(step * step))) + 1e-12
    for iteration in range(_ITERATIONS + _FINISH):
        fresh = _solve_laplacian(count, i, j, step, robust, prior)
        residual = np.abs(fresh[j] - fresh[i] - step)
        sigma = max(MAD_TO_SIGMA * float(np.median(residual)), floor)
        if iteration < _ITERATIONS:  # convex: no start can trap it
            robust = weight / np.maximum(1.0, residual / (HUBER * sigma))
        else:  # from there on gross errors may be forgotten
            robust = weight / (1.0 + (residual / (CAUCHY * sigma)) ** 2) ** 2
        value = fresh
    return value


def _solve_laplacian(
    count: int, i: np.ndarray, j: np.ndarray, step: np.ndarray, weight: np.ndarray, prior: float
) -> np.ndarray:
    """(L + prior) v = b by block-tridiagonal elimination, blocks as long as the longest pair: linear in N."""
    block = max(1, int((j - i).max()))
    blocks = -(-count // block)
    size = blocks * block
    diagonal = np.zeros((blocks, block, block))
    upper = np.zeros((blocks, block, block))  # couples block b with b + 1
    right = np.zeros(size)
    np.add.at(right, j, weight * step)
    np.add.at(right, i, -weight * step)
    own = np.full(size, prior)
    np.add.at(own, i, weight)
    np.add.at(own, j, weight)
    index = np.arange(size)
    diagonal[index // block, index % block, index % block] = own
    bi, bj = i // block, j // block
    same = bi == bj
    np.add.at(diagonal, (bi[same], i[same] % block, j[same] % block), -weight[same])
    np.add.at(diagonal, (bi[same], j[same] % block, i[same] % block), -weight[same])
    cross = ~same
    np.add.at(upper, (bi[cross], i[cross] % block, j[cross] % block), -weight[cross])

    part = right.reshape(blocks, block)
    gain = np.zeros_like(upper)
    for b in range(blocks):
        if b:
            diagonal[b] -= upper[b - 1].T @ gain[b - 1]
            part[b] = part[b] - upper[b - 1].T @ part[b - 1]
        solved = np.linalg.solve(diagonal[b], np.column_stack([upper[b], part[b]]))
        gain[b], part[b] = solved[:, :-1], solved[:, -1]
    for b in range(blocks - 2, -1, -1):
        part[b] -= gain[b] @ part[b + 1]
    return part.reshape(-1)[:count]


def _without_trend(
    chart: np.ndarray, parts: np.ndarray, moving: np.ndarray, windows: Sequence[float]
) -> np.ndarray:
    """The chart less its trend where the camera moves: mean 0 in every part, interpolated where unknown."""
    fast = np.full(len(chart), np.nan)
    for part in range(parts.max(initial=-1) + 1):
        frames = np.flatnonzero(parts == part)
        # A step between frames t and u belongs to the camera as far as the camera moved between them.
        share = np.array([moving[a:b].mean() for a, b in pairwise(frames)])
        trend = _trend(frames.astype(np.float64), chart[frames], windows)
        rest = chart[frames] - np.concatenate([[0.0], np.cumsum(np.diff(trend) * share)])
        fast[frames] = rest - rest.mean()
    known = np.flatnonzero(~np.isnan(fast))
    if not len(known):
        return np.zeros(len(chart))
    return np.asarray(np.interp(np.arange(len(chart)), known, fast[known]))


def _trend(time: np.ndarray, values: np.ndarray, windows: Sequence[float]) -> np.ndarray:
    """The trend in the longest window whose remainder looks like flicker.

    Flicker is white: its variance shows in second differences (times 6). Where much more is left over than
        that, the
    window is too long for how the camera's speed and the things it passes change.
    """
    trend = _local_linear(time, values, min(windows))
    if len(values) < 5:
        return trend
    flicker = float(np.median(np.abs(np.diff(values, 2)))) / np.sqrt(6.0)
    for window in sorted(windows, reverse=True):
        longer = _local_linear(time, values, window)
        if float(np.median(np.abs(values - longer))) <= FLICKER * flicker:
            return longer
    return trend


def _local_linear(time: np.ndarray, values: np.ndarray, window: float) -> np.ndarray:
    """Local linear regression with a Gaussian window: reproduces straight lines exactly, at the ends too."""
    reach = 4.0 * window
    out = np.empty_like(values)
    start = np.searchsorted(time, time - reach)
    stop = np.searchsorted(time, time + reach, side="right")
    for index, centre in enumerate(time):
        part = slice(start[index], stop[index])
        dt = time[part] - centre
        w = np.exp(-0.5 * (dt / window) ** 2)
        s0, s1, s2 = w.sum(), w @ dt, w @ (dt * dt)
        v0, v1 = w @ values[part], w @ (dt * values[part])
        determinant = s0 * s2 - s1 * s1
        out[index] = (s2 * v0 - s1 * v1) / determinant if determinant > 1e-9 * s0 * s0 else v0 / s0
    return out


def _parts(count: int, i: np.ndarray, j: np.ndarray, use: np.ndarray) -> np.ndarray:
    """Connected part of every frame (0, 1, …), −1 for frames without any pair."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(i[use].tolist(), j[use].tolist(), strict=True):
        parent[root(b)] = root(a)
    roots = np.array([root(node) for node in range(count)], dtype=np.int64)
    _, labels, sizes = np.unique(roots, return_inverse=True, return_counts=True)
    lonely = sizes[labels] == 1
    parts = np.where(lonely, -1, labels)
    kept = np.unique(parts[~lonely])
    return np.where(lonely, -1, np.searchsorted(kept, parts)).astype(np.int64)
