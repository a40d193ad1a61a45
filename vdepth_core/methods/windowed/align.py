"""One scale and shift a window, so that all windows of a shot say the same of the frames they share.

`chain` is published: least squares of each window on the one before. `joint` is ours: every window is
compared with the one before, on all they share, and with an earlier one on the shot's first frame, which all
of them see; a symmetric robust fit each, and one robust solution of all (`align.pairs`). Errors of a chain
add up, and one that a cut, a flash or a bad window threw off takes the rest along; here the first frame holds
the far end, and what contradicts the others is outvoted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...align.pairs import Pair, solve
from ...align.scale_shift import fit_pair, fit_scale_shift
from .plan import BLEND, KEY, SHARED, STEP, WindowPlan

HUB = 128  # windows from one that is compared on the first frame to the next: bounds the solver's work
Maps = Callable[[int, int], np.ndarray]  # window, position -> (h, w), or samples of it


@dataclass(frozen=True)
class Alignment:
    """Windows in the terms of the first: aligned = scale · said + shift.

    Attributes:
        scale, shift: (K,) float64.
        alone: (K,) bool: nothing could be measured, and neighbours decided.
    """

    scale: np.ndarray
    shift: np.ndarray
    alone: np.ndarray

    @classmethod
    def none(cls, windows: int) -> Alignment:
        """Everything as it is: of metric models, whose numbers are metres already.

        Args:
            windows: How many.
        """
        return cls(np.ones(windows), np.zeros(windows), np.zeros(windows, bool))


def chain(windows: int, maps: Maps) -> Alignment:
    """The published chain: least squares over all pixels of the two key frames.

    Args:
        windows: How many.
        maps: Of the picture's size, as published.
    """
    found = Alignment.none(windows)
    reference = np.stack([maps(0, 0), maps(0, KEY)]) if windows > 1 else np.empty(0)
    for window in range(1, windows):
        said = np.stack([maps(window, 0), maps(window, 1)])
        scale, shift = fit_scale_shift(said, reference) if np.ptp(said) > 0 else (1.0, 0.0)
        found.scale[window], found.shift[window] = scale, shift
        reference[1] = np.maximum(0, scale * maps(window, KEY) + shift)
    return found


def joint(plan: WindowPlan, maps: Maps, *, scale_only: bool = False) -> Alignment:
    """All windows at once.

    Args:
        plan: What they see.
        maps: Samples of a map, the same pixels of every one.
        scale_only: No shift.
    """
    pairs: list[Pair] = []
    for window in range(1, len(plan)):
        shared = [(STEP + SHARED + i, SHARED + i) for i in range(BLEND)] + [(KEY, 1), (0, 0)]
        there = [(a, b) for a, b in shared if b < len(plan.frames[window])]
        _add(pairs, window - 1, window, there, maps, scale_only)
        hub = (window - 1) // HUB * HUB
        if hub != window - 1:
            _add(pairs, hub, window, [(0, 0)], maps, scale_only)
    found = solve(len(plan), pairs, np.ones(max(0, len(plan) - 1)), scale_only=scale_only)
    scale = found.scale / found.scale[0]
    alone = found.alone if len(plan) > 1 else np.zeros(1, bool)
    return Alignment(scale, (found.shift - found.shift[0]) / found.scale[0], alone)


def _add(
    pairs: list[Pair], one: int, other: int, shared: list[tuple[int, int]], maps: Maps, scale_only: bool
) -> None:
    x = np.concatenate([maps(one, a).ravel() for a, _ in shared])
    y = np.concatenate([maps(other, b).ravel() for _, b in shared])
    seen = (x > 0) & (y > 0)  # what the network's last ReLU cut off is on no line
    fit = fit_pair(x, y, seen.astype(np.float64), scale_only=scale_only)
    if fit is not None:
        pairs.append(Pair(one, other, fit))
