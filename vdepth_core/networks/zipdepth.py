"""ZipDepth (Tosi et al., ECCV 2026): an encoder of convolutions that fuse, and a light decoder.

In training each block is a 3x3 and a 1x1 convolution beside a skip; `fused` makes one convolution of them.
The published key layout: the base network, or the one for NPUs, whose last enlargement is another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .folding import fold_batchnorms

CHANNELS = (48, 96, 192, 384)  # at 1/4, 1/8, 1/16 and 1/32
DEPTHS = (2, 2, 6, 2)
DECODER = (288, 192, 144, 96, 32)
HALF = 24  # channels at 1/2
GROUPS = 4
MIX = 0.3  # how much of each other the two coarsest maps get
RGB_MEAN, RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


class ConvUnit(nn.Module):
    """Convolution, normalisation, ReLU."""

    def __init__(self, low: int, high: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(low, high, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(high)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H / stride, W / stride)
        return functional.relu(self.bn(self.conv(x)))


class RepBlock(nn.Module):
    """A 3x3 and a 1x1 convolution and, where the shapes allow, the input itself, added up."""

    def __init__(self, low: int, high: int, stride: int = 1) -> None:
        super().__init__()
        self.skip = low == high and stride == 1
        self.branch_3x3 = nn.Sequential(nn.Conv2d(low, high, 3, stride, 1, bias=False), nn.BatchNorm2d(high))
        self.branch_1x1 = nn.Sequential(nn.Conv2d(low, high, 1, stride, bias=False), nn.BatchNorm2d(high))

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H / stride, W / stride)
        y: Tensor = self.branch_3x3(x) + self.branch_1x1(x)
        return functional.relu(y + x if self.skip else y)

    def fused(self) -> nn.Module:
        """The same as one convolution and a ReLU."""
        three: Any = fuse_conv_bn_eval(*self.branch_3x3)
        one: Any = fuse_conv_bn_eval(*self.branch_1x1)
        with torch.no_grad():
            three.weight[:, :, 1:2, 1:2] += one.weight
            three.bias += one.bias
            if self.skip:
                three.weight[:, :, 1, 1] += torch.eye(len(three.weight))
        return nn.Sequential(three, nn.ReLU(inplace=True))


class MultiScale(nn.Module):
    """Adds what two depthwise convolutions of different reach see."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch1 = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False)
        self.branch2 = nn.Conv2d(channels, channels, 3, 1, 2, 2, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        y: Tensor = x + self.bn(self.branch1(x) + self.branch2(x))
        return y


class StripGate(nn.Module):
    """Weighs each position by the means of its row and its column."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate_conv = nn.Sequential(
            nn.Conv2d(channels, channels, 1, groups=channels, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        y: Tensor = x * torch.sigmoid(self.gate_conv(x.mean(3, keepdim=True) + x.mean(2, keepdim=True)))
        return y


class ChannelGate(nn.Module):
    """Weighs channels by their means (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False), nn.ReLU(), nn.Conv2d(inner, channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        y: Tensor = x * torch.sigmoid(self.fc(x.mean((2, 3), keepdim=True)))
        return y


class GlobalContext(nn.Module):
    """Adds one vector to all positions: a weighted mean of them, transformed (Cao et al., 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.context_weight = nn.Conv2d(channels, 1, 1)
        inner = channels // 4
        self.transform = nn.Sequential(
            nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        weights = self.context_weight(x).flatten(2).softmax(2)  # (N, 1, HW)
        mean = (x.flatten(2) * weights).sum(2)[..., None, None]
        y: Tensor = x + self.transform(mean)
        return y


class PyramidPooling(nn.Module):
    """Maxima of growing reach beside the map itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 4
        self.cv1, self.cv2 = ConvUnit(channels, inner, 1), ConvUnit(4 * inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        maps = [self.cv1(x)]
        for _ in range(3):
            maps.append(functional.max_pool2d(maps[-1], 5, 1, 2))
        y: Tensor = self.cv2(torch.cat(maps, 1))
        return y


class CrossScale(nn.Module):
    """Gives each of the two coarsest maps a part of the other."""

    def __init__(self, high: int, low: int) -> None:
        super().__init__()
        self.low_to_high = nn.Conv2d(low, high, 1, groups=GROUPS, bias=False)
        self.high_to_low = nn.Conv2d(high, low, 1, groups=GROUPS, bias=False)

    def forward(
        self, high: Tensor, low: Tensor
    ) -> tuple[Tensor, Tensor]:  # (N, C, H, W), (N, C', H / 2, W / 2) -> the same shapes
        up = functional.interpolate(self.low_to_high(low), scale_factor=2, mode="nearest")
        down = functional.avg_pool2d(self.high_to_low(high), 2)
        return high + MIX * up, low + MIX * down


class Encoder(nn.Module):
    """Maps at 1/2, 1/4, 1/8, 1/16 and 1/32."""

    def __init__(self) -> None:
        super().__init__()
        c1, c2, c3, c4 = CHANNELS
        self.stem_half, self.stem_quarter = ConvUnit(3, HALF, 3, 2), ConvUnit(HALF, c1, 3, 2)
        self.stage1 = _stage(c1, DEPTHS[0])
        self.down2 = RepBlock(c1, c2, 2)
        self.stage2 = _stage(c2, DEPTHS[1], MultiScale(c2), StripGate(c2))
        self.down3 = RepBlock(c2, c3, 2)
        self.stage3 = _stage(c3, DEPTHS[2], ChannelGate(c3, c3 // 8), GlobalContext(c3))
        self.down4 = RepBlock(c3, c4, 2)
        self.stage4 = _stage(c4, DEPTHS[3])
        self.spp = PyramidPooling(c4)
        self.cross_scale = CrossScale(c3, c4)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        half = self.stem_half(x)
        first = self.stage1(self.stem_quarter(half))
        second = self.stage2(self.down2(first))
        third = self.stage3(self.down3(second))
        third, fourth = self.cross_scale(third, self.spp(self.stage4(self.down4(third))))
        return half, first, second, third, fourth


class Fusion(nn.Module):
    """Joins a map with a coarser one."""

    def __init__(self, high: int, low: int, out: int) -> None:
        super().__init__()
        self.proj_high = nn.Conv2d(high, out, 1, groups=GROUPS, bias=False)
        self.proj_low = nn.Conv2d(low, out, 1, groups=GROUPS, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(
        self, high: Tensor, low: Tensor
    ) -> Tensor:  # (N, high, H, W), (N, low, H / 2, W / 2) -> (N, out, H, W)
        grown = functional.interpolate(low, size=high.shape[-2:], mode="bilinear", align_corners=False)
        return functional.relu(self.bn(self.proj_high(high) + self.proj_low(grown)))


class ConvexUp(nn.Module):
    """Twice the size: each new pixel a mean of the nine around it, by weights the features say."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.mask_pred = nn.Sequential(
            nn.Conv2d(features, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 36, 1),
        )

    def forward(self, depth: Tensor, features: Tensor) -> Tensor:  # (N, 1, H, W) -> (N, 1, 2 H, 2 W)
        n, _, h, w = depth.shape
        weights = self.mask_pred(features).reshape(n, 9, 4, h, w).softmax(1)
        padded = functional.pad(depth, (1, 1, 1, 1), mode="replicate")
        around = torch.cat([padded[..., y : y + h, x : x + w] for y in range(3) for x in range(3)], 1)
        return functional.pixel_shuffle((weights * around[:, :, None]).sum(1), 2)


class BlendUp(nn.Module):
    """Twice the size: nearest where the features say so, else bilinear."""

    def __init__(self, features: int) -> None:
        super().__init__()
        inner = features // 2
        self.where_conv = nn.Sequential(
            nn.Conv2d(features, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 5, padding=2, groups=inner, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, 1, 1, bias=False),
        )  # fmt: skip

    def forward(self, depth: Tensor, features: Tensor) -> Tensor:  # (N, 1, H, W) -> (N, 1, 2 H, 2 W)
        where = torch.sigmoid(_twice(self.where_conv(features)))
        near = functional.interpolate(depth, scale_factor=2, mode="nearest")
        return where * near + (1 - where) * _twice(depth)


class Decoder(nn.Module):
    """From 1/32 back to the whole size."""

    def __init__(self, blend: bool) -> None:
        super().__init__()
        wide = DECODER
        self.proj4 = ConvUnit(CHANNELS[3], wide[0], 1)
        self.fuse3 = Fusion(CHANNELS[2], wide[0], wide[1])
        self.fuse2 = Fusion(CHANNELS[1], wide[1], wide[2])
        self.fuse1 = Fusion(CHANNELS[0], wide[2], wide[3])
        self.fuse_half = Fusion(HALF, wide[3], wide[4])
        self.head_half = nn.Conv2d(wide[4], 1, 3, padding=1)
        self.convex_up = BlendUp(wide[4]) if blend else ConvexUp(wide[4])

    def forward(self, half: Tensor, first: Tensor, second: Tensor, third: Tensor, fourth: Tensor) -> Tensor:
        x = self.fuse2(second, self.fuse3(third, self.proj4(fourth)))
        features = self.fuse_half(half, self.fuse1(first, x))
        return functional.relu(self.convex_up(self.head_half(features), features))


class ZipDepth(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> relative inverse depth >= 0, up to scale and shift.

    Args:
        blend: Whether it is the one for NPUs.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, blend: bool = False) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(RGB_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(RGB_STD).view(1, 3, 1, 1))
        self.encoder = Encoder()
        self.decoder = Decoder(blend)

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W) >= 0
        disparity: Tensor = self.decoder(*self.encoder((rgb - self.mean) / self.std))[:, 0]
        return disparity

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> ZipDepth:
        """The empty network that a state is of.

        Args:
            state: Tensors by key.
        """
        return cls(blend=any(".where_conv." in key for key in state))


def fused(network: nn.Module) -> nn.Module:
    """Makes each block one convolution, and folds what other normalisations it can.

    Args:
        network: A `ZipDepth`; changed in place, for evaluation.

    Returns:
        The same.
    """
    for module in list(network.eval().modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, RepBlock):
                setattr(module, name, child.fused())
    return fold_batchnorms(network)


def _stage(channels: int, depth: int, *more: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(RepBlock(channels, channels) for _ in range(depth)), *more)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
