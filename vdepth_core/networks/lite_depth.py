"""Depth from an EfficientNet-Lite encoder that has seen ImageNet, and a light pyramid decoder.

The coarsest map is mixed over the whole picture by attention; then four fusions go back to 1/2, each adding
the encoder's map of its size to the coarse one grown twofold. All that is at 1/2 is narrow: that is where a
CPU's time goes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from .efficientnet_lite import LiteEncoder, normed
from .global_context import GlobalContext

WIDTHS = (160, 128, 80, 48, 32)  # channels at 1/32, 1/16, 1/8, 1/4 and 1/2
HEADS = 4


class ConvNorm(nn.Sequential):
    """A convolution and its normalisation; see `efficientnet_lite.normed`."""

    def __init__(self, low: int, high: int, kernel: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(low, high, kernel, 1, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(high)
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H, W)
        return normed(self[0], self[1], x)


class Mixing(nn.Module):
    """A residual separable convolution: depthwise 3x3, pointwise."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.around = ConvNorm(channels, channels, 3, channels)
        self.across = ConvNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        return functional.relu(x + self.across(functional.relu(self.around(x))))


class Fusion(nn.Module):
    """Adds an encoder's map to a coarser one, and mixes twice."""

    def __init__(self, skip: int, coarse: int, out: int) -> None:
        super().__init__()
        self.skip, self.coarse = ConvNorm(skip, out), ConvNorm(coarse, out)
        self.mixing = nn.Sequential(Mixing(out), Mixing(out))

    def forward(
        self, skip: Tensor, coarse: Tensor
    ) -> Tensor:  # (N, skip, H, W), (N, coarse, H / 2, W / 2) -> (N, out, H, W)
        y: Tensor = self.mixing(functional.relu(self.skip(skip) + grown(self.coarse(coarse), skip)))
        return y


class LiteDepthNet(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> relative inverse depth >= 0, up to scale and shift."""

    def __init__(self, variant: str = "lite0") -> None:
        super().__init__()
        self.encoder = LiteEncoder(variant)
        c2, c4, c8, c16, c32 = self.encoder.channels
        self.deep = ConvNorm(c32, WIDTHS[0])
        self.context = GlobalContext(WIDTHS[0], HEADS)
        self.fusions = nn.ModuleList(
            Fusion(skip, coarse, out)
            for skip, coarse, out in zip((c16, c8, c4, c2), WIDTHS[:-1], WIDTHS[1:], strict=True)
        )
        last = nn.Conv2d(16, 1, 1)
        nn.init.constant_(last.bias, 1.0)  # type: ignore[arg-type]  # away from softplus' flat end
        self.head = nn.Sequential(nn.Conv2d(WIDTHS[-1], 16, 3, padding=1), nn.ReLU(inplace=True), last)

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W) >= 0
        *finer, x = self.encoder(rgb)
        x = self.context(self.deep(x))
        for fusion, skip in zip(self.fusions, reversed(finer), strict=True):
            x = fusion(skip, x)
        y = functional.softplus(self.head(x))
        return functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)[:, 0]


def grown(x: Tensor, like: Tensor) -> Tensor:
    """A map resampled to the size of another.

    Args:
        x: (N, C, h, w).
        like: (N, C', H, W).
    """
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
