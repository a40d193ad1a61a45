"""First part of `rolling` with a latent video model: latents to snippets, all spilled."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ...runs import batches, missing_runs
from ..batching import Batcher
from ..depth_check import DepthCheck
from ..share import Share
from ..spill import Grid
from .plan import SnippetPlan
from .spill import SnippetFiles

if TYPE_CHECKING:
    from torch import Tensor

    from ...protocols import SnippetModel
    from ...store import FrameArray


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
    within: range | None = None,
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
        within: Only these snippets, from a multiple of the batch on; None: all.

    Raises:
        ResourceError: not even one snippet fits the device's memory.
        WeightsError: what the model gives is no depth.
        Cancelled: the user asked to stop.
    """
    size = batcher.size
    writing: Future[None] | None = None
    wanted = range(len(plan)) if within is None else within
    runs = missing_runs(len(plan), size, lambda snippet: snippet not in wanted or files.done(snippet))
    share.skip(len(wanted), runs, plan.length)
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
    if within is None:
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
