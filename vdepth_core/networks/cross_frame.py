"""Cross-frame self-attention for a stock diffusers UNet (Ke et al., Video Depth without Video Models, 2024).

The frames of a snippet see each other: in every ``attn1`` their tokens form one sequence,
"(b n) hw c -> b (n hw) c" before queries, keys and values and back after. There are no new weights and no
frame embedding; the text attention (``attn2``) stays per frame.
"""

from __future__ import annotations

from typing import Any

from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor


class CrossFrameAttention(AttnProcessor2_0):
    """Self-attention over all frames of a snippet; ``num_view`` frames in a row of the batch are a snippet.

    ``num_view`` has no default: diffusers passes on only what a processor names, so with one the frames would
    silently stop seeing each other wherever it got lost.
    """

    def __call__(  # type: ignore[override]
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        num_view: int,
    ) -> Tensor:
        """Tokens (b n, hw, c) -> the same shape.

        Raises:
            ValueError: the batch is no whole number of snippets, or other tokens or a mask came along.
        """
        batch, tokens, channels = hidden_states.shape
        if encoder_hidden_states is not None or attention_mask is not None:
            raise ValueError("cross-frame attention is self-attention without a mask")
        if num_view < 1 or batch % num_view:
            raise ValueError(f"{batch} frames are no whole number of snippets of {num_view}")
        joined = hidden_states.reshape(batch // num_view, num_view * tokens, channels)
        return super().__call__(attn, joined).reshape(batch, tokens, -1)


class PerFrameAttention(AttnProcessor2_0):
    """Stock attention that takes ``num_view``, which the UNet hands to every layer, and leaves it."""

    def __call__(  # type: ignore[override]
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        num_view: int,
    ) -> Tensor:
        """Tokens (b n, hw, c) -> the same shape."""
        return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask)


def install(unet: Any) -> None:
    """Gives every self-attention of ``unet``, a diffusers `UNet2DConditionModel`, the frames of its snippet.

    Args:
        unet: Changed in place.

    Raises:
        ValueError: the UNet has no transformer blocks.
    """
    processors = unet.attn_processors
    for name in processors:
        if name.endswith("attn1.processor"):
            processors[name] = CrossFrameAttention()  # type: ignore[no-untyped-call]
        elif name.endswith("attn2.processor"):
            processors[name] = PerFrameAttention()  # type: ignore[no-untyped-call]
    unet.set_attn_processor(processors)
    check(unet)


def check(unet: Any) -> None:
    """Makes sure that nothing took the cross-frame attention out again.

    Args:
        unet: One that went through `install`.

    Raises:
        ValueError: an ``attn1`` has another processor, or there is none.
    """
    own = {name: found for name, found in unet.attn_processors.items() if name.endswith("attn1.processor")}
    lost = [name for name, found in own.items() if not isinstance(found, CrossFrameAttention)]
    if lost or not own:
        raise ValueError(
            f"{len(lost)} of {len(own)} self-attentions do not see the other frames ({', '.join(lost[:2])})"
        )


def denoise(unet: Any, sample: Tensor, timestep: int | Tensor, prompt: Tensor) -> Tensor:
    """Runs ``unet`` on snippets.

    Args:
        unet: One that `install` was called on.
        sample: (B, n, C, h, w): B snippets of n frames.
        timestep: Of the noise in ``sample``; (B n,) where snippets differ.
        prompt: (1, tokens, d) text embedding.

    Returns:
        (B, n, C', h, w).

    Raises:
        ValueError: see `check`.
    """
    check(unet)
    snippets, frames = sample.shape[:2]
    flat = sample.flatten(0, 1)
    output = unet(
        flat,
        timestep,
        encoder_hidden_states=prompt.expand(len(flat), -1, -1),
        cross_attention_kwargs={"num_view": frames},
    )
    denoised: Tensor = output.sample.unflatten(0, (snippets, frames))
    return denoised
