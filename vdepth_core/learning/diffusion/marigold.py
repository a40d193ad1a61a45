"""Marigold (Ke et al., Repurposing Diffusion-Based Image Generators for Monocular Depth, CVPR 2024).

Single frames, every one on its own scale; v-prediction (or what the schedule says) at a random time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...types import Quantity
from ...weights.configs import init_arguments, read_json
from .noise import gaussian, multi_resolution
from .options import MarigoldTraining
from .recipe import CONFIG, DiffusionRecipe, Net, Stage
from .targets import Snippet, masked_mean

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STEPS = 18_000  # published


def wanted(scheduler: Any, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """What a UNet should say of noisy latents, by its schedule's kind of prediction.

    Args:
        scheduler: diffusers' DDIM.
        clean: (N, C, h, w).
        noise: The same shape.
        times: (N,).
    """
    kind = scheduler.config.prediction_type
    if kind == "v_prediction":
        velocity: Tensor = scheduler.get_velocity(clean, noise, times)
        return velocity
    return noise if kind == "epsilon" else clean


class MarigoldRecipe(DiffusionRecipe):
    """Marigold's own training, from its weights on."""

    Options = MarigoldTraining

    def __init__(self, options: MarigoldTraining) -> None:
        self.options = options

    def stages(self, steps: int | None) -> tuple[Stage, ...]:
        """One, of single frames; see `DiffusionRecipe.stages`."""
        return (Stage("frames", steps or STEPS, 1, lambda name: True),)

    def load(self, folder: Path, device: str, dtype: torch.dtype) -> Net:
        """Reads a folder of Marigold; see `DiffusionRecipe.load`."""
        from ...models.diffusion.marigold import marigold_of
        from ...models.diffusion.parts import read_parts

        parts = read_parts(folder, dtype)
        return Net(parts, marigold_of(parts, folder, device, dtype), device, folder / self.unet / CONFIG)

    def empty(self, config: Path) -> Any:
        """Stable Diffusion's; see `DiffusionRecipe.empty`."""
        from diffusers import UNet2DConditionModel

        return UNet2DConditionModel(**init_arguments(read_json(config), UNet2DConditionModel, config))

    def answer(self, unet: Any, sample: Tensor, times: Tensor, prompt: Tensor) -> Tensor:
        """Every frame by itself; see `DiffusionRecipe.answer`."""
        flat = sample.flatten(0, 1)
        states = prompt.expand(len(flat), -1, -1)
        answer = unet(flat, times.flatten(), encoder_hidden_states=states).sample
        split: Tensor = answer.unflatten(0, sample.shape[:2])
        return split

    def quantity(self, net: Net) -> Quantity:
        """What its index says that it predicts; see `DiffusionRecipe.quantity`."""
        return net.model.spec.quantity

    def length(self, stage: Stage, rng: np.random.Generator) -> int:
        """One; see `DiffusionRecipe.length`."""
        return 1

    def loss(self, net: Net, stage: Stage, snippets: Sequence[Snippet], rng: np.random.Generator) -> Tensor:
        """Mean squared error of what the schedule predicts; see `DiffusionRecipe.loss`."""
        import torch
        from diffusers import DDIMScheduler

        from ...models.diffusion.parts import make_scheduler

        scheduler = make_scheduler(net.parts.scheduler, DDIMScheduler)
        pictures, depth, known = net.prepared(snippets, self.quantity(net))
        clean = depth.flatten(0, 1)
        total = scheduler.config.num_train_timesteps
        drawn = rng.integers(0, total, len(clean))
        shape = (1, *clean.shape[1:])
        parts = [
            multi_resolution(shape, time / total, rng) if self.options.annealed else gaussian(shape, rng)
            for time in drawn
        ]
        noise, times = torch.cat(parts).to(clean), torch.from_numpy(drawn).to(clean.device)
        noisy = scheduler.add_noise(clean, noise, times).unflatten(0, depth.shape[:2])
        prompt = net.parts.prompt.to(clean.device)
        sample = torch.cat((pictures, noisy), 2)
        answer = self.answer(net.parts.unet, sample, times.unflatten(0, depth.shape[:2]), prompt)
        error = (answer.float().flatten(0, 1) - wanted(scheduler, clean, noise, times)) ** 2
        return masked_mean(error, known.flatten(0, 1))
