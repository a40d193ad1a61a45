"""Last part of `chrono`: depth latents become maps, in chunks that fade into each other.

The decoder looks along time, and at the ends of a chunk into nothing. Published, chunks of 8 stand side by
side, and every eighth frame jumps. Ours share frames, of which each chunk's share falls linearly towards its
end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .plan import plan_chunks

if TYPE_CHECKING:
    from ...protocols import ClipDiffusionModel
    from ...store import DepthStore, FrameArray
    from ..batching import Batcher
    from ..depth_check import DepthCheck
    from ..share import Share


def decode_shot(
    model: ClipDiffusionModel,
    depth: FrameArray,
    store: DepthStore,
    batcher: Batcher,
    share: Share,
    check: DepthCheck,
    overlap: int,
) -> None:
    """Fills ``store.raw`` from depth latents; what is there stays.

    Args:
        model: Decodes them.
        depth: (N, 4, h, w).
        store: Of the shot.
        batcher: Runs the model.
        share: Advances by one a frame.
        check: Looks at the maps.
        overlap: Frames that neighbouring chunks share.

    Raises:
        ResourceError: a chunk does not fit the device's memory.
        WeightsError: what the model gives is no depth.
        Cancelled: the user asked to stop.
    """
    import torch

    def decode(start: int, stop: int) -> np.ndarray:
        maps = batcher(model.decode, torch.from_numpy(depth.read(start, stop))).float().numpy()
        return np.asarray(maps[:, : store.height, : store.width])

    chunks = plan_chunks(store.count, overlap)
    before: np.ndarray | None = None  # what the last chunk says of the frames it shares with this one
    for index, (start, stop) in enumerate(chunks):
        share.progress.check()
        final = range(start, stop if index == len(chunks) - 1 else stop - overlap)
        if all(map(store.raw.done, final)):
            before = None
        else:
            if index and overlap and before is None:
                before = decode(*chunks[index - 1])[-overlap:]
            maps = decode(start, stop)
            if before is not None:
                maps[:overlap] = faded(before, maps[:overlap])
            store.raw.write(start, check.repaired(maps[: len(final)], final))
            before = maps[len(final) :].copy() if overlap else None
        share.advance(len(final))
    check.varied(store.raw, range(store.count))


def faded(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Maps (n, h, w) that go from one chunk's to the next one's, linearly.

    Args:
        before, after: What either says of the frames they share.
    """
    share = np.arange(1, len(after) + 1, dtype=np.float32) / np.float32(len(after) + 1)
    return np.asarray(before + (after - before) * share[:, None, None])
