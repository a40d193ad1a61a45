"""Video Depth Anything (Chen et al., 2025): Depth Anything V2 whose head looks at the frames of a window.

Four temporal modules (after AnimateDiff's) attend over time at every pixel by itself, both ways; everything
else is frame by frame. Positions are those within the window.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, relu

from ..budget import MB, at_most
from .depth_anything_v2 import GROUPS, DinoDpt, DptHead, Variant
from .temporal_attention import Attend, KeptFrames, TemporalAttention

_ATTENTIONS = 2  # a temporal module
WORK_BYTES = 256 * MB

Kept = Sequence[Sequence[Attend]]
"""One for each attention of each temporal module."""


class VideoDepthAnything(DinoDpt):
    """The network in its two halves; forward sees all frames it is given as one window."""

    HEAD_KEYS = "head."

    def __init__(self, variant: Variant) -> None:
        super().__init__(variant)
        self.head = TemporalHead(variant)

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

    def decode_next(self, features: Sequence[Tensor], kept: Kept) -> Tensor:
        """Features of the next frame of a stream -> (1, H, W) float32.

        Args:
            features: What `encode` gave of it.
            kept: What is kept of the frames before: what `begin` gave, at every frame of the clip.
        """
        return relu(self.head(features, lambda place, maps: self.head.next_between(place, maps, kept[place])))

    def begin(self) -> Kept:
        """Nothing kept yet: what a stream begins with."""
        return [[KeptFrames() for _ in range(_ATTENTIONS)] for _ in self.head.motion_modules]

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

    def next_between(self, place: int, maps: Tensor, kept: Sequence[Attend]) -> Tensor:
        """The same for the next frame of a stream.

        Args:
            place: 0 to 3.
            maps: (1, planes, h, w).
            kept: Of the two attentions there.
        """
        mixed: Tensor = self.motion_modules[place](maps, kept)
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

    def forward(self, maps: Tensor, kept: Sequence[Attend] | None = None) -> Tensor:
        """Maps (T, planes, h, w) of T ≤ 32 frames -> the same.

        Args:
            maps: With ``kept``, of one frame, the next.
            kept: Looks at the frames before instead of at others in ``maps``, one for each attention.
        """
        (frames, planes), size = maps.shape[:2], maps.shape[2:]
        # y, z, q, k, v, the answer, and eight times a frame's planes in the feed-forward layer
        each = 16 * frames * planes * maps.element_size()
        block = at_most(size[0] * size[1], each, self.work_bytes)
        within = self.temporal_transformer
        pixels = within.norm(maps).flatten(2).permute(2, 0, 1)  # (h · w, T, planes)
        blocks = pixels.split(block) if kept is None else [pixels]  # of one frame, they are small
        mixed = torch.cat([within(part, kept) for part in blocks])
        added: Tensor = maps + mixed.permute(1, 2, 0).unflatten(2, size)
        return added


class _Transformer(nn.Module):
    def __init__(self, planes: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, planes, 1e-6)
        self.proj_in, self.proj_out = nn.Linear(planes, planes), nn.Linear(planes, planes)
        self.transformer_blocks = nn.ModuleList([_Block(planes)])

    def forward(self, pixels: Tensor, kept: Sequence[Attend] | None) -> Tensor:
        """(n, T, planes) after normalisation -> what is added."""
        y = self.proj_in(pixels)
        for block in self.transformer_blocks:
            y = block(y, kept)
        out: Tensor = self.proj_out(y)
        return out


class _Block(nn.Module):
    def __init__(self, planes: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList(TemporalAttention(planes) for _ in range(_ATTENTIONS))
        self.norms = nn.ModuleList(nn.LayerNorm(planes) for _ in range(_ATTENTIONS))
        self.ff_norm = nn.LayerNorm(planes)
        self.ff = _FeedForward(planes)

    def forward(self, y: Tensor, kept: Sequence[Attend] | None) -> Tensor:
        for index, (norm, attention) in enumerate(zip(self.norms, self.attention_blocks, strict=True)):
            z = norm(y)
            y = y + (attention(z) if kept is None else kept[index](attention, z))  # type: ignore[arg-type]
        out: Tensor = y + self.ff(self.ff_norm(y))
        return out


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
