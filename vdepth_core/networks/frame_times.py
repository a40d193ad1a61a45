"""Stable Video Diffusion's UNet with a time of its own for every frame (Shao et al., ChronoDepth, CVPR 2025).

Frames that are done stand beside frames that are still noise, so the UNet is told of each how noisy it is.
Stock, it takes one time for a whole clip. Blocks and weights are the stock ones.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.unets.unet_spatio_temporal_condition import (
    UNetSpatioTemporalConditionModel,
    UNetSpatioTemporalConditionOutput,
)
from torch import Tensor


class FrameTimesUNet(UNetSpatioTemporalConditionModel):
    """The stock UNet for one clip of F frames, with a timestep and an encoder state a frame."""

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        added_time_ids: Tensor,
        return_dict: bool = True,
    ) -> Any:
        """Denoises one clip.

        Args:
            sample: (1, F, C, h, w); h and w are multiples of what the blocks halve them by.
            timestep: (F,).
            encoder_hidden_states: (F, tokens, d).
            added_time_ids: (1, ids) of the clip.
            return_dict: As of the stock forward.

        Returns:
            (1, F, C', h, w), as the stock forward gives it.

        Raises:
            ValueError: a shape does not fit.
        """
        times = torch.as_tensor(timestep, device=sample.device)
        clips, count = sample.shape[:2]
        if clips != 1 or times.shape != (count,) or len(encoder_hidden_states) != count:
            shapes = f"{tuple(sample.shape)}, {tuple(times.shape)} and {tuple(encoder_hidden_states.shape)}"
            raise ValueError(f"{shapes} are not one clip with a time and a state a frame")
        emb = self.time_embedding(self.time_proj(times).to(sample.dtype))  # (F, ·)
        ids = self.add_time_proj(added_time_ids.flatten()).reshape(1, -1)
        emb = emb + self.add_embedding(ids.to(emb.dtype))
        hidden = self.conv_in(sample.flatten(0, 1))
        common = {
            "temb": emb,
            "image_only_indicator": torch.zeros(1, count, dtype=hidden.dtype, device=hidden.device),
        }
        attending = common | {"encoder_hidden_states": encoder_hidden_states}

        def options(block: Any) -> dict[str, Any]:
            return attending if getattr(block, "has_cross_attention", False) else common

        skipped: tuple[Tensor, ...] = (hidden,)
        for block in self.down_blocks:
            hidden, found = block(hidden_states=hidden, **options(block))
            skipped += found
        hidden = self.mid_block(hidden_states=hidden, **attending)
        for block in self.up_blocks:
            taken, skipped = _last(skipped, block)
            hidden = block(hidden_states=hidden, res_hidden_states_tuple=taken, **options(block))
        hidden = self.conv_out(self.conv_act(self.conv_norm_out(hidden)))
        answer = hidden[None]
        return UNetSpatioTemporalConditionOutput(sample=answer) if return_dict else (answer,)


def _last(skipped: tuple[Tensor, ...], block: Any) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """What a block on the way up takes of what was left for it, and the rest."""
    count = len(block.resnets)
    return skipped[-count:], skipped[:-count]
