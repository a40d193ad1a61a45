"""A long shot in ranges: what a method offers that lets several machines predict one shot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..protocols import Method
from .frames import batch_of, predict_shot
from .per_frame import PerFrame

if TYPE_CHECKING:
    from ..progress import Progress
    from ..protocols import DepthModel, ShotFrames
    from ..store import DepthStore
    from ..types import ModelSpec


@runtime_checkable
class RangedMethod(Method, Protocol):
    """A method whose `run` may be done in ranges of a shot, each into a store of its own, anywhere.

    In a store that has gathered all of them, `run` leaves what it would have left without them, to the byte;
    of what it still misses it predicts the rest. All that follows (`settle`, refining, writing) sees the
    whole shot, and is done in one place.
    """

    def step(self, spec: ModelSpec, device: str) -> int:
        """Ranges begin at multiples of so many frames.

        Args:
            spec: Of the model.
            device: Where it runs.
        """

    def run_range(
        self, shot: ShotFrames, model: DepthModel, store: DepthStore, frames: range, progress: Progress
    ) -> None:
        """Does what is a range's of `run`; refuses nothing that only the whole shot can tell.

        Args:
            shot, model: As of `run`.
            store: The range's own, as large as the shot's.
            frames: Of the shot, from 0.
            progress: As of `run`.
        """

    def gather(self, spec: ModelSpec, store: DepthStore, part: DepthStore) -> None:
        """Takes from a range's store what the shot's lacks.

        Args:
            spec: Of the model.
            store: The shot's.
            part: The range's.
        """


class RangedPerFrame(PerFrame):
    """A method that predicts into ``store.raw`` frame by frame, as `predict_shot` does."""

    def step(self, spec: ModelSpec, device: str) -> int:
        """A batch, or a chain of frames; see `RangedMethod.step`."""
        return batch_of(spec, device.startswith("cuda"), self._batch)

    def run_range(
        self, shot: ShotFrames, model: DepthModel, store: DepthStore, frames: range, progress: Progress
    ) -> None:
        """Predicts the frames into ``store.raw``; see `RangedMethod.run_range` and `predict_shot`."""
        predict_shot(shot, model, store, progress, self._batch, frames)

    def gather(self, spec: ModelSpec, store: DepthStore, part: DepthStore) -> None:
        """Takes predictions, luma and fields of view; see `RangedMethod.gather`."""
        store.luma.take(part.luma)
        store.fov.take(part.fov)
        store.raw.take(part.raw)

    @property
    def _batch(self) -> int | None:
        batch: int | None = getattr(self, "options").batch  # noqa: B009  (of the method's own class)
        return batch
