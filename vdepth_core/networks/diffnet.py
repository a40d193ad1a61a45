"""DIFFNet (Zhou et al., Self-Supervised Monocular Depth Estimation with Internal Feature Fusion, BMVC 2021).

HRNet-W18 and a decoder that weighs channels by attention. Written from a description of the published key
layout and numerics, not from its code. The decoder's 56 entries are 28 tensors, each stored under two names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .hrnet import STEM, WIDTH, HRNet, channels_of
from .reflected import EluConv, ReflectConv, double, scaled_disparity

PLANES = {"72": 256, "36": 128, "18": 64, "9": 32}  # what each attention leaves, by the branch it comes from
FINEST = 16
REDUCTION = 16
HEADS = ("dispConvScale0", "dispConvScale1", "dispConvScale2", "dispConvScale3")
NAMES = ("up_x9_0", "up_x9_1", *PLANES, *HEADS)  # the second names are ``decoder.{0..9}`` in this order


class ChannelAttention(nn.Module):
    """Weights of channels from their means: ``fc.{0,2}.weight``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // REDUCTION, bias=False), nn.ReLU(inplace=True),
            nn.Linear(channels // REDUCTION, channels, bias=False), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> the same
        weights: Tensor = self.fc(x.mean((2, 3)))
        return x * weights[..., None, None]


class AttentionJoin(nn.Module):
    """What came up, doubled, and the features of that size, weighed and convolved."""

    def __init__(self, channels: int, planes: int) -> None:
        super().__init__()
        self.ca = ChannelAttention(channels)
        self.conv_se = nn.Conv2d(channels, planes, 3, padding=1)

    def forward(self, high: Tensor, low: Sequence[Tensor]) -> Tensor:
        """(N, C, h, w) and maps (N, ·, 2h, 2w) -> (N, planes, 2h, 2w)."""
        return functional.relu(self.conv_se(self.ca(torch.cat((double(high), *low), 1))))


class DiffNet(HRNet):
    """RGB in [0, 1], sides multiples of 32 -> inverse depth up to scale, in [.01, 10]."""

    inverse_depth = staticmethod(scaled_disparity)  # of what `all_scales` answers

    def __init__(self, width: int = WIDTH, stem: int = STEM) -> None:
        """Makes the network.

        Args:
            width: Channels of the encoder's finest branch; 18 as published.
            stem: Channels of its first convolutions; 64 as published.
        """
        super().__init__(width, stem)
        finer = channels_of(width, stem)
        layers: dict[str, nn.Module] = {
            "up_x9_0": EluConv(PLANES["9"], FINEST),
            "up_x9_1": EluConv(FINEST, FINEST),
        }
        high = finer[-1]
        for (name, planes), low in zip(PLANES.items(), finer[-2::-1], strict=True):
            layers[name] = AttentionJoin(high + low, planes)
            high = planes
        for name, planes in zip(HEADS, (FINEST, *reversed(PLANES.values())), strict=False):
            layers[name] = ReflectConv(planes, 1)
        self.convs = nn.ModuleDict(layers)
        self.decoder = nn.ModuleList(layers.values())

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> DiffNet:
        """The empty network of a state: as wide.

        Args:
            state: Key -> tensor.
        """
        finest, stem = (state.get(key) for key in ("transition1.0.1.weight", "bn1.weight"))
        return cls(WIDTH if finest is None else finest.numel(), STEM if stem is None else stem.numel())

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W)
        return scaled_disparity(self.all_scales(rgb)[0][:, 0])

    def all_scales(self, rgb: Tensor) -> list[Tensor]:
        """The sigmoid disparities of four scales, finest first.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.

        Returns:
            (N, 1, H/2^s, W/2^s) each, in (0, 1).
        """
        features = self.features(rgb)
        x = features[-1][0]
        maps: list[Tensor] = []
        for name, low in zip(PLANES, features[-2::-1], strict=True):
            x = self.convs[name](x, low)
            maps.append(x)
        maps.append(self.convs["up_x9_1"](double(self.convs["up_x9_0"](x))))
        finest_first = maps[:0:-1]  # the coarsest has no head
        return [torch.sigmoid(self.convs[name](x)) for name, x in zip(HEADS, finest_first, strict=True)]
