"""FeatDepth's depth network (Shu et al., Feature-metric Loss for Self-supervised Learning, ECCV 2020).

A ResNet-50 and a decoder that refines each level by chained residual pooling. Written from a description of
the published key layout and numerics, not from its code. Its finest disparity is half the picture's size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .reflected import ReflectConv, double, scaled_disparity
from .resnet import WIDTH, ResNet, layers_of

PLANES = 256  # of every level but the reduced coarsest
COARSEST = 512
POOLINGS = 4
SLOPE = 0.01  # of leaky ReLUs
DROPPED = 0.5  # of the two coarsest features in training
LEVELS = (4, 3, 2, 1)


class Pointwise(nn.Module):
    """A 1x1 convolution without bias: ``conv.weight``."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(low, high, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H, W)
        y: Tensor = self.conv(x)
        return y


class ChainedPooling(nn.Module):
    """What lies around, added in four widening steps: ``{1..4}_pointwise``."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        for j in range(1, POOLINGS + 1):
            setattr(self, f"{j}_pointwise", Pointwise(planes, planes))

    def forward(self, x: Tensor) -> Tensor:  # (N, planes, H, W) -> the same
        around = x
        for j in range(1, POOLINGS + 1):
            pooled = functional.max_pool2d(around, 5, 1, 2)
            around = getattr(self, f"{j}_pointwise")(pooled)
            x = x + around
        return x


class FeatDepthDecoder(nn.Module):
    """Features at 1/4 to 1/32 -> disparities in (0, 1) at 1/2 to 1/16."""

    def __init__(self, channels: Sequence[int], planes: int = PLANES) -> None:
        """Makes the decoder.

        Args:
            channels: Of the encoder's five features, finest first; the first is not used.
            planes: Of the levels; 256 as published, twice as many for the reduced coarsest feature.
        """
        super().__init__()
        for i in LEVELS:
            reduced = planes * COARSEST // PLANES if i == LEVELS[0] else planes
            joined = reduced if i == LEVELS[0] else reduced + planes + 1
            setattr(self, f"reduce{i}", Pointwise(channels[i], reduced))
            setattr(self, f"iconv{i}", ReflectConv(joined, planes))
            setattr(self, f"crp{i}", nn.Sequential(ChainedPooling(planes)))
            setattr(self, f"merge{i}", ReflectConv(planes, planes))
            setattr(self, f"disp{i}", nn.Sequential(ReflectConv(planes, 1), nn.Sigmoid()))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Five features -> (N, 1, H/2^(s+1), W/2^(s+1)) for s = 0..3, finest first."""
        disparities: list[Tensor] = []
        x = features[0]  # set in the first round
        for i in LEVELS:
            feature = features[i]
            if i >= LEVELS[1]:
                feature = functional.dropout(feature, DROPPED, self.training)
            reduced = self.get_submodule(f"reduce{i}")(feature)
            joined = torch.cat((reduced, x, disparities[-1]), 1) if disparities else reduced
            x = functional.leaky_relu(self.get_submodule(f"iconv{i}")(joined), SLOPE)
            x = self.get_submodule(f"crp{i}")(x)
            x = double(functional.leaky_relu(self.get_submodule(f"merge{i}")(x), SLOPE))
            disparities.append(self.get_submodule(f"disp{i}")(x))
        return disparities[::-1]


class Encoder(nn.Module):
    """A ResNet under the name ``encoder``, which is how FeatDepth's checkpoints have all of theirs."""

    def __init__(
        self, layers: int, pictures: int = 1, normalised: bool = True, *, classifier: bool, width: int
    ) -> None:
        super().__init__()
        self.encoder = ResNet(
            layers, pictures=pictures, classifier=classifier, normalised=normalised, width=width
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """As `ResNet` has it."""
        features: list[Tensor] = self.encoder(x)
        return features


class FeatDepth(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> inverse depth up to scale, in [.01, 10]."""

    inverse_depth = staticmethod(scaled_disparity)  # of what `all_scales` answers

    def __init__(
        self, layers: int = 50, *, classifier: bool = True, width: int = WIDTH, planes: int = PLANES
    ) -> None:
        """Makes the network.

        Args:
            layers: Of the ResNet.
            classifier: Whether the encoder holds an unused ``fc``, as the published count of entries says.
            width: Channels of its stem; 64 as published.
            planes: Of the decoder; 256 as published.
        """
        super().__init__()
        self.DepthEncoder = Encoder(layers, classifier=classifier, width=width)
        self.DepthDecoder = FeatDepthDecoder(self.DepthEncoder.encoder.channels, planes)

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> FeatDepth:
        """The empty network of a state: with its layers, widths and ``fc``.

        Args:
            state: Key -> tensor.
        """
        return cls(**shape_of(state))

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W)
        half = scaled_disparity(self.all_scales(rgb)[0])
        return functional.interpolate(half, rgb.shape[2:], mode="bilinear", align_corners=False)[:, 0]

    def all_scales(self, rgb: Tensor) -> list[Tensor]:
        """The sigmoid disparities (N, 1, H/2^(s+1), W/2^(s+1)) in (0, 1), s = 0..3, finest first.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.
        """
        disparities: list[Tensor] = self.DepthDecoder(self.DepthEncoder(rgb))
        return disparities


def numel(state: Mapping[str, Tensor], key: str, usual: int) -> int:
    """How many numbers an entry has, which tells how wide a network is.

    Args:
        state: Key -> tensor.
        key: The entry's.
        usual: Where there is none.
    """
    return state[key].numel() if key in state else usual


def shape_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the depth networks of a state are built of: ``layers``, ``classifier``, ``width`` and ``planes``.

    Args:
        state: Key -> tensor.
    """
    return {
        "layers": layers_of(state, "DepthEncoder.encoder."),
        "classifier": any(key.startswith("DepthEncoder.encoder.fc.") for key in state),
        "width": numel(state, "DepthEncoder.encoder.bn1.weight", WIDTH),
        "planes": numel(state, "DepthDecoder.iconv4.conv.bias", PLANES),
    }
