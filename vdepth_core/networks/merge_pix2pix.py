"""The published merge network of boosting (Miangoleh et al., CVPR 2021): a pix2pix U-Net ten levels deep.

79,564,801 parameters in 21 tensors, under the keys of the published ``latest_net_G.pth``. No normalisation;
only the very last convolution has a bias. Pictures of 1024 x 1024 shrink to one position and come back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SIDE = 1024  # ten halvings to one position
WIDTH = 64  # planes after the first convolution, in the published network
_WIDTHS = (1, 2, 4, 8, 8, 8, 8, 8, 8, 8)  # of the levels, in those of the first
_CONV: dict[str, Any] = {"kernel_size": 4, "stride": 2, "padding": 1}


class Level(nn.Module):
    """Down, all levels below, up again; what came in goes along beside it."""

    def __init__(self, outer: int, inner: int, below: Level | None) -> None:
        super().__init__()
        up = nn.ConvTranspose2d(inner if below is None else 2 * inner, outer, **_CONV, bias=False)
        # Where others normalise this one does nothing, but the place counts in the published keys.
        middle = [] if below is None else [nn.Identity(), below]
        down = nn.Conv2d(outer, inner, **_CONV, bias=False)
        self.model = nn.Sequential(nn.LeakyReLU(0.2), down, *middle, nn.ReLU(), up)

    def forward(self, x: Tensor) -> Tensor:  # (N, outer, H, W) -> (N, 2 outer, H, W)
        x = self.model[0](x)
        return torch.cat((x, self.model[1:](x)), 1)


class Outermost(nn.Module):
    """The first convolution, the levels, and the last one."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        below: Level | None = None
        for outer, inner in zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True):
            below = Level(outer, inner, below)
        assert below is not None
        first = nn.Conv2d(2, widths[0], **_CONV, bias=False)
        last = nn.ConvTranspose2d(2 * widths[0], 1, **_CONV)
        self.model = nn.Sequential(first, below, nn.ReLU(), last, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:  # (N, 2, H, W) -> (N, 1, H, W)
        y: Tensor = self.model(x)
        return y


class MergePix2Pix(nn.Module):
    """The network.

    Args:
        width: Planes after the first convolution; only with the published 64 does it fit published weights.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.model = Outermost([width * times for times in _WIDTHS])

    def forward(self, x: Tensor) -> Tensor:  # (N, 2, 1024, 1024), low and high in -1..1 -> (N, 1, 1024, 1024)
        y: Tensor = self.model(x)
        return y
