"""MiDaS v2.1 (Ranftl et al., Towards Robust Monocular Depth Estimation, TPAMI 2020).

A ResNeXt101-32x8d encoder and four fusion blocks.
The same class is TCMonoDepth's large network. 105.36 M parameters; key layout of the published
``midas_v21_384`` file.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

GROUPS, GROUP_WIDTH = 32, 8  # ResNeXt101-32x8d, Xie et al., CVPR 2017
LAYERS = (3, 4, 23, 3)
FEATURES = 256
RGB_MEAN = (0.485, 0.456, 0.406)  # ImageNet, applied by the model around this network
RGB_STD = (0.229, 0.224, 0.225)


class Bottleneck(nn.Module):
    """ResNeXt bottleneck: 1x1, grouped 3x3, 1x1 around a skip."""

    def __init__(self, low: int, planes: int, stride: int) -> None:
        super().__init__()
        width, out = planes * GROUP_WIDTH * GROUPS // 64, planes * 4
        self.conv1, self.bn1 = nn.Conv2d(low, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, groups=GROUPS, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(nn.Conv2d(low, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            if stride != 1 or low != out
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        y: Tensor = self.relu(self.bn3(self.conv3(x)) + skip)
        return y


def _layer(low: int, planes: int, count: int, stride: int) -> nn.Sequential:
    blocks = [Bottleneck(low, planes, stride)]
    blocks += [Bottleneck(planes * 4, planes, 1) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class Pretrained(nn.Module):
    """The encoder under its published names; layer1 starts with the stem."""

    def __init__(self) -> None:
        super().__init__()
        stem = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        ]
        self.layer1 = nn.Sequential(*stem, _layer(64, 64, LAYERS[0], 1))
        self.layer2 = _layer(256, 128, LAYERS[1], 2)
        self.layer3 = _layer(512, 256, LAYERS[2], 2)
        self.layer4 = _layer(1024, 512, LAYERS[3], 2)


class ResidualConvUnit(nn.Module):
    """Two convolutions around a skip; the first ReLU is in place, so the skip adds relu(x)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        x = functional.relu(x)  # kept: the published weights were trained with this skip
        y: Tensor = self.conv2(functional.relu(self.conv1(x))) + x
        return y


class FeatureFusionBlock(nn.Module):
    """Adds a skip to the path, refines, doubles the size."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.resConfUnit1 = ResidualConvUnit(features)
        self.resConfUnit2 = ResidualConvUnit(features)

    def forward(self, path: Tensor, skip: Tensor | None = None) -> Tensor:
        if skip is not None:
            path = path + self.resConfUnit1(skip)
        path = self.resConfUnit2(path)
        return functional.interpolate(path, scale_factor=2, mode="bilinear", align_corners=True)


class Grow(nn.Module):
    """Doubles the size."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Scratch(nn.Module):
    """The decoder under its published names."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1_rn = nn.Conv2d(256, FEATURES, 3, padding=1, bias=False)
        self.layer2_rn = nn.Conv2d(512, FEATURES, 3, padding=1, bias=False)
        self.layer3_rn = nn.Conv2d(1024, FEATURES, 3, padding=1, bias=False)
        self.layer4_rn = nn.Conv2d(2048, FEATURES, 3, padding=1, bias=False)
        self.refinenet4 = FeatureFusionBlock(FEATURES)
        self.refinenet3 = FeatureFusionBlock(FEATURES)
        self.refinenet2 = FeatureFusionBlock(FEATURES)
        self.refinenet1 = FeatureFusionBlock(FEATURES)
        self.output_conv = nn.Sequential(
            nn.Conv2d(FEATURES, 128, 3, padding=1), Grow(),
            nn.Conv2d(128, 32, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(32, 1, 1), nn.ReLU(inplace=True),
        )  # fmt: skip


class Midas(nn.Module):
    """Normalised RGB, sides multiples of 32 -> relative inverse depth >= 0, up to scale and shift."""

    def __init__(self, pretrained: nn.Module, scratch: nn.Module) -> None:
        super().__init__()
        self.pretrained, self.scratch = pretrained, scratch

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) -> (N, H, W)
        p: Any = self.pretrained
        s: Any = self.scratch
        first = p.layer1(rgb)
        second = p.layer2(first)
        third = p.layer3(second)
        path = s.refinenet4(s.layer4_rn(p.layer4(third)))
        path = s.refinenet3(path, s.layer3_rn(third))
        path = s.refinenet2(path, s.layer2_rn(second))
        path = s.refinenet1(path, s.layer1_rn(first))
        disparity: Tensor = s.output_conv(path)[:, 0]
        return disparity


class MidasNet(Midas):
    """The large network."""

    def __init__(self) -> None:
        super().__init__(Pretrained(), Scratch())
