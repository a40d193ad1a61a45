"""Convolutions behind reflected borders, which the decoders of Monodepth2 and its descendants are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# sigmoid disparity in [0, 1] -> inverse depth; depth is between .1 and 100 (Monodepth2)
NEAREST, FURTHEST = 0.1, 100.0


class ReflectConv(nn.Module):
    """A 3x3 convolution behind a border of one reflected pixel: ``conv.{weight,bias}``."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(low, high, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H, W)
        y: Tensor = self.conv(x)
        return y


class EluConv(nn.Module):
    """The same and an ELU: ``conv.conv.{weight,bias}``."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.conv = ReflectConv(low, high)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H, W)
        return functional.elu(self.conv(x))


def double(x: Tensor) -> Tensor:
    """Twice the size by repeating pixels.

    Args:
        x: (N, C, H, W).

    Returns:
        (N, C, 2H, 2W).
    """
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def scaled_disparity(disparity: Tensor) -> Tensor:
    """The sigmoid's answer as inverse depth.

    Args:
        disparity: Of any shape, in [0, 1].

    Returns:
        Of the same shape, in [.01, 10].
    """
    low, high = 1 / FURTHEST, 1 / NEAREST
    return low + (high - low) * disparity
