"""ChronoDepth's published inference, slow and whole: stock diffusers parts, all frames in memory.

Written from the method's description; a frame's own time reaches the stock UNet's blocks by hooks.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    UNetSpatioTemporalConditionModel,
)
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]


def set_timesteps(scheduler: Any, steps: int) -> None:
    """As it is, without what NumPy says of the way diffusers copies tensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler.set_timesteps(steps)


class Reference:
    """The published parts in fp32."""

    def __init__(self, folder: Path) -> None:
        kind: Any = UNetSpatioTemporalConditionModel
        self.unet: Any = kind.from_pretrained(folder).eval().float()
        coder: Any = AutoencoderKLTemporalDecoder
        self.vae: Any = coder.from_pretrained(folder, subfolder="vae", variant="fp16").eval().float()
        self.scheduler: Any = EulerDiscreteScheduler.from_pretrained(folder, subfolder="scheduler")
        eye: Any = CLIPVisionModelWithProjection
        encoder = eye.from_pretrained(folder, subfolder="image_encoder", variant="fp16", dtype=torch.float32)
        picture = (torch.zeros(3, 224, 224) - MEAN) / STD
        with torch.no_grad():
            self.embedding = encoder.eval()(pixel_values=picture[None]).image_embeds
        self.ids = torch.tensor([[6.0, 127.0, 0.0]])

    def velocity(self, rgb: Tensor, depth: Tensor, times: Tensor) -> Tensor:
        """(F, 4, h, w) twice and (F,) -> (F, 4, h, w), by the stock forward."""
        unet = self.unet
        with torch.no_grad():
            emb = unet.time_embedding(unet.time_proj(times))
            emb = emb + unet.add_embedding(unet.add_time_proj(self.ids.flatten()).reshape(1, -1))

            def own_times(module: Any, inputs: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
                return inputs, named | {"temb": emb}

            blocks = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
            hooks = [block.register_forward_pre_hook(own_times, with_kwargs=True) for block in blocks]
            try:
                sample = torch.cat([rgb, depth], 1)[None]
                return unet(sample, times[0], self.embedding[:, None], self.ids).sample[0]
            finally:
                for hook in hooks:
                    hook.remove()

    def run(self, frames: Tensor, mode: str, seed: int = 0, steps: int = 5) -> tuple[Tensor, Tensor]:
        """Frames (N, 3, H, W) in [0, 1] -> depth latents (N, 4, h, w) and depth (N, H, W), as published."""
        torch.manual_seed(seed)
        own = torch.Generator().manual_seed(seed)
        video = frames * 2 - 1
        with torch.no_grad():
            rgb = torch.cat(
                [self.vae.encode(part).latent_dist.sample() for part in video.split(5)]
            ) * self.vae.config.scaling_factor  # fmt: skip
        torch.randn(video.shape, generator=own)  # noise augmentation, times 0
        depth = self.windows(rgb, mode, own, steps)
        with torch.no_grad():
            pictures = [
                self.vae.decode(part, num_frames=len(part)).sample
                for part in (depth / self.vae.config.scaling_factor).split(8)
            ]
        return depth, (torch.cat(pictures).mean(1).clip(-1, 1) + 1) / 2

    def windows(self, rgb: Tensor, mode: str, own: torch.Generator, steps: int) -> Tensor:
        """All depth latents."""
        count, scheduler = len(rgb), self.scheduler
        set_timesteps(scheduler, steps)
        depth = torch.zeros_like(rgb)
        now = 0
        while now < count:
            new = min(count, 10) if now == 0 else min(count - now, 5)
            start = max(0, now + new - 10)
            context = now - start
            fresh = new + context if mode == "naive" else new
            state = torch.randn((fresh, *rgb.shape[1:]), generator=own) * scheduler.init_noise_sigma
            scheduler._step_index = None
            clean = depth[start:now].clone()
            if mode == "replacement":
                state = torch.cat([clean, state])
            for i, t in enumerate(scheduler.timesteps):
                if mode == "replacement" and context:
                    noise = torch.randn(clean.shape, generator=own)
                    state = torch.cat([clean + noise * scheduler.sigmas[i], state[context:]])
                state = scheduler.scale_model_input(state, t)  # and this is the state from here on
                times = torch.full((new + context,), float(t))
                if mode == "ours":
                    times[:context] = -4.0
                    seen = torch.cat([clean, state])
                else:
                    seen = state
                said = self.velocity(rgb[start : now + new], seen, times)
                state = scheduler.step(said[-len(state) :], t, state).prev_sample
            depth[now : now + new] = state[-new:]
            now += new
        return depth
