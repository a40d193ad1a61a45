"""The DINOv2 encoder (Oquab et al., 2023) as Depth Anything has it: patches of 14, no registers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention

PATCH, HEAD = 14, 64  # pixels; channels of an attention head
GRID = 37  # patches along either side that positions were learned on: 518 pixels
_OFFSET = 0.1  # of DINOv2's resampling of positions: networks were trained with it
_EPS = 1e-6


class DinoV2(nn.Module):
    """Frames in, the features of four of its blocks out; a frame knows nothing of the others."""

    def __init__(self, dim: int, layers: int, taken: tuple[int, ...], grid: int = GRID) -> None:
        """Builds the encoder.

        Args:
            dim: Channels of a token, a multiple of 64.
            layers: Number of blocks.
            taken: Blocks whose output is answered, from 0, ascending.
            grid: Patches along either side of the learned positions.
        """
        super().__init__()
        self.taken, self.grid = taken, grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, dim))
        self.mask_token = nn.Parameter(torch.zeros(1, dim))  # published, of its pre-training
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, dim, PATCH, PATCH)})
        self.blocks = nn.ModuleList(_Block(dim) for _ in range(layers))
        self.norm = nn.LayerNorm(dim, _EPS)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Features (N, dim, H/14, W/14), one a taken block, of frames (N, 3, H, W)."""
        height, width = (side // PATCH for side in frames.shape[2:])
        tokens = self.patch_embed["proj"](frames).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        tokens = tokens + self.positions(height, width)
        found = []
        for number, block in enumerate(self.blocks):
            tokens = block(tokens)
            if number in self.taken:
                found.append(self.norm(tokens)[:, 1:].transpose(1, 2).unflatten(2, (height, width)))
        return found

    def positions(self, height: int, width: int) -> Tensor:
        """What is added to the tokens, (1, 1 + height · width, dim).

        Args:
            height, width: In patches.
        """
        if height == width == self.grid:
            return self.pos_embed
        learned = self.pos_embed[:, 1:].unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
        # by factors, not by size: the kernel samples where training had it
        factors = ((height + _OFFSET) / self.grid, (width + _OFFSET) / self.grid)
        resampled = interpolate(learned, scale_factor=factors, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], resampled.flatten(2).transpose(1, 2)], 1)


class _Block(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, _EPS), nn.LayerNorm(dim, _EPS)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(dim, 3 * dim), "proj": nn.Linear(dim, dim)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, 4 * dim), "fc2": nn.Linear(4 * dim, dim)})
        self.ls1, self.ls2 = _Scale(dim), _Scale(dim)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.attn["qkv"](self.norm1(x)).unflatten(2, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(*qkv).transpose(1, 2).flatten(2)
        x = x + self.ls1(self.attn["proj"](mixed))
        y: Tensor = x + self.ls2(self.mlp["fc2"](gelu(self.mlp["fc1"](self.norm2(x)))))
        return y


class _Scale(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma
