"""What latent models share: every picture of a shot becomes a latent once, in a file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from typing import TYPE_CHECKING

from ..runs import missing_runs
from .batching import Batcher
from .frames import decode_batches
from .share import Share

if TYPE_CHECKING:
    from torch import Tensor

    from ..protocols import ClipDiffusionModel, ShotFrames, SnippetModel
    from ..store import DepthStore, FrameArray


def encode_shot(
    shot: ShotFrames,
    model: SnippetModel | ClipDiffusionModel,
    store: DepthStore,
    latents: FrameArray,
    batcher: Batcher,
    share: Share,
    noise: Callable[[int, int], Tensor] | None = None,
    wanted: Collection[int] | None = None,
) -> None:
    """Decodes every frame once and fills ``latents`` and ``store.luma``.

    Args:
        shot: Its frames.
        model: Encodes them.
        store: The shot's; gets the luma.
        latents: Gets the latents.
        batcher: Says how many frames fit.
        share: Advances by one a frame.
        noise: Of frames [start, stop) in order, for an encoder that samples; None: it does not.
        wanted: The frames to do, with others of their batches; None: all.

    Raises:
        InputError: the clip gave fewer frames than the shot has.
        ResourceError: not even one frame fits the device's memory.
        Cancelled: the user asked to stop.
    """
    size = batcher.size
    frames = range(store.count) if wanted is None else wanted

    def is_done(index: int) -> bool:
        return index not in frames or (latents.done(index) and store.luma.done(index))

    runs = missing_runs(store.count, size, is_done)
    share.skip(max(len(frames), sum(stop - start for start, stop in runs)), runs)
    for start, stop in runs:
        with closing(decode_batches(shot, model, store, start, stop, size)) as source:
            for item in source:
                share.progress.check()
                sampled = () if noise is None else (noise(item.start, item.start + len(item.frames)),)
                encoded = batcher(model.encode, item.frames, *sampled)
                store.luma.write(item.start, item.luma)
                latents.write(item.start, encoded.numpy())
                share.advance(len(encoded))
