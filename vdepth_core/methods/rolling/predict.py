"""First part of `rolling` with a latent video model: pictures to latents to snippets, all spilled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ...runs import batches, missing_runs
from ..batching import Batcher
from ..depth_check import DepthCheck
from ..frames import STAGE, decode_batches
from .plan import SnippetPlan
from .spill import Grid, SnippetFiles

if TYPE_CHECKING:
    from torch import Tensor

    from ...progress import Progress
    from ...protocols import ShotFrames, SnippetModel
    from ...store import DepthStore, FrameArray


class Share:
    """Advances a stage, which counts frames, in proportion to work of another kind; thread-safe.

    Attributes:
        progress: Whom it tells.
    """

    def __init__(self, progress: Progress, frames: int, work: int, stage: str = STAGE) -> None:
        """``frames`` are told to ``stage`` by the time ``work`` units are done."""
        self.progress, self._frames, self._work, self._stage = progress, frames, work, stage
        self._done = self._told = 0
        self._lock = threading.Lock()

    def advance(self, work: int) -> None:
        """``work`` more units are done.

        Args:
            work: In the units of the work.
        """
        with self._lock:
            self._done += work
            told = self._frames * min(self._done, self._work) // self._work
            if told > self._told:
                self.progress.advance(self._stage, told - self._told)
                self._told = told

    @contextmanager
    def step(self) -> Iterator[None]:
        """One unit of work: checks for cancellation before it, advances after it."""
        self.progress.check()
        yield
        self.advance(1)

    def skip(self, count: int, runs: list[tuple[int, int]], weight: int = 1) -> None:
        """All but some items were done before.

        Args:
            count: How many items there are.
            runs: [start, stop) of those that are still to be done.
            weight: Units of work an item.
        """
        self.advance((count - sum(stop - start for start, stop in runs)) * weight)

    def finish(self) -> None:
        """All units are done."""
        self.advance(self._work - self._done)


def encode_shot(
    shot: ShotFrames,
    model: SnippetModel,
    store: DepthStore,
    latents: FrameArray,
    batcher: Batcher,
    share: Share,
) -> None:
    """Decodes every frame once and fills ``latents`` and ``store.luma``.

    Args:
        shot: Its frames.
        model: Encodes them.
        store: The shot's; gets the luma.
        latents: Gets the latents.
        batcher: Says how many frames fit.
        share: Advances by one a frame.

    Raises:
        InputError: the clip gave fewer frames than the shot has.
        ResourceError: not even one frame fits the device's memory.
        Cancelled: the user asked to stop.
    """
    size = batcher.size
    runs = missing_runs(store.count, size, lambda index: latents.done(index) and store.luma.done(index))
    share.skip(store.count, runs)
    for start, stop in runs:
        with closing(decode_batches(shot, model, store, start, stop, size)) as source:
            for item in source:
                share.progress.check()
                encoded = batcher(model.encode, item.frames)
                store.luma.write(item.start, item.luma)
                latents.write(item.start, encoded.numpy())
                share.advance(len(encoded))


def predict_snippets(
    model: SnippetModel,
    plan: SnippetPlan,
    files: SnippetFiles,
    grid: Grid,
    noise: Tensor,
    batcher: Batcher,
    share: Share,
    steps: int,
    check: DepthCheck,
) -> None:
    """Predicts every missing snippet into ``files``: its maps, their samples and its smallest value.

    Batches start at multiples of the batch size, so a resumed job runs the same batches. A batch is written
    while the next one is predicted.

    Args:
        model: Predicts them.
        plan: Which frames make a snippet.
        files: Latents to read, and room for the maps.
        grid: Where a map is sampled.
        noise: What all snippets share.
        batcher: Says how many snippets fit.
        share: Advances by one a map.
        steps: Denoising steps.
        check: Looks at what they give.

    Raises:
        ResourceError: not even one snippet fits the device's memory.
        WeightsError: what the model gives is no depth.
        Cancelled: the user asked to stop.
    """
    size = batcher.size
    writing: Future[None] | None = None
    runs = missing_runs(len(plan), size, files.done)
    share.skip(len(plan), runs, plan.length)
    with ThreadPoolExecutor(1, "vdepth-write") as writer:
        try:
            for start, stop in batches(runs, size):
                share.progress.check()
                latents = gather(files.latents, plan.frames[start:stop])
                raw = batcher(
                    lambda part: model.predict_snippets(part.to(noise), noise, steps), latents
                ).numpy()
                raw = raw[..., : files.maps.shape[0], : files.maps.shape[1]]  # without the model's padding
                said = raw.reshape(-1, *files.maps.shape)
                maps = check.repaired(said, plan.frames[start:stop].ravel().tolist())
                if writing is not None:
                    writing.result()
                writing = writer.submit(_write, files, start, maps.reshape(raw.shape), grid, share)
        finally:
            if writing is not None:
                writing.result()
    check.varied(files.maps, plan.frames.ravel().tolist())


def gather(latents: FrameArray, frames: np.ndarray) -> Tensor:
    """Latents of snippets: frame indices (B, n) -> (B, n, 4, h, w) on the CPU; each frame is read once.

    Args:
        latents: (N, 4, h, w), one a frame of the shot.
        frames: Of B snippets of n frames.
    """
    import torch

    unique, where = np.unique(frames, return_inverse=True)
    values = np.concatenate([latents.read(int(frame)) for frame in unique])
    return torch.from_numpy(values[where.reshape(frames.shape)])


def _write(files: SnippetFiles, start: int, maps: np.ndarray, grid: Grid, share: Share) -> None:
    count, length = maps.shape[:2]
    files.maps.write(start * length, maps.reshape(-1, *maps.shape[2:]))
    files.samples.write(start, maps[:, :, grid[0], grid[1]].reshape(count, length, -1))
    files.lows.write(start, maps.reshape(count, -1).min(axis=1))
    share.advance(count * length)
