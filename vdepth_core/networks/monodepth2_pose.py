"""Monodepth2's pose networks: a ResNet over pairs, the depth encoder's features shared, or a plain CNN.

All answer (N, frames, 6), [axis-angle, translation]. What is done with it, the inversion for earlier frames
included, is the recipe's. The decoder of a pair answers two poses, of which only the first is ever used.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .resnet import WIDTH, ResNet

SCALE = 0.01  # of what the last layer says
_SQUEEZED = 256
_PLANES = (16, 32, 64, 128, 256, 256, 256)
_KERNELS = (7, 5, 3, 3, 3, 3, 3)


class PoseDecoder(nn.ModuleList):
    """The coarsest features of one or more inputs -> poses; four convolutions ``{0..3}``."""

    def __init__(self, channels: int, inputs: int = 1, frames: int = 2) -> None:
        """Makes the decoder.

        Args:
            channels: Of the features.
            inputs: How many features come in together: 1, or with a shared encoder one a picture.
            frames: Poses that come out.
        """
        super().__init__(
            [
                nn.Conv2d(channels, _SQUEEZED, 1),
                nn.Conv2d(inputs * _SQUEEZED, _SQUEEZED, 3, padding=1),
                nn.Conv2d(_SQUEEZED, _SQUEEZED, 3, padding=1),
                nn.Conv2d(_SQUEEZED, 6 * frames, 1),
            ]
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """``inputs`` features, each (N, channels, h, w) -> (N, frames, 6)."""
        x = torch.cat([functional.relu(self[0](feature)) for feature in features], 1)
        for layer in (self[1], self[2]):
            x = functional.relu(layer(x))
        return _poses(self[3](x))


class SeparatePose(nn.Module):
    """Two pictures in temporal order -> pose; ``pose_encoder.pth`` and ``pose.pth`` together."""

    def __init__(
        self, layers: int = 18, pictures: int = 2, *, classifier: bool = True, width: int = WIDTH
    ) -> None:
        """Makes the network.

        Args:
            layers: Of the ResNet.
            pictures: Seen at once.
            classifier: Whether the encoder holds the unused ``fc`` of published checkpoints.
            width: Channels of the encoder's stem; 64 as published.
        """
        super().__init__()
        self.encoder = ResNet(layers, pictures=pictures, classifier=classifier, width=width)
        self.net = PoseDecoder(self.encoder.channels[-1])

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3 pictures, H, W) in [0, 1], the earlier one first -> (N, 2, 6), of which index 0 is used."""
        poses: Tensor = self.net([self.encoder(pictures)[-1]])
        return poses


class SharedPose(nn.Module):
    """Poses from the depth encoder's own coarsest features: ``net.{0..3}``."""

    def __init__(self, channels: int = 512, pictures: int = 2) -> None:
        """Makes the decoder.

        Args:
            channels: Of the features.
            pictures: Whose features come in together.
        """
        super().__init__()
        self.net = PoseDecoder(channels, pictures, pictures - 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """One (N, channels, h, w) a picture -> (N, pictures − 1, 6)."""
        poses: Tensor = self.net(features)
        return poses


class PoseCnn(nn.Module):
    """Seven strided convolutions over concatenated pictures: ``net.{0..6}`` and ``pose_conv``."""

    def __init__(self, pictures: int = 2) -> None:
        """Makes the network for ``pictures`` at once."""
        super().__init__()
        lows = (3 * pictures, *_PLANES[:-1])
        self.net = nn.ModuleList(
            nn.Conv2d(low, high, k, 2, k // 2) for low, high, k in zip(lows, _PLANES, _KERNELS, strict=True)
        )
        self.pose_conv = nn.Conv2d(_PLANES[-1], 6 * (pictures - 1), 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3 pictures, H, W) in [0, 1] -> (N, pictures − 1, 6)."""
        for layer in self.net:
            pictures = functional.relu(layer(pictures))
        return _poses(self.pose_conv(pictures))


def _poses(x: Tensor) -> Tensor:  # (N, 6 frames, h, w) -> (N, frames, 6)
    return SCALE * x.mean((2, 3)).view(len(x), -1, 6)


def repeat_stem(weight: Tensor, pictures: int) -> Tensor:
    """The stem of an encoder of several pictures from one of one: the answer to equal pictures is the same.

    Args:
        weight: (64, 3, 7, 7), ImageNet's.
        pictures: How many.

    Returns:
        (64, 3 pictures, 7, 7).
    """
    return weight.repeat(1, pictures, 1, 1) / pictures
