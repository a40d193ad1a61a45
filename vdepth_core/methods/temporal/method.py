"""`temporal`: temporally consistent depth from any per-frame model.

The model runs frame by frame. Then, from the stored predictions alone: scale and shift of all frames are
solved together (`align.pairs`), and a motion-compensated temporal filter (`stabilize`) takes out what is left
of the flicker. Nothing is normalised per frame, and memory depends on the picture's size only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...align.pairs import Alignment, solve
from ...flow.dis import MIN_SIDE
from ...types import ShotAlignment
from ..frames import predict_shot, to_disparity
from ..framewise import SETTLE, Framewise
from ..ranges import RangedPerFrame
from .filter import stabilize
from .flows import Flows
from .matching import MatchAhead, Matches, match_shot
from .options import TemporalOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ...progress import Progress
    from ...protocols import DepthModel, ShotFrames
    from ...store import DepthStore
    from ...types import ModelSpec, Shot


class Temporal(RangedPerFrame):
    """Per-frame inference, co-alignment of the whole shot, and a temporal filter."""

    name = "temporal"
    Options = TemporalOptions

    def __init__(self, options: TemporalOptions | None = None) -> None:
        given = options or TemporalOptions()
        self.options = given.model_copy(update={"stabilize": given.stabilize or "filter"})
        self._ahead: dict[Path, MatchAhead] = {}

    def run(self, shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress) -> None:
        """Predicts every frame into ``store.raw``; see `Method.run` and, for its errors, `predict_shot`."""
        if not self._aligns(store):
            predict_shot(shot, model, store, progress, self.options.batch)
            return
        scale_only = model.spec.space != "affine_invariant"
        ahead = MatchAhead(store, _disparity(store, model.spec), scale_only, progress)
        try:
            predict_shot(shot, model, store, progress, self.options.batch)
        except BaseException:
            ahead.abandon()
            raise
        self._ahead[store.folder] = ahead

    def settle(self, shot: Shot, spec: ModelSpec, store: DepthStore, progress: Progress) -> ShotAlignment:
        """Co-aligns and filters the shot from ``store`` alone; see `Method.settle`.

        Raises:
            Cancelled: the user asked to stop.
        """
        if not self._aligns(store):
            return Framewise().settle(shot, spec, store, progress)
        scale_only = spec.space != "affine_invariant"
        disparity = _disparity(store, spec)
        ahead = self._ahead.pop(store.folder, None)
        flows = ahead.flows if ahead else Flows(store)
        matches = ahead.result() if ahead else match_shot(store, disparity, scale_only, progress, flows=flows)
        alignment = solve(store.count, matches.pairs, matches.still, scale_only=scale_only)
        floor = _floor(matches, alignment) if not scale_only else 0.0

        def aligned(t: int) -> np.ndarray:
            out = disparity(t) * np.float32(alignment.scale[t])
            if scale_only:
                return out
            out += np.float32(alignment.shift[t])
            return np.maximum(out, floor, out=out)

        smooth = self.options.stabilize == "filter"
        curves = stabilize(store, flows, disparity, aligned, alignment, progress, SETTLE, smooth=smooth)
        return ShotAlignment(
            tuple(alignment.scale.tolist()),
            tuple(alignment.shift.tolist()),
            {
                "residual_before": tuple(curves.before.tolist()),
                "residual_after": tuple(curves.after.tolist()),
                "visible": tuple(curves.visible.tolist()),
            },
            _notes(alignment),
        )

    def _aligns(self, store: DepthStore) -> bool:
        """Whether there is anything to do, in a picture large enough to track something in it."""
        return self.options.stabilize != "off" and min(store.height, store.width) >= MIN_SIDE


def _disparity(store: DepthStore, spec: ModelSpec) -> Callable[[int], np.ndarray]:
    """Frame index -> the model's own disparity (h, w)."""
    return lambda t: to_disparity(store.raw.read(t)[0], spec)


def _floor(matches: Matches, alignment: Alignment) -> np.float32:
    """The far end of a shot whose model clamps at 0: one value, or the shifts would make the sky flicker."""
    clamped = matches.clamped > 0.005
    if not clamped.any():
        return np.float32(-np.inf)
    return np.float32(np.quantile(alignment.shift[clamped], 0.9))


def _notes(alignment: Alignment) -> tuple[str, ...]:
    alone = int(alignment.alone.sum())
    if not alone or len(alignment.alone) == 1:
        return ()
    frames, its = ("1 frame", "its") if alone == 1 else (f"{alone} frames", "their")
    return (f"{frames} could not be matched to any other (black or flat); {its} scale was interpolated.",)
