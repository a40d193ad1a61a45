"""RollingDepth (Ke et al., Video Depth without Video Models, CVPR 2025): snippets that see each other.

A snippet is one to three frames of a clip, some frames apart. Its frames share one noise level and one scale;
their self-attention is over all of them, as when the model is run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files import write_bytes
from ...models.diffusion.parts import ONE_STEP
from ...types import Quantity
from ...weights.configs import init_arguments, read_json
from .marigold import STEPS, wanted
from .noise import gaussian
from .options import RollingTraining
from .recipe import CONFIG, DiffusionRecipe, Net, Stage
from .targets import Snippet, masked_mean

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SCHEDULE = {"_class_name": "DDIMScheduler", **ONE_STEP}  # published


class RollingRecipe(DiffusionRecipe):
    """RollingDepth's training, from its weights or from Marigold's."""

    Options = RollingTraining

    def __init__(self, options: RollingTraining) -> None:
        self.options = options

    def stages(self, steps: int | None) -> tuple[Stage, ...]:
        """One, of snippets; see `DiffusionRecipe.stages`."""
        return (Stage("snippets", steps or STEPS, self.options.frames, lambda name: True),)

    def load(self, folder: Path, device: str, dtype: torch.dtype) -> Net:
        """Reads RollingDepth or Marigold, under RollingDepth's schedule; see `DiffusionRecipe.load`."""
        from ...models.diffusion.latent import folder_spec, loaded_spec
        from ...models.diffusion.parts import read_parts
        from ...models.diffusion.rollingdepth import FACTS, RollingDepthModel

        parts = replace(read_parts(folder, dtype), scheduler=SCHEDULE)
        spec = loaded_spec(folder_spec(folder, "disparity", "affine_invariant", FACTS), folder, parts)
        return Net(parts, RollingDepthModel(parts, spec, device, dtype), device, folder / self.unet / CONFIG)

    def empty(self, config: Path) -> Any:
        """Stable Diffusion's, whose frames see each other; see `DiffusionRecipe.empty`."""
        from diffusers import UNet2DConditionModel

        from ...networks import cross_frame

        unet = UNet2DConditionModel(**init_arguments(read_json(config), UNet2DConditionModel, config))
        cross_frame.install(unet)
        return unet

    def answer(self, unet: Any, sample: Tensor, times: Tensor, prompt: Tensor) -> Tensor:
        """Every snippet at once; see `DiffusionRecipe.answer`."""
        from ...networks import cross_frame

        return cross_frame.denoise(unet, sample, times.flatten(), prompt)

    def quantity(self, net: Net) -> Quantity:
        """Inverse depth, published; see `DiffusionRecipe.quantity`."""
        return "disparity"

    def length(self, stage: Stage, rng: np.random.Generator) -> int:
        """Uniform, published; see `DiffusionRecipe.length`."""
        return int(rng.integers(1, stage.longest + 1))

    def dilation(self, most: int, rng: np.random.Generator) -> int:
        """Uniform up to what clip and option allow; see `DiffusionRecipe.dilation`."""
        return int(rng.integers(1, min(most, self.options.dilation) + 1))

    def loss(self, net: Net, stage: Stage, snippets: Sequence[Snippet], rng: np.random.Generator) -> Tensor:
        """Mean squared error of the velocity, one noise level a snippet; see `DiffusionRecipe.loss`."""
        import torch
        from diffusers import DDIMScheduler

        from ...models.diffusion.parts import make_scheduler

        scheduler = make_scheduler(net.parts.scheduler, DDIMScheduler)
        pictures, depth, known = net.prepared(snippets, self.quantity(net))
        count, frames = depth.shape[:2]
        drawn = torch.from_numpy(rng.integers(0, scheduler.config.num_train_timesteps, count))
        times = drawn.repeat_interleave(frames).to(depth.device)
        own = frames if self.options.noise == "own" else 1
        noise = gaussian((count, own, *depth.shape[2:]), rng).to(depth).expand_as(depth).flatten(0, 1)
        clean = depth.flatten(0, 1)
        noisy = scheduler.add_noise(clean, noise, times).unflatten(0, (count, frames))
        prompt = net.parts.prompt.to(depth.device)
        sample = torch.cat((pictures, noisy), 2)
        answer = self.answer(net.parts.unet, sample, times.unflatten(0, (count, frames)), prompt)
        error = (answer.float().flatten(0, 1) - wanted(scheduler, clean, noise, times)) ** 2
        return masked_mean(error, known.flatten(0, 1))

    def finish(self, folder: Path) -> None:
        """Makes what came from Marigold a RollingDepth; see `DiffusionRecipe.finish`."""
        from ...models.diffusion.folder import ROLLINGDEPTH
        from ...models.diffusion.marigold import INDEX

        index = folder / INDEX
        parts = {k: v for k, v in read_json(index).items() if isinstance(v, list)} if index.is_file() else {}
        said = {"_class_name": ROLLINGDEPTH} | parts | {"scheduler": ["diffusers", "DDIMScheduler"]}
        for path, content in ((folder / "scheduler" / "scheduler_config.json", SCHEDULE), (index, said)):
            write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())
