"""DDV's own network (Johnston & Carneiro, CVPR 2020): a dilated ResNet-101, context by attention, 128 bins.

Written from a description of the key layout and numerics. The encoder has 723 entries of 63,834,432
parameters, some of which nothing reads; the decoder 33 of 618,496. No weights of it are published.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from .discrete import (
    BINS,
    ActivatedNorm,
    DiscreteDisparity,
    DiscreteDisparityHead,
    DiscreteNetwork,
    SelfAttention2d,
    soft_argmax,
)
from .reflected import EluConv, double
from .resnet import BLOCKS, MEAN, STD

WIDTH = 64  # of the stem, to which all else is in proportion
DILATIONS = (12, 24, 36)
DROPPED = 0.1
PLANES = (64, 64, 32)  # of the decoder, coarsest first


class DilatedBottleneck(nn.Module):
    """A bottleneck whose 3x3 has stride and dilation, and whose normalisations are `ActivatedNorm`."""

    def __init__(self, low: int, planes: int, stride: int, dilation: int, joins: bool) -> None:
        super().__init__()
        high = 4 * planes
        self.conv1, self.bn1 = nn.Conv2d(low, planes, 1, bias=False), ActivatedNorm(planes, active=False)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, dilation, dilation, bias=False)
        self.bn2 = ActivatedNorm(planes, active=False)
        self.conv3, self.bn3 = nn.Conv2d(planes, high, 1, bias=False), ActivatedNorm(high, active=False)
        self.downsample = (
            nn.Sequential(nn.Conv2d(low, high, 1, stride, bias=False), ActivatedNorm(high, active=False))
            if joins
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + skip)


class ObjectContext(nn.Module):
    """Attention and the convolution behind it: ``stages.0`` and ``conv_bn_dropout``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList([SelfAttention2d(channels, channels // 2, channels, scale=2)])
        self.conv_bn_dropout = nn.Sequential(nn.Conv2d(channels, channels, 1), ActivatedNorm(channels))

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, H, W) -> the same
        y: Tensor = self.conv_bn_dropout(self.stages[0](x))
        return y


class PyramidContext(nn.Module):
    """ASP-OC: attention beside a plain and three dilated convolutions, joined."""

    def __init__(self, low: int, planes: int) -> None:
        super().__init__()
        self.context = nn.Sequential(nn.Conv2d(low, planes, 3, padding=1), ActivatedNorm(planes))  # unused
        self.context_oc = nn.Sequential(
            nn.Conv2d(low, planes, 3, padding=1), ActivatedNorm(planes), ObjectContext(planes)
        )
        self.conv2 = nn.Sequential(nn.Conv2d(low, planes, 1, bias=False), ActivatedNorm(planes))
        for number, dilation in enumerate(DILATIONS, 3):
            conv = nn.Conv2d(low, planes, 3, padding=dilation, dilation=dilation, bias=False)
            setattr(self, f"conv{number}", nn.Sequential(conv, ActivatedNorm(planes)))
        self.conv_bn_dropout = nn.Sequential(
            nn.Conv2d(5 * planes, 2 * planes, 1, bias=False), ActivatedNorm(2 * planes), nn.Dropout2d(DROPPED)
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, 2 planes, H, W)
        branches = (self.context_oc, self.conv2, *(self.get_submodule(f"conv{k}") for k in (3, 4, 5)))
        y: Tensor = self.conv_bn_dropout(torch.cat([branch(x) for branch in branches], 1))
        return y


class DdvEncoder(nn.Module):
    """RGB -> features at 1/2 and 1/4, and the bins' logits at 1/8."""

    def __init__(self, width: int = WIDTH, bins: int = BINS) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 2, 2, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 2, 1, bias=False)
        self.conv3 = nn.Conv2d(width, 2 * width, 3, 1, 1, bias=False)
        for k, conv in enumerate((self.conv1, self.conv2, self.conv3), 1):
            setattr(self, f"bn{k}", ActivatedNorm(conv.out_channels, active=False))
        low = 2 * width
        for k, (count, stride, dilation) in enumerate(
            zip(BLOCKS[101], (1, 2, 1, 1), (1, 1, 2, 4), strict=True), 1
        ):
            planes = width << (k - 1)
            blocks = [DilatedBottleneck(low, planes, stride, dilation, joins=True)]
            low = 4 * planes
            blocks += [DilatedBottleneck(low, planes, 1, dilation, joins=False) for _ in range(count - 1)]
            setattr(self, f"layer{k}", nn.Sequential(*blocks))
        inner = 8 * width
        self.context = nn.Sequential(
            nn.Conv2d(low, inner, 3, padding=1), ActivatedNorm(inner), PyramidContext(inner, inner // 2)
        )
        self.cls = nn.Conv2d(inner, bins, 1)
        self.dsn = nn.Sequential(  # of deep supervision, unused
            nn.Conv2d(low // 2, inner, 3, padding=1), ActivatedNorm(inner), nn.Conv2d(inner, bins, 1)
        )

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 3, H, W) in [0, 1] -> (N, 128, H/2, W/2), (N, 256, H/4, W/4), (N, bins, H/8, W/8)."""
        x = (rgb - MEAN) / STD
        for k in (1, 2, 3):
            x = functional.relu(self.get_submodule(f"bn{k}")(self.get_submodule(f"conv{k}")(x)))
        half = x
        quarter = x = self.get_submodule("layer1")(functional.max_pool2d(x, 3, 2, ceil_mode=True))
        for k in (2, 3, 4):
            x = self.get_submodule(f"layer{k}")(x)
        return half, quarter, self.cls(self.context(x))


class Deconv(nn.Module):
    """Doubles a map, joins what the encoder says of that size, and has a head."""

    def __init__(self, low: int, skip: int, planes: int, bins: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = EluConv(low, planes), EluConv(planes + skip, planes)
        self.output_layer = DiscreteDisparityHead(planes, bins)

    def forward(self, x: Tensor, *skip: Tensor) -> Tensor:
        """(N, low, h, w) and, if any, (N, skip, 2h, 2w) -> (N, planes, 2h, 2w)."""
        y: Tensor = self.conv2(torch.cat((double(self.conv1(x)), *skip), 1))
        return y


class Ddv(DiscreteNetwork):
    """RGB in [0, 1], sides multiples of 32 -> inverse depth up to scale, and how unsure it is."""

    def __init__(self, width: int = WIDTH, bins: int = BINS) -> None:
        """Makes the network.

        Args:
            width: Channels of the encoder's stem; 64 as described.
            bins: Disparities to choose between; 128 as described.
        """
        super().__init__()
        self.resnet_model = DdvEncoder(width, bins)
        self.deconv1 = Deconv(bins, 4 * width, PLANES[0], bins)
        self.deconv2 = Deconv(PLANES[0], 2 * width, PLANES[1], bins)
        self.deconv3 = Deconv(PLANES[1], 0, PLANES[2], bins)

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> Ddv:
        """The empty network of a state: as wide, with as many bins.

        Args:
            state: Key -> tensor.
        """
        stem, bins = (state.get(f"resnet_model.{name}") for name in ("conv1.weight", "cls.bias"))
        return cls(WIDTH if stem is None else len(stem), BINS if bins is None else bins.numel())

    def distributions(self, rgb: Tensor, finest: bool = False) -> list[DiscreteDisparity]:
        """Mean and variance of every scale, finest first.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.
            finest: Only the first.
        """
        half, quarter, logits = self.resnet_model(rgb)
        second = self.deconv1(logits, quarter)
        first = self.deconv2(second, half)
        answers = [self.deconv3.output_layer(self.deconv3(first))]
        if not finest:
            answers += [
                self.deconv2.output_layer(first),
                self.deconv1.output_layer(second),
                soft_argmax(logits),
            ]
        return answers
