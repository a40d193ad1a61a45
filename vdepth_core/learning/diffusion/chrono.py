"""ChronoDepth (Shao et al., CVPR 2025): Stable Video Diffusion on clips, every frame with a noise of its own.

First the spatial layers on single frames, then the temporal ones on clips, with the spatial ones frozen. A
part of the clips has its first frames given (nearly) clean, under the time that the method `chrono` tells of
frames that are done: they are context, and say nothing of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...types import Quantity
from ...weights.configs import init_arguments, read_json
from .noise import gaussian, levels
from .options import ChronoTraining
from .recipe import CONFIG, DiffusionRecipe, Net, Stage
from .targets import Snippet, masked_mean

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STEPS = 20_000  # a stage; the authors never said
_TEMPORAL = ("temporal_", "time_pos_embed", "time_mixer")  # in the names of the layers that look along time


def is_temporal(name: str) -> bool:
    """Whether a parameter of Stable Video Diffusion's UNet belongs to a layer that looks along time.

    Args:
        name: Of the parameter.
    """
    return any(part in name for part in _TEMPORAL)


class ChronoRecipe(DiffusionRecipe):
    """The two stages that the paper describes."""

    Options = ChronoTraining
    multiple, unet, halves, steady = 64, ".", True, True
    size, batch = (448, 640), 8

    def __init__(self, options: ChronoTraining) -> None:
        self.options = options

    def stages(self, steps: int | None) -> tuple[Stage, ...]:
        """Spatial layers, then temporal ones, or one of them; see `DiffusionRecipe.stages`."""
        both = (
            Stage("spatial", steps or STEPS, 1, lambda name: not is_temporal(name)),
            Stage("temporal", steps or STEPS, self.options.frames, is_temporal),
        )
        return tuple(stage for stage in both if self.options.stage in ("both", stage.name))

    def load(self, folder: Path, device: str, dtype: torch.dtype) -> Net:
        """Reads a folder of ChronoDepth or Stable Video Diffusion; see `DiffusionRecipe.load`.

        The latter's UNet sees the noisy latents before the picture's, ChronoDepth's behind them: the channels
        of its first layer change places.
        """
        from ...models.diffusion.chronodepth import FACTS, ChronoDepthModel, read_clip_parts
        from ...models.diffusion.latent import folder_spec, loaded_spec
        from ...models.diffusion.parts import LATENT_CHANNELS

        own = (folder / CONFIG).is_file()
        home = folder if own else folder / "unet"
        parts = read_clip_parts(folder, dtype, home)
        if not own:
            weight = parts.unet.conv_in.weight.data
            weight.copy_(weight.roll(LATENT_CHANNELS, 1).clone())
        spec = folder_spec(folder, self.options.quantity, "affine_invariant", FACTS)
        model = ChronoDepthModel(parts, loaded_spec(spec, folder, parts), device, dtype)
        return Net(parts, model, device, home / CONFIG)

    def empty(self, config: Path) -> Any:
        """Stable Video Diffusion's, with a time a frame; see `DiffusionRecipe.empty`."""
        from ...networks.frame_times import FrameTimesUNet

        return FrameTimesUNet(**init_arguments(read_json(config), FrameTimesUNet, config))

    def answer(self, unet: Any, sample: Tensor, times: Tensor, prompt: Tensor) -> Tensor:
        """Clip by clip; see `DiffusionRecipe.answer`."""
        import torch

        from ...models.diffusion.chronodepth import TIME_IDS

        if torch.is_grad_enabled() and not sample.requires_grad:
            # On a CPU, torch 2.13's group norm crashes on the way back where its input wants no gradient.
            sample = sample.detach().requires_grad_()
        ids = torch.tensor([TIME_IDS], device=sample.device, dtype=sample.dtype)
        states = prompt.expand(sample.shape[1], -1, -1)
        clips = zip(sample, times, strict=True)
        return torch.cat([unet(clip[None], time, states, ids, return_dict=False)[0] for clip, time in clips])

    def quantity(self, net: Net) -> Quantity:
        """As the option says; see `DiffusionRecipe.quantity`."""
        return self.options.quantity

    def length(self, stage: Stage, rng: np.random.Generator) -> int:
        """Uniform; see `DiffusionRecipe.length`."""
        return int(rng.integers(1, stage.longest + 1))

    def loss(self, net: Net, stage: Stage, snippets: Sequence[Snippet], rng: np.random.Generator) -> Tensor:
        """EDM's weighted error, mean over the clips; see `DiffusionRecipe.loss`."""
        import torch

        pictures, depth, known = net.prepared(snippets, self.options.quantity)
        found = []
        for picture, clean, mask in zip(pictures, depth, known, strict=True):
            frames = len(clean)
            given = rng.random() < self.options.context and frames > 1
            context = int(rng.integers(1, frames)) if given else 0
            sigmas = levels(frames, self.options.mean, self.options.spread, rng).to(clean)
            noise = gaussian(tuple(clean.shape), rng).to(clean)
            sample, times = self.noisy(clean, noise, sigmas, context)
            seen = torch.cat((picture, sample), 1)[None]
            answer = self.answer(net.parts.unet, seen, times[None], net.parts.prompt.to(seen.device))[0]
            new = slice(context, frames)
            aim = velocity_target(clean[new], noise[new], sigmas[new])
            found.append(masked_mean((answer[new].float() - aim) ** 2, mask[new]))
        return torch.stack(found).mean()

    def noisy(self, clean: Tensor, noise: Tensor, sigmas: Tensor, context: int) -> tuple[Tensor, Tensor]:
        """What the UNet sees of depth latents, and the time of each frame.

        Args:
            clean: (T, 4, h, w).
            noise: The same shape, standard normal.
            sigmas: (T,) standard deviations of the noise.
            context: How many of the first frames are given.

        Returns:
            (T, 4, h, w), frames with noise scaled to unit deviation, context as it is but for a rest of noise
            that no gradient flows through; and (T,).
        """
        import torch

        from ...models.diffusion.chronodepth import CONTEXT_TIME

        wide = sigmas[:, None, None, None]
        scaled = (clean + wide * noise) / (wide**2 + 1).sqrt()
        given = (clean + self.options.context_noise * noise).detach()
        times = sigmas.log() / 4
        first = torch.arange(len(clean), device=clean.device) < context
        seen = torch.where(first[:, None, None, None], given, scaled)
        return seen, torch.where(first, times.new_full((), CONTEXT_TIME), times)


def velocity_target(clean: Tensor, noise: Tensor, sigmas: Tensor) -> Tensor:
    """What the UNet should say: the error of it, unweighted, is EDM's weighted error of the clean latents.

    With Stable Video Diffusion's c_skip = 1 / (σ² + 1) and c_out = -σ / √(σ² + 1), the weight of Karras et
    al. (2022), 1 / c_out², cancels c_out; what is left is (clean - c_skip · noisy) / c_out.

    Args:
        clean: (T, 4, h, w).
        noise: The same shape.
        sigmas: (T,).
    """
    wide = sigmas[:, None, None, None]
    target: Tensor = (noise - wide * clean) / (wide**2 + 1).sqrt()
    return target
