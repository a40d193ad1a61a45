"""Video Depth Anything (Chen et al., 2025): Depth Anything V2 whose head looks at the frames of a window.

Four temporal modules (after AnimateDiff's) attend over time at every pixel by itself, both ways; everything
else is frame by frame. Positions are those within the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, relu, scaled_dot_product_attention

from ..budget import MB, at_most
from .depth_anything_v2 import GROUPS, DptHead, Variant
from .dinov2 import DinoV2

WINDOW = 32  # frames
_HEADS = 8
WORK_BYTES = 256 * MB


class VideoDepthAnything(nn.Module):
    """The network in its two halves; forward sees all frames it is given as one window."""

    HEAD_KEYS = "head."

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.pretrained = DinoV2(variant.dim, variant.layers, variant.taken, variant.grid)
        self.head = TemporalHead(variant)

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> Self:
        """The network whose weights are ``state``.

        Args:
            state: Under published keys.
        """
        return cls(Variant.of(state, cls.HEAD_KEYS))

    def encode(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Normalised frames (N, 3, H, W) -> what `decode` needs of each: four maps (N, planes, H/14, W/14).

        Args:
            frames: Sides are multiples of 14.
        """
        return self.head.project(self.pretrained(frames))

    def decode(self, features: Sequence[Tensor]) -> Tensor:
        """Features of up to 32 frames in their order -> (T, H, W) float32.

        Args:
            features: What `encode` gave.
        """
        return relu(self.head(features))

    def forward(self, frames: Tensor) -> Tensor:
        """Normalised frames (T, 3, H, W) of one window -> (T, H, W)."""
        return self.decode(self.encode(frames))


class TemporalHead(DptHead):
    """The DPT head with the temporal modules."""

    def __init__(self, variant: Variant) -> None:
        super().__init__(variant)
        planes = (*variant.planes[2:], variant.features, variant.features)
        self.motion_modules = nn.ModuleList(TemporalModule(count) for count in planes)

    @property
    def work_bytes(self) -> int:
        """Bound of the memory its temporal modules work in, one after the other."""
        return self.motion_modules[0].work_bytes  # type: ignore[return-value]

    @work_bytes.setter
    def work_bytes(self, size: int) -> None:
        for module in self.motion_modules:
            module.work_bytes = size  # type: ignore[assignment]

    def between(self, place: int, maps: Tensor) -> Tensor:
        """Attends over the frames; see `DptHead.between`."""
        mixed: Tensor = self.motion_modules[place](maps)
        return mixed


class TemporalModule(nn.Module):
    """Adds to the maps of a window what attention over its frames says, pixel by pixel.

    Attributes:
        work_bytes: Bound of its working memory: pixels are worked off in blocks.
    """

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.temporal_transformer = _Transformer(planes)
        self.work_bytes = WORK_BYTES

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (T, planes, h, w) of T ≤ 32 frames -> the same."""
        (frames, planes), size = maps.shape[:2], maps.shape[2:]
        # y, z, q, k, v, the answer, and eight times a frame's planes in the feed-forward layer
        each = 16 * frames * planes * maps.element_size()
        block = at_most(size[0] * size[1], each, self.work_bytes)
        within = self.temporal_transformer
        pixels = within.norm(maps).flatten(2).permute(2, 0, 1)  # (h · w, T, planes)
        mixed = torch.cat([within(part) for part in pixels.split(block)])
        added: Tensor = maps + mixed.permute(1, 2, 0).unflatten(2, size)
        return added


class _Transformer(nn.Module):
    def __init__(self, planes: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, planes, 1e-6)
        self.proj_in, self.proj_out = nn.Linear(planes, planes), nn.Linear(planes, planes)
        self.transformer_blocks = nn.ModuleList([_Block(planes)])

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, T, planes) after normalisation -> what is added."""
        y = self.proj_in(pixels)
        for block in self.transformer_blocks:
            y = block(y)
        out: Tensor = self.proj_out(y)
        return out


class _Block(nn.Module):
    def __init__(self, planes: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList(_Attention(planes) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(planes) for _ in range(2))
        self.ff_norm = nn.LayerNorm(planes)
        self.ff = _FeedForward(planes)

    def forward(self, y: Tensor) -> Tensor:
        for norm, attend in zip(self.norms, self.attention_blocks, strict=True):
            y = y + attend(norm(y))
        out: Tensor = y + self.ff(self.ff_norm(y))
        return out


class _Attention(nn.Module):
    def __init__(self, planes: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(planes, planes, bias=False) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(planes, planes)])
        self.pos_encoder = _Positions(planes)

    def forward(self, z: Tensor) -> Tensor:
        z = z + self.pos_encoder.pe[:, : z.shape[1]]
        q, k, v = (
            to(z).unflatten(2, (_HEADS, -1)).transpose(1, 2) for to in (self.to_q, self.to_k, self.to_v)
        )
        mixed = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out: Tensor = self.to_out[0](mixed)
        return out


class _Positions(nn.Module):
    pe: Tensor

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.register_buffer("pe", positions(planes))


class _FeedForward(nn.Module):
    """Gated: half of the first layer's answer opens the other half."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        gate = nn.ModuleDict({"proj": nn.Linear(planes, 8 * planes)})
        self.net = nn.ModuleList([gate, nn.Identity(), nn.Linear(4 * planes, planes)])

    def forward(self, y: Tensor) -> Tensor:
        value, gate = self.net[0]["proj"](y).chunk(2, -1)  # type: ignore[index]
        out: Tensor = self.net[2](value * gelu(gate))
        return out


def positions(planes: int) -> Tensor:
    """The published table of positions in a window, (1, 32, planes): sine and cosine by turns.

    Args:
        planes: Even.
    """
    time = torch.arange(WINDOW, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, planes, 2) * (-torch.log(torch.tensor(10000.0)) / planes))
    table = torch.zeros(1, WINDOW, planes)
    table[0, :, 0::2], table[0, :, 1::2] = torch.sin(time * rate), torch.cos(time * rate)
    return table
