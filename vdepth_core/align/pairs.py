"""Scale and shift of all frames of a shot, solved together from pairs of frames (for `temporal`).

Every pair (i, j) says how j's disparities relate to i's on the pixels both see: y ≈ s x + t. Putting all
pairs on one graph and solving it robustly (`graph`) gives the *tracked* chart: scales and levels in which a
tracked point keeps its value. That chart alone must not be the answer when the camera moves: its slow part
is handed back (`trend`), and only the flicker is corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .graph import connected_parts, solve_graph
from .scale_shift import PairFit
from .trend import WINDOWS, without_trend


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
        """(s, t): aligned values of frame ``source`` are expected as s · value + t in frame ``to``.

        Args:
            source, to: Frame numbers within the shot.
        """
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
    log_scale = without_trend(chart, parts, moving, windows)
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
    level = without_trend(chart, parts, moving, windows)
    return Alignment(scale, centre + level - scale * centre, slow, chart - level, centre, parts < 0)


def _parts(count: int, i: np.ndarray, j: np.ndarray, use: np.ndarray) -> np.ndarray:
    """Connected part of every frame (0, 1, …), −1 for frames without any pair."""
    parts = connected_parts(count, i[use], j[use])
    lonely = np.bincount(parts)[parts] == 1
    kept = np.unique(parts[~lonely])
    return np.where(lonely, -1, np.searchsorted(kept, parts)).astype(np.int64)
