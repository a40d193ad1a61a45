"""`framewise`: every frame by itself. The baseline, and the right choice for stills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..types import ShotAlignment
from .frames import predict_shot, to_disparity
from .options import FramewiseOptions
from .ranges import RangedPerFrame

if TYPE_CHECKING:
    from ..progress import Progress
    from ..protocols import DepthModel, ShotFrames
    from ..store import DepthStore
    from ..types import ModelSpec, Shot

SETTLE = "settle"


class Framewise(RangedPerFrame):
    """Runs a per-frame model over the shot; the predictions stay as they are."""

    name = "framewise"
    Options = FramewiseOptions

    def __init__(self, options: FramewiseOptions | None = None) -> None:
        self.options = options or FramewiseOptions()

    def run(self, shot: ShotFrames, model: DepthModel, store: DepthStore, progress: Progress) -> None:
        """Predicts every frame into ``store.raw``; see `Method.run` and, for its errors, `predict_shot`."""
        predict_shot(shot, model, store, progress, self.options.batch)

    def settle(self, shot: Shot, spec: ModelSpec, store: DepthStore, progress: Progress) -> ShotAlignment:
        """Writes every raw prediction as it is; see `Method.settle` and `settle_as_it_is`."""
        return settle_as_it_is(spec, store, progress)


def settle_as_it_is(spec: ModelSpec, store: DepthStore, progress: Progress) -> ShotAlignment:
    """Writes every raw prediction as `to_disparity` gives it to ``store.final``.

    Args:
        spec: The model it was predicted by.
        store: Of the shot.
        progress: Told of each frame, stage ``settle``.

    Raises:
        Cancelled: the user asked to stop.
    """
    for index in range(store.count):
        if store.final.done(index):
            progress.skip(SETTLE)
            continue
        with progress.step(SETTLE):
            store.final.write(index, to_disparity(store.raw.read(index), spec))
    return ShotAlignment((1.0,) * store.count, (0.0,) * store.count)
