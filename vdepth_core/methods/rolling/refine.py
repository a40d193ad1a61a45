"""Refinement of `rolling`: the merged depth goes back into the diffusion, halfway, and out again in R steps.

Every step runs all snippets of one dilation, wide first and neighbours last, each from the *old* latents; a
frame's new latent is the mean over the snippets that cover it. Only the frames a snippet spans have sums in
memory; old and new latents are files, so each step resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...protocols import SnippetModel
from ...runs import batches, missing_runs
from ...store import FrameArray
from ..batching import Batcher
from ..depth_check import DepthCheck
from ..share import Share
from .plan import refinement_dilations, snippets_of
from .predict import gather

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Refinement:
    """One shot's refinement.

    Attributes:
        model: The latent video model.
        folder: Where the depth latents of the steps are kept.
        latents: (N, 4, H/8, W/8) of the pictures.
        noise: What the snippets were predicted with.
        steps: R.
        batcher: Runs the model; batches start at multiples of its size.
        first: Dilation of the first step.
        length: Frames a snippet.
        check: Looks at what comes out.
    """

    model: SnippetModel
    folder: Path
    latents: FrameArray
    noise: Tensor
    steps: int
    batcher: Batcher
    first: int
    length: int
    check: DepthCheck

    def run(self, merged: FrameArray, low: float, high: float, out: FrameArray, share: Share) -> None:
        """Refines a merged shot.

        Args:
            merged: Inverse depth (N, H, W).
            low, high: Its range over the shot.
            out: Gets the result (N, H, W).
            share: Advances by `work` units.

        Raises:
            ResourceError: not even one snippet fits the device's memory.
            WeightsError: what the model gives is no depth.
            Cancelled: the user asked to stop.
        """
        last = self._last_complete()
        if last < 0:
            with self._open(0) as first:
                self._start(merged, low, high, first, share)
            last = 0
        else:
            share.advance(merged.count)
        dilations = refinement_dilations(self.steps, self.first)
        for step in range(self.steps):
            snippets = self._snippets(dilations[step])
            if step < last:
                share.advance(snippets.size)
                continue
            with self._open(step) as old, self._open(step + 1) as new:
                self._step(step, snippets, old, new, share)
            self._remove(step)
        with self._open(self.steps) as depth:
            self._decode(depth, out, share)

    def work(self) -> int:
        """Units ``share`` advances by."""
        dilations = refinement_dilations(self.steps, self.first)
        return 2 * self.latents.count + sum(self._snippets(dilation).size for dilation in dilations)

    def _snippets(self, dilation: int) -> np.ndarray:
        """Of one dilation; where a preset without a cap would leave frames out, which published have no
        latent then, of the longest that covers them all, ⌊N/L⌋.
        """
        count = self.latents.count
        return snippets_of(count, max(1, min(dilation, count // self.length)), self.length)

    def _start(self, merged: FrameArray, low: float, high: float, first: FrameArray, share: Share) -> None:
        import torch

        span, batch = high - low, self.batcher.size
        runs = missing_runs(merged.count, batch, first.done)
        share.skip(merged.count, runs)
        for start, stop in batches(runs, batch):
            share.progress.check()
            disparity = (merged.read(start, stop) - low) / span * 2.0 - 1.0
            disparity = np.pad(disparity, ((0, 0), *((0, -side % 8) for side in merged.shape)), "edge")
            first.write(start, self._call(self._encode, torch.from_numpy(disparity)))
            share.advance(stop - start)

    def _encode(self, disparity: Tensor) -> Tensor:
        return self.model.start_refinement(disparity, self.noise, self.steps)

    def _step(self, step: int, snippets: np.ndarray, old: FrameArray, new: FrameArray, share: Share) -> None:
        missing = new.missing()
        if not missing:
            share.advance(snippets.size)
            return
        batch, reach = self.batcher.size, int(snippets[0, -1])
        # The first snippet that covers a missing frame, and the batch it is in.
        begin = max(0, missing[0] - reach) // batch * batch
        share.advance(snippets[:begin].size)
        sums: dict[int, np.ndarray] = {}
        votes: dict[int, int] = {}
        for start in range(begin, len(snippets), batch):
            share.progress.check()
            frames = snippets[start : start + batch]
            stepped = self._call(
                lambda rgb, depth: self.model.refine_snippets(rgb, depth, step, self.steps),
                gather(self.latents, frames),
                gather(old, frames),
            )
            for frame, latent in zip(frames.ravel().tolist(), stepped.reshape(-1, *new.shape), strict=True):
                sums[frame] = sums[frame] + latent if frame in sums else latent
                votes[frame] = votes.get(frame, 0) + 1
            # Snippets come in the order of their first frames: what lies before the next one is complete.
            after = start + len(frames)
            for frame in [frame for frame in sums if frame < after or after == len(snippets)]:
                total, count = sums.pop(frame), votes.pop(frame)
                if frame >= missing[0]:
                    new.write(frame, (total / count)[None])
            share.advance(frames.size)

    def _decode(self, depth: FrameArray, out: FrameArray, share: Share) -> None:
        import torch

        batch = self.batcher.size
        runs = missing_runs(depth.count, batch, out.done)
        share.skip(depth.count, runs)
        for start, stop in batches(runs, batch):
            share.progress.check()
            maps = self._call(self.model.decode, torch.from_numpy(depth.read(start, stop)))
            said = maps[:, : out.shape[0], : out.shape[1]]
            out.write(start, self.check.repaired(said, range(start, stop)))
            share.advance(stop - start)
        self.check.varied(out, range(out.count))

    def _call(self, function: Callable[..., Tensor], *items: Tensor) -> np.ndarray:
        """``function`` of tensors where and as the model wants them."""
        result = self.batcher(lambda *parts: function(*(part.to(self.noise) for part in parts)), *items)
        return np.asarray(result.numpy())

    def _path(self, step: int) -> Path:
        return self.folder / f"depth_{step:03d}"

    def _open(self, step: int) -> FrameArray:
        dtype = self.latents.dtype.str
        return FrameArray(self._path(step), self.latents.count, self.latents.shape, dtype)

    def _last_complete(self) -> int:
        """The latest step whose latents are all there, −1 when there is none."""
        for step in range(self.steps, -1, -1):
            if self._path(step).exists():
                with self._open(step) as latents:
                    if not latents.missing():
                        return step
        return -1

    def _remove(self, step: int) -> None:
        path = self._path(step)
        path.unlink()
        path.with_suffix(path.suffix + ".crc").unlink()
