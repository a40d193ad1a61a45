"""A latent video model without a network, whose every answer shows what it was asked."""

from __future__ import annotations

import torch

from vdepth_core.types import ModelSpec


class FakeClip:
    """Latents are the small picture; depth latents remember the noise and the context they came from.

    Attributes:
        left: Windows until it stops; None: never.
        asked: (frames in the window, context, new) of every call.
        decoded: Frames of every call of `decode`.
    """

    def __init__(self, left: int | None = None) -> None:
        self.spec = ModelSpec(
            "fake-clip", "depth", "affine_invariant", "CC0", True, 10, multiple=8, native_size=64
        )
        self.device, self.left = "cpu", left
        self.asked: list[tuple[int, int, int]] = []
        self.decoded: list[int] = []

    def stop(self) -> None:
        raise KeyboardInterrupt

    def predict(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.mean(1)

    def latent_size(self, height: int, width: int) -> tuple[int, int]:
        return -(-height // 8), -(-width // 8)

    def encode(self, frames: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        size = self.latent_size(*frames.shape[2:])
        small = torch.nn.functional.interpolate(frames, size, mode="area")
        latents = torch.cat([small, small[:, :1]], 1)
        return latents if noise is None else latents + 0.1 * noise

    def denoise(self, latents, context, noise, *, steps, sampler, again=None):  # type: ignore[no-untyped-def]
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.stop()
        self.asked.append((len(latents), len(context), len(noise)))
        before = context.mean() if len(context) else torch.tensor(0.0)
        if again is not None:
            before = before + 0.01 * again.sum(0).mean()
        return latents[-len(noise) :] + 0.3 * before + 0.05 * noise

    def decode(self, depth_latents: torch.Tensor) -> torch.Tensor:
        self.decoded.append(len(depth_latents))
        along = depth_latents.mean(0, keepdim=True)  # it looks along time
        maps = (0.8 * depth_latents + 0.2 * along).mean(1, keepdim=True)
        return torch.nn.functional.interpolate(maps, scale_factor=8, mode="bilinear")[:, 0]
