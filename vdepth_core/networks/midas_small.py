"""MiDaS v2.1 small (Ranftl et al., TPAMI 2020): an EfficientNet-Lite3 encoder and a widening decoder.

Key layout of the published ``midas_v21_small_256`` file. The blocks of the encoder compute what those of
`efficientnet_lite` do, under the names of the package that MiDaS took them from; its classifier is not there.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from .efficientnet_lite import EPS, SameConv, lite_stages
from .midas import Grow, Midas

FEATURES = 64
STEM = 32
VARIANT = (1.2, 1.4)  # Lite3's width and depth


class SeparableBlock(nn.Module):
    """Depthwise, then pointwise."""

    FOLDED: ClassVar = (("conv_dw", "bn1"), ("conv_pw", "bn2"))

    def __init__(self, low: int, high: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = SameConv(low, low, kernel, groups=low, bias=False)
        self.bn1 = nn.BatchNorm2d(low, eps=EPS)
        self.conv_pw = nn.Conv2d(low, high, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(high, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H, W)
        y: Tensor = self.bn2(self.conv_pw(functional.relu6(self.bn1(self.conv_dw(x)))))
        return y


class InvertedBlock(nn.Module):
    """Widen, look around in each channel, narrow; around it a skip where the shapes allow."""

    FOLDED: ClassVar = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3"))

    def __init__(self, low: int, high: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = low * expansion
        self.skip = stride == 1 and low == high
        self.conv_pw, self.bn1 = nn.Conv2d(low, wide, 1, bias=False), nn.BatchNorm2d(wide, eps=EPS)
        self.conv_dw = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self.bn2 = nn.BatchNorm2d(wide, eps=EPS)
        self.conv_pwl, self.bn3 = nn.Conv2d(wide, high, 1, bias=False), nn.BatchNorm2d(high, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H / stride, W / stride)
        y = functional.relu6(self.bn1(self.conv_pw(x)))
        y = self.bn3(self.conv_pwl(functional.relu6(self.bn2(self.conv_dw(y)))))
        out: Tensor = x + y if self.skip else y
        return out


class Pretrained(nn.Module):
    """The encoder under its published names; layer1 starts with the stem.

    Attributes:
        channels: Of the maps at 1/4, 1/8, 1/16 and 1/32.
    """

    def __init__(self) -> None:
        super().__init__()
        stages, low, channels = [], STEM, []
        for count, kernel, stride, expansion, high in lite_stages(*VARIANT):
            blocks: list[nn.Module] = []
            for number in range(count):
                if expansion == 1:
                    blocks.append(SeparableBlock(low, high, kernel))
                else:
                    blocks.append(InvertedBlock(low, high, kernel, stride if number == 0 else 1, expansion))
                low = high
            stages.append(nn.Sequential(*blocks))
            channels.append(high)
        stem = (SameConv(3, STEM, 3, 2, bias=False), nn.BatchNorm2d(STEM, eps=EPS), nn.ReLU6(inplace=True))
        self.layer1 = nn.Sequential(*stem, *stages[:2])
        self.layer2 = nn.Sequential(stages[2])
        self.layer3 = nn.Sequential(*stages[3:5])
        self.layer4 = nn.Sequential(*stages[5:])
        self.channels = tuple(channels[stage] for stage in (1, 2, 4, 6))


class ResidualUnit(nn.Module):
    """Two convolutions around a skip, which is not rectified here as it is in the large network."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        y: Tensor = self.conv2(functional.relu(self.conv1(functional.relu(x)))) + x
        return y


class Fusion(nn.Module):
    """Adds a skip to the path, refines, doubles the size, narrows."""

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(features, out, 1)
        self.resConfUnit1 = ResidualUnit(features)
        self.resConfUnit2 = ResidualUnit(features)

    def forward(self, path: Tensor, skip: Tensor | None = None) -> Tensor:
        if skip is not None:
            path = path + self.resConfUnit1(skip)
        path = functional.interpolate(
            self.resConfUnit2(path), scale_factor=2, mode="bilinear", align_corners=True
        )
        narrow: Tensor = self.out_conv(path)
        return narrow


class Scratch(nn.Module):
    """The decoder under its published names."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        c1, c2, c3, c4 = channels
        self.layer1_rn = nn.Conv2d(c1, FEATURES, 3, padding=1, bias=False)
        self.layer2_rn = nn.Conv2d(c2, 2 * FEATURES, 3, padding=1, bias=False)
        self.layer3_rn = nn.Conv2d(c3, 4 * FEATURES, 3, padding=1, bias=False)
        self.layer4_rn = nn.Conv2d(c4, 8 * FEATURES, 3, padding=1, bias=False)
        self.refinenet4 = Fusion(8 * FEATURES, 4 * FEATURES)
        self.refinenet3 = Fusion(4 * FEATURES, 2 * FEATURES)
        self.refinenet2 = Fusion(2 * FEATURES, FEATURES)
        self.refinenet1 = Fusion(FEATURES, FEATURES)
        self.output_conv = nn.Sequential(
            nn.Conv2d(FEATURES, FEATURES // 2, 3, padding=1), Grow(),
            nn.Conv2d(FEATURES // 2, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 1, 1), nn.ReLU(inplace=True),
        )  # fmt: skip


class MidasSmallNet(Midas):
    """The small network."""

    def __init__(self) -> None:
        encoder = Pretrained()
        super().__init__(encoder, Scratch(encoder.channels))
