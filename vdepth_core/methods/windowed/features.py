"""What the network's first half says of each frame, computed once and kept as long as a window wants it."""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import TYPE_CHECKING

from ..frames import FrameBatch, decode_batches

if TYPE_CHECKING:
    from torch import Tensor

    from ...protocols import ShotFrames, WindowModel
    from ...store import DepthStore
    from ..batching import Batcher
    from ..share import Share


class Features:
    """Features of a shot's frames, in host memory: those of a window, and of a batch beyond it.

    Frames are encoded in batches that start at multiples of their size, so a resumed job, which begins
    somewhere, computes the same bits.

    Attributes:
        encoded: How many frames were.
    """

    def __init__(
        self, shot: ShotFrames, model: WindowModel, store: DepthStore, batcher: Batcher, share: Share
    ) -> None:
        """Takes where frames come from.

        Args:
            shot: Its frames.
            model: Prepares and encodes them.
            store: The shot's; gets the luma.
            batcher: Says how many frames a batch has, and how many fit.
            share: Advances by one a frame.
        """
        self._shot, self._model, self._store, self._share = shot, model, store, share
        self._batcher = batcher
        self._kept: dict[int, tuple[Tensor, ...]] = {}
        self._source: Generator[FrameBatch] | None = None
        self._next = -1
        self.encoded = 0

    def of(self, frames: Collection[int], later: Collection[int]) -> tuple[Tensor, ...]:
        """Features of a window's frames in their order, (T, ...) each.

        Args:
            frames: Of the shot; may name one more than once.
            later: Those of the next window: what it does not want either is forgotten.

        Raises:
            InputError: the clip gave fewer frames than the shot has.
            ResourceError: not even one frame fits the device's memory.
            Cancelled: the user asked to stop.
        """
        import torch

        for frame in sorted(set(frames)):
            if frame not in self._kept:
                self._encode(frame // self._batcher.size * self._batcher.size)
        found = [self._kept[frame] for frame in frames]
        wanted, end = set(later), max(frames)
        self._kept = {frame: kept for frame, kept in self._kept.items() if frame in wanted or frame > end}
        return tuple(torch.cat(level) for level in zip(*found, strict=True))

    def close(self) -> None:
        """Puts the decoder to rest."""
        if self._source is not None:
            self._source.close()

    def _encode(self, start: int) -> None:
        self._share.progress.check()
        if start != self._next:
            self.close()
            size = self._batcher.size
            self._source = decode_batches(
                self._shot, self._model, self._store, start, self._store.count, size
            )
        assert self._source is not None
        item = next(self._source)
        features = self._batcher.several(self._model.encode, item.frames)
        self._store.luma.write(item.start, item.luma)
        count = len(item.frames)
        for index in range(count):
            self._kept[item.start + index] = tuple(part[index : index + 1].clone() for part in features)
        self._next = item.start + count
        self.encoded += count
        self._share.advance(count)
