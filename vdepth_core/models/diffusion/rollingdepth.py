"""RollingDepth (Ke et al., Video Depth without Video Models, CVPR 2025): inverse depth of snippets of frames.

A latent diffusion model that sees up to three frames at once through cross-frame attention and needs one DDIM
step. A snippet has a scale and shift of its own; the method `rolling` aligns and merges them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...types import ModelSpec
from .latent import NATIVE, find_dtype, folder_spec, loaded_spec, place, seeded_noise
from .parts import LATENT_CHANNELS, SCALE, Parts, find_folder, make_scheduler, read_parts

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FACTS: Mapping[str, Any] = {"window": 3, **NATIVE}


class RollingDepthModel:
    """RollingDepth as a `DepthModel`, and as what the method `rolling` takes apart.

    Latents, noise and disparities are float32 whatever the networks compute in (float64 for a model in fp64).
    Frames of any size are taken: they are padded to multiples of 8 with copies of their last row and column.
    `predict` cuts its answer back; the other functions give maps of the padded size. No gradients flow into
    the networks, but the answers are ordinary tensors: what is fitted to them may be differentiated.

    Attributes:
        spec: What its numbers mean.
        device: Where it runs, as torch spells it.
        low_memory: Run one snippet and one picture at a time, whatever the size of the batch.
        seed: Of the noise of `predict`.
    """

    def __init__(
        self,
        parts: Parts,
        spec: ModelSpec,
        device: str,
        dtype: torch.dtype,
        *,
        low_memory: bool = False,
        seed: int = 0,
    ) -> None:
        """Moves the networks, which are of ``dtype``, to ``device``; the UNet gets cross-frame attention."""
        import torch
        from diffusers import DDIMScheduler

        from ...networks import cross_frame

        self.spec, self.device, self.low_memory, self.seed = spec, device, low_memory, seed
        self._unet, self._vae, self._dtype = parts.unet, parts.vae, dtype
        cross_frame.install(self._unet)
        for network in (self._unet, self._vae):
            place(network, device)
        self._prompt = parts.prompt.to(device, dtype)
        self._scheduler = make_scheduler(parts.scheduler, DDIMScheduler)
        self._wide = torch.promote_types(dtype, torch.float32)

    def predict(self, frames: Tensor) -> Tensor:
        """One snippet, as a `DepthModel`.

        Args:
            frames: (T, 3, H, W) in [0, 1], T at most ``spec.window``, on any device.

        Returns:
            Raw inverse depth (T, H, W) on the model's device.

        Raises:
            ValueError: the shape does not fit.
        """
        if len(frames) > self.spec.window:
            raise ValueError(f"{len(frames)} frames are more than the {self.spec.window} of a snippet")
        latents = self.encode(frames)
        height, width = frames.shape[2:]
        maps = self.predict_snippets(latents[None], self.noise(height, width, self.seed))
        return maps[0, :, :height, :width]

    def encode(self, frames: Tensor) -> Tensor:
        """Pictures to latents: the posterior's mean, scaled.

        Args:
            frames: (T, 3, H, W) in [0, 1], on any device.

        Returns:
            (T, 4, ⌈H/8⌉, ⌈W/8⌉).

        Raises:
            ValueError: the shape does not fit.
        """
        import torch.nn.functional as F

        if frames.ndim != 4 or frames.shape[1] != 3:
            raise ValueError(f"{tuple(frames.shape)} is not (T, 3, H, W)")
        height, width = frames.shape[2:]
        pictures = frames.to(self.device, self._wide) * 2 - 1
        return self._encode(F.pad(pictures, (0, -width % SCALE, 0, -height % SCALE), mode="replicate"))

    def noise(self, height: int, width: int, seed: int) -> Tensor:
        """The noise (1, 4, ⌈H/8⌉, ⌈W/8⌉), the same numbers on every device; see `SnippetModel.noise`."""
        return seeded_noise(height, width, seed).to(self.device, self._wide)

    def predict_snippets(self, latents: Tensor, noise: Tensor, steps: int = 1) -> Tensor:
        """Snippets from noise; the residual noise the schedule leaves in one step is kept, as published.

        Args:
            latents: (B, n, 4, h, w) of the pictures: B snippets of n frames.
            noise: (1, 4, h, w).
            steps: Denoising steps; published is one.

        Returns:
            Raw inverse depth (B, n, 8h, 8w), not clipped.
        """
        depth = noise.expand_as(latents)
        for index in range(steps):
            depth = self._step(latents, depth, index, steps)
        maps: Tensor = self.decode(depth.flatten(0, 1)).unflatten(0, depth.shape[:2])
        return maps

    def start_refinement(self, disparity: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Merged disparity back to where the last ``steps`` of ``2 · steps`` steps begin.

        Args:
            disparity: (T, 8h, 8w) in [-1, 1], one range for the whole clip.
            noise: (1, 4, h, w) that the snippets were predicted with.
            steps: R.

        Returns:
            Noisy depth latents (T, 4, h, w).
        """
        import torch

        pictures = disparity.to(self.device, self._wide)[:, None].expand(-1, 3, -1, -1)
        scheduler = self._schedule(2 * steps)
        start = scheduler.timesteps[steps : steps + 1]
        with torch.no_grad():
            noisy: Tensor = scheduler.add_noise(
                self._encode(pictures), noise.to(self.device, self._wide), start
            )
        return noisy

    def refine_snippets(self, latents: Tensor, depth_latents: Tensor, step: int, steps: int) -> Tensor:
        """One refinement step.

        Args:
            latents: (B, n, 4, h, w) of the pictures.
            depth_latents: (B, n, 4, h, w) before this step.
            step: 0 to ``steps`` - 1.
            steps: R.

        Returns:
            Depth latents (B, n, 4, h, w) after this step.
        """
        return self._step(latents, depth_latents, steps + step, 2 * steps)

    def decode(self, depth_latents: Tensor) -> Tensor:
        """Depth latents (T, 4, h, w) -> inverse depth (T, 8h, 8w), the mean of the three channels;
        see `SnippetModel.decode`.
        """
        import torch

        scaled = depth_latents.to(self.device, self._dtype) / self._vae.config.scaling_factor
        with torch.no_grad():
            maps = [self._vae.decode(part).sample.to(self._wide).mean(1) for part in self._pieces(scaled)]
        return torch.cat(maps)

    def _encode(self, pictures: Tensor) -> Tensor:
        import torch

        with torch.no_grad():
            parts = [
                self._vae.encode(part).latent_dist.mean for part in self._pieces(pictures.to(self._dtype))
            ]
        latents: Tensor = torch.cat(parts).to(self._wide) * self._vae.config.scaling_factor
        return latents

    def _schedule(self, total: int) -> Any:
        """A scheduler of ``total`` timesteps; a new one: adding noise moves its tables to the device."""
        scheduler = copy.copy(self._scheduler)
        scheduler.set_timesteps(total)
        return scheduler

    def _step(self, latents: Tensor, depth: Tensor, index: int, total: int) -> Tensor:
        """One DDIM step at the ``index``-th of ``total`` timesteps, in full precision."""
        import torch

        from ...networks import cross_frame

        if latents.ndim != 5 or latents.shape[2] != LATENT_CHANNELS or depth.shape != latents.shape:
            shapes = f"{tuple(latents.shape)} and {tuple(depth.shape)}"
            raise ValueError(f"{shapes} are not both (B, n, {LATENT_CHANNELS}, h, w)")
        scheduler = self._schedule(total)
        time = int(scheduler.timesteps[index])
        latents, depth = (value.to(self.device, self._wide) for value in (latents, depth))
        sample = torch.cat((latents, depth), 2).to(self._dtype)
        with torch.no_grad():
            parts = [
                cross_frame.denoise(self._unet, part, time, self._prompt) for part in self._pieces(sample)
            ]
            output = torch.cat(parts).to(self._wide)
            earlier: Tensor = scheduler.step(output, time, depth).prev_sample
        return earlier

    def _pieces(self, batch: Tensor) -> tuple[Tensor, ...]:
        pieces: tuple[Tensor, ...] = batch.split(1 if self.low_memory else max(1, len(batch)))
        return pieces


def load_rollingdepth(
    folder_or_repo: str | Path,
    device: str = "cpu",
    dtype: str | torch.dtype = "fp16",
    spec: ModelSpec | None = None,
    *,
    low_memory: bool = False,
    seed: int = 0,
) -> RollingDepthModel:
    """Loads RollingDepth from a folder with the subfolders unet, vae, scheduler, text_encoder and tokenizer.

    Args:
        folder_or_repo: The folder, or ``owner/name`` of a repository on the Hugging Face hub, which is then
            fetched into huggingface_hub's cache.
        device: Where it runs, as torch spells it.
        dtype: ``fp16``, ``bf16``, ``fp32``, or ``fp64`` for checks; CPUs take ``fp32`` for ``fp16``.
        spec: What is known of the weights; None: what the folder, or the catalogue of the repository, says.
        low_memory, seed: See `RollingDepthModel`.

    Raises:
        WeightsError: the folder is missing, incomplete, damaged or of another layout.
        UsageError: ``dtype`` does not exist.
    """
    found = find_dtype(dtype, device)
    folder, entry = find_folder(folder_or_repo)
    if spec is None:
        spec = entry.spec() if entry else folder_spec(folder, "disparity", "affine_invariant", FACTS)
    parts = read_parts(folder, found)
    spec = loaded_spec(spec, folder, parts)
    return RollingDepthModel(parts, spec, device, found, low_memory=low_memory, seed=seed)
