"""Last part of `rolling`: one scale and shift a snippet, and each frame the mean of all that cover it.

The co-alignment sees the sparse samples only; the maps are read once, frame by frame.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...align.joint import Solver, coalign
from ...align.snippets import Snippets
from ...progress import Progress
from ...store import FrameArray
from ..spill import Grid
from .plan import SnippetPlan
from .spill import SnippetFiles

StepOf = Callable[[], AbstractContextManager[None]]

_ENDS = (0.001, 0.999)  # of a clip's range, as finishing takes it
_MOST_VALUES = 1_000_000  # kept of a shot to find its range
_CHUNK_BYTES = 4 << 20  # of samples in the solver's hands; reading them again costs less than they would


class SpilledRows:
    """Samples (K, L, P) as they were spilled, less the smallest value of the shot, as published.

    Attributes:
        low: That value.
    """

    def __init__(self, files: SnippetFiles) -> None:
        samples = files.samples
        self._samples, self.dtype = samples, samples.dtype
        self.shape = (samples.count, samples.shape[0], samples.shape[1])
        self._low = files.lows.read(0, samples.count).min()
        self.low = float(self._low)

    def __getitem__(self, which: slice) -> np.ndarray:
        start, stop, step = which.indices(self.shape[0])
        part: np.ndarray = (self._samples.read(start, stop) - self._low)[::step]
        return part


@dataclass(frozen=True)
class Solution:
    """What the co-alignment found: snippet k becomes scale[k] · values + shift[k].

    Attributes:
        scale, shift: (K,) float64.
        notes: Sentences for the report.
    """

    scale: np.ndarray
    shift: np.ndarray
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, exact."""
        return {"scale": self.scale.tolist(), "shift": self.shift.tolist(), "notes": list(self.notes)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Solution:
        """The inverse of `to_json`.

        Args:
            saved: What `to_json` gave.
        """
        return cls(np.array(saved["scale"]), np.array(saved["shift"]), tuple(saved["notes"]))

    def on_maps(self, rows: SpilledRows) -> Solution:
        """The same for the maps that ``rows`` are samples of.

        Args:
            rows: What it was solved on.
        """
        return Solution(self.scale, self.shift - self.scale * rows.low, self.notes)

    def of_frames(self, plan: SnippetPlan) -> tuple[np.ndarray, np.ndarray]:
        """Mean scale and mean shift (N,) of the snippets that cover each frame.

        Args:
            plan: Of the shot.
        """
        snippets = [slots // plan.length for slots in plan.covering()]
        scale = np.array([self.scale[covering].mean() for covering in snippets])
        return scale, np.array([self.shift[covering].mean() for covering in snippets])


def solve(plan: SnippetPlan, rows: SpilledRows, progress: Progress, *, strict: bool) -> Solution:
    """Co-aligns all snippets of a shot.

    Args:
        plan: Of the shot.
        rows: Samples of all snippets.
        progress: May cancel.
        strict: Whether to take the published solver.

    Raises:
        Cancelled: the user asked to stop.
    """
    snippets = Snippets(plan.count, plan.frames, rows, plan.group)
    solver: Solver = "adam" if strict else "irls"
    found = coalign(snippets, solver=solver, chunk_bytes=_CHUNK_BYTES, check=progress.check)
    return Solution(found.scale, found.shift, found.notes)


def merge_shot(
    maps: FrameArray, plan: SnippetPlan, solution: Solution, out: FrameArray, step: StepOf
) -> None:
    """Writes every missing frame of ``out``: the unweighted mean of all its aligned predictions.

    Args:
        maps: All predictions (K·L, H, W), slot k·L + l of frame ``plan.frames[k, l]``; their dtype is what is
            computed in.
        plan: The snippets.
        solution: Scale and shift of the maps.
        out: (N, H, W).
        step: Makes the context one frame is merged in.
    """
    number = maps.dtype.type
    for frame, slots in enumerate(plan.covering()):
        with step():
            if out.done(frame):
                continue
            total = np.zeros(maps.shape, maps.dtype)
            for slot in slots.tolist():
                snippet = slot // plan.length
                aligned = maps.read(slot)[0] * number(solution.scale[snippet])
                aligned += number(solution.shift[snippet])
                total += aligned
            out.write(frame, total[None] / number(len(slots)))


def spread_of_frames(plan: SnippetPlan, rows: SpilledRows, solution: Solution) -> np.ndarray:
    """Per frame, how far its aligned samples lie from their mean m: mean |y − m| over m's 5..95 % range.

    Args:
        plan: Of the shot.
        rows: Samples of all snippets.
        solution: That of ``rows``.
    """
    spread = np.zeros(plan.count)
    for frame, slots in enumerate(plan.covering()):
        snippets, places = slots // plan.length, slots % plan.length
        x = np.stack([rows[k : k + 1][0, place] for k, place in zip(snippets, places, strict=True)])
        y = solution.scale[snippets, None] * x + solution.shift[snippets, None]
        mean = y.mean(axis=0)
        low, high = np.quantile(mean, (0.05, 0.95))
        spread[frame] = np.abs(y - mean).mean() / max(high - low, 1e-9)
    return spread


def range_of(merged: FrameArray, grid: Grid, *, strict: bool) -> tuple[float, float]:
    """The clip-wide range of merged maps: robust ends; as published, minimum and maximum.

    Args:
        merged: (N, H, W).
        grid: The pixels that count, unless ``strict``.
        strict: Whether to take the published ends.
    """
    frames = (merged.read(index)[0] for index in range(merged.count))
    if strict:
        ends = np.array([(frame.min(), frame.max()) for frame in frames])
        low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    else:
        each = max(1, _MOST_VALUES // merged.count)
        kept = [_thinned(frame[grid].ravel(), each) for frame in frames]
        low, high = (float(end) for end in np.quantile(np.concatenate(kept), _ENDS))
    return low, max(high, low + 1e-6 * max(1.0, abs(low)))


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    return values[:: -(-len(values) // most)].copy()
