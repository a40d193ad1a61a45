"""What the whole picture says about each place in it: attention over a coarse map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class GlobalContext(nn.Module):
    """Attention over all positions of a coarse map, then a perceptron (pre-norm transformer block)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Linear(2, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        n, c, h, w = x.shape
        # ONNX divides by how many there are less one: of one it makes no number, torch -1
        rows, columns = (
            torch.linspace(-1, 1, side, device=x.device, dtype=x.dtype).nan_to_num(-1.0) for side in (h, w)
        )
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).reshape(1, h * w, 2)
        tokens = x.flatten(2).transpose(1, 2) + self.place(grid)
        q, k, v = (
            self.qkv(self.norm1(tokens))
            .reshape(n, h * w, 3, self.heads, c // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, h * w, c)
        tokens = tokens + self.out(mixed)
        tokens = tokens + self.mlp(self.norm2(tokens))
        y: Tensor = tokens.transpose(1, 2).reshape(n, c, h, w)
        return y
