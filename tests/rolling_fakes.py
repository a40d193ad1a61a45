"""A shot of smooth random pictures, and a latent video model whose every snippet is a known affine of a known
truth.
"""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from vdepth_core.methods.rolling.method import Rolling
from vdepth_core.methods.rolling.options import RollingOptions
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore
from vdepth_core.types import ClipInfo, Frame, ModelSpec, Shot, ShotAlignment

Said = tuple[np.ndarray, ShotAlignment]

SIZE = (48, 64)


def rolling(preset: str = "fast", **options: Any) -> Rolling:
    """The method with some options."""
    return Rolling(RollingOptions(preset=preset, **options))


class Footage:
    """A shot of ``count`` pictures; remembers which were decoded."""

    def __init__(self, count: int, start: int = 0, size: tuple[int, int] = SIZE) -> None:
        self.shot = Shot(0, start, start + count)
        self.size = size
        self.info = ClipInfo(Path("clip.mp4"), "movie", "clip", size[1], size[0], Fraction(1), Fraction(24))
        self.decoded: list[int] = []

    def __len__(self) -> int:
        return len(self.shot)

    def picture(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8."""
        coarse = np.random.default_rng(self.shot.start + index).integers(0, 256, (7, 9, 3), np.uint8)
        return cv2.resize(coarse, self.size[::-1], interpolation=cv2.INTER_CUBIC)

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        for index in range(start, len(self) if stop is None else stop):
            self.decoded.append(index)
            yield Frame(self.shot.start + index, Fraction(index, 24), index, self.picture(index))


class FakeSnippets:
    """Snippet k of frames with latents z says a·truth(z) + b, where a and b depend on all of its frames.

    Attributes:
        noisy: Standard deviation of what a prediction also has, different for every snippet.
        batches: Snippets of every call of `predict_snippets`.
        steps, denoised: Snippets refined; denoising steps last asked for.
        most: Snippets that fit its memory; twice as many in low-memory mode.
    """

    def __init__(self, noisy: float = 0.0, most: float = 1e9) -> None:
        self.spec = ModelSpec(
            "fake-snippets",
            "disparity",
            "affine_invariant",
            "CC0",
            True,
            window=3,
            multiple=8,
            native_size=64,
        )
        self.device, self.low_memory = "cpu", False
        self.noisy, self.most, self.batches = noisy, most, list[int]()
        self.steps = self.denoised = 0

    def predict(self, frames: Tensor) -> Tensor:
        """One snippet, as the probe for the number of threads asks."""
        return self.predict_snippets(self.encode(frames)[None], torch.zeros(1))[0]

    @staticmethod
    def truth(latents: Tensor) -> Tensor:
        """Disparity (T, H, W) that latents (T, 4, h, w) stand for."""
        return interpolate(latents[:, :1] + 0.5 * latents[:, 1:2], scale_factor=8, mode="bilinear")[:, 0]

    def encode(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[2:]
        pooled = avg_pool2d(pad(frames, (0, -width % 8, 0, -height % 8), mode="replicate"), 8)
        return torch.cat([pooled, pooled.mean(1, keepdim=True)], 1)

    def noise(self, height: int, width: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn((1, 4, -(-height // 8), -(-width // 8)), generator=generator)

    def predict_snippets(self, latents: Tensor, noise: Tensor, steps: int = 1) -> Tensor:
        if len(latents) > self.most * (2 if self.low_memory else 1):
            raise torch.cuda.OutOfMemoryError("no")
        self.batches.append(len(latents))
        self.denoised = steps
        return torch.stack([self._snippet(snippet, noise) for snippet in latents])

    def _snippet(self, latents: Tensor, noise: Tensor) -> Tensor:
        mood = (latents.double().mean() * 977).frac()
        truth = self.truth(latents)
        said = truth * (0.6 + mood) + 3 * (1 - mood) - 2
        return (said + self.noisy * noise.mean() * torch.sin(40 * mood + 30 * truth)).float()

    def start_refinement(self, disparity: Tensor, noise: Tensor, steps: int) -> Tensor:
        return avg_pool2d(disparity[:, None], 8).repeat(1, 4, 1, 1) + noise / steps

    def refine_snippets(self, latents: Tensor, depth_latents: Tensor, step: int, steps: int) -> Tensor:
        self.steps += len(latents)
        together = depth_latents.mean(1, keepdim=True) + 0.1 * latents
        return depth_latents + (together - depth_latents) * (step + 1) / (2 * steps)

    def decode(self, depth_latents: Tensor) -> Tensor:
        return self.truth(depth_latents)


def estimate(
    folder: Path,
    shot: Footage,
    model: object,
    method: Rolling | None = None,
    progress: Progress | None = None,
) -> Said:
    """Runs and settles one shot: final maps (N, H, W) and what was done."""
    method, progress = method or rolling(), progress or Progress()
    with DepthStore(folder, len(shot), *shot.size) as store:
        method.run(shot, model, store, progress)  # type: ignore[arg-type]
        result = method.settle(shot.shot, model.spec, store, progress)  # type: ignore[attr-defined]
        if method.refines:
            method.refine(shot, model, store, progress)  # type: ignore[arg-type]
        return store.final.read(0, len(shot)), result
