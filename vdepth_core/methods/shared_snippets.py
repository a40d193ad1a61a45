"""`rolling` with a per-frame model: every snippet shares the predictions of its frames.

So the co-alignment of `rolling` runs with any model there is. No map is spilled: what a frame becomes is a
scale and a shift of its one prediction.
"""

from __future__ import annotations

import numpy as np

from ..progress import Progress
from ..store import DepthStore, FrameArray
from ..types import ModelSpec, ShotAlignment
from .framewise import SETTLE
from .inference import to_disparity
from .rolling_merge import solve, spread_of_frames
from .rolling_result import load_result, save_result
from .snippets import SnippetPlan
from .spill import Grid, SpillFolder

_LOW, _HIGH = 0.02, 0.98  # quantiles: how latent diffusion depth is normalised in training (Ke et al., 2024)


class SharedRows:
    """Samples of snippets that share their frames' predictions.

    A relative snippet model would put each snippet into a chart of its own; here that is its robust range:
    the 2 % quantile of its frames becomes 0, the 98 % quantile 1.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, samples: FrameArray, plan: SnippetPlan) -> None:
        """``samples``: (N, P) of the frames."""
        self._samples, self._frames = samples, plan.frames
        self.shape = (len(plan), plan.length, samples.shape[0])
        self.low, self.span = np.empty(len(plan)), np.empty(len(plan))
        for snippet in range(len(plan)):
            low, high = np.quantile(self._read(snippet), (_LOW, _HIGH))
            flat = high - low <= 1e-6 * max(abs(low), abs(high))
            self.low[snippet], self.span[snippet] = low, 1.0 if flat else high - low

    def __getitem__(self, which: slice) -> np.ndarray:
        rows = [(self._read(k) - self.low[k]) / self.span[k] for k in range(*which.indices(self.shape[0]))]
        return np.asarray(rows, self.dtype).reshape(-1, *self.shape[1:])

    def _read(self, snippet: int) -> np.ndarray:
        return np.concatenate([self._samples.read(int(f)) for f in self._frames[snippet]]).astype(np.float64)


def settle_shared(
    store: DepthStore, plan: SnippetPlan, spec: ModelSpec, grid: Grid, progress: Progress, *, strict: bool
) -> ShotAlignment:
    """Fills ``store.final`` from ``store.raw``.

    A model that knows its scale (metric, scale-invariant) gives all snippets of a frame the same values:
    there is nothing to solve, and a scale to lose. Any other's snippets are put into charts of their own and
    co-aligned; then the clip goes back to the model's own numbers, in that the median frame keeps its scale
    and its shift.

    Args:
        store: The shot's.
        plan: Its snippets.
        spec: The model's.
        grid: Where predictions are sampled.
        progress: Advanced by one a frame.
        strict: Take the published solver.

    Raises:
        Cancelled: the user asked to stop.
    """
    result = load_result(store)
    if result is None:
        if spec.space == "affine_invariant":
            scale, shift, spread, notes = _align(store, plan, spec, grid, progress, strict)
        else:
            scale, shift, spread, notes = np.ones(plan.count), np.zeros(plan.count), np.zeros(plan.count), ()
        result = save_result(store, plan, scale, shift, spread, notes)
    for frame in range(store.count):
        with progress.step(SETTLE):
            if not store.final.done(frame):
                final = to_disparity(store.raw.read(frame), spec) * np.float32(result.scale[frame])
                store.final.write(frame, final + np.float32(result.shift[frame]))
    return result


def _align(
    store: DepthStore, plan: SnippetPlan, spec: ModelSpec, grid: Grid, progress: Progress, strict: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Scale, shift and spread (N,) of the frames, and the solver's notes."""
    spill = SpillFolder(store.folder)
    spill.path.mkdir(exist_ok=True)
    shape = (store.raw.read(0)[0][grid].size,)
    with FrameArray(spill.path / "samples", store.count, shape, "<f4") as samples:
        for frame in range(store.count):
            progress.check()
            samples.write(frame, to_disparity(store.raw.read(frame)[0][grid], spec).reshape(1, -1))
        rows = SharedRows(samples, plan)
        found = solve(plan, rows, progress, strict=strict)
        spread = spread_of_frames(plan, rows, found)
        scale, shift = found.on_maps(rows).of_frames(plan)
    spill.drop()
    shift = shift / np.median(scale)
    return scale / np.median(scale), shift - np.median(shift), spread, found.notes
