"""A small merge network of our own: what detail transfer leaves to be done, in 0.15 M parameters.

It sees the soft map, the sharp one and what the transfer made of them, and answers what is to be added to
the last. Its last layer starts at zero, so that it starts from the transfer.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (8, 24, 48, 64)  # planes at full size, a half, a quarter, an eighth
MULTIPLE = 8  # both sides of what goes in
REACH = 64  # pixels; what lies farther away changes nothing worth mentioning


class Block(nn.Sequential):
    """Two convolutions."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__(
            nn.Conv2d(low, high, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(high, high, 3, padding=1),
            nn.LeakyReLU(0.1),
        )


class MergeSmall(nn.Module):
    """The network: a U-Net with averaging on the way down and bilinear steps on the way up."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(map(Block, (3, *WIDTHS[:-1]), WIDTHS))
        self.up = nn.ModuleList(Block(deep + flat, flat) for flat, deep in pairwise(WIDTHS))
        self.last = nn.Conv2d(WIDTHS[0], 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, H, W): low, high, sharp -> (N, 1, H, W)
        # Only differences count: a constant added to all three changes nothing.
        low, high, sharp = x.split(1, 1)
        y = torch.cat((low - sharp, high - sharp, sharp - functional.avg_pool2d(sharp, 9, 1, 4)), 1)
        seen: list[Tensor] = []
        for block in self.down:
            y = block(functional.avg_pool2d(y, 2) if seen else y)
            seen.append(y)
        y = seen.pop()
        for block, flat in zip(reversed(self.up), reversed(seen), strict=True):
            wide = functional.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
            y = block(torch.cat((wide, flat), 1))
        merged: Tensor = sharp + self.last(y)
        return merged
