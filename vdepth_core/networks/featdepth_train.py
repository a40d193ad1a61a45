"""What trains FeatDepth: its pose network and the auto-encoder whose features are compared.

`MonoFm` and `MonoFmJoint` are whole checkpoints as published: 814 entries of 73,777,986 parameters, and 842.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .featdepth import PLANES, Encoder, FeatDepth, numel, shape_of
from .reflected import EluConv, ReflectConv, double
from .resnet import WIDTH

POSE_SIZE = (192, 640)  # poses are found at this size, whatever the picture's
POSE_SCALE = 0.01
_SQUEEZED = 256
_PLANES = (16, 32, 64, 128, 256)  # of the auto-encoder's decoder, finest first
_RECONSTRUCTED = (4, 3, 2, 1)  # levels with a reconstruction: at 1/8 to 1/1


class FeatPoseDecoder(nn.Module):
    """The coarsest features of a pair -> (N, 6), [axis-angle, translation]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, _SQUEEZED, 1)
        self.conv1 = nn.Conv2d(_SQUEEZED, _SQUEEZED, 3, padding=1)
        self.conv2 = nn.Conv2d(_SQUEEZED, _SQUEEZED, 3, padding=1)
        self.conv3 = nn.Conv2d(_SQUEEZED, 6, 1)

    def forward(self, feature: Tensor) -> Tensor:  # (N, channels, h, w) -> (N, 6)
        for layer in (self.reduce, self.conv1, self.conv2):
            feature = functional.relu(layer(feature))
        pose: Tensor = POSE_SCALE * self.conv3(feature).mean((2, 3))
        return pose


class FeatPose(nn.Module):
    """The pose network alone, under its names in a whole checkpoint."""

    def __init__(self, *, classifier: bool = True, width: int = WIDTH) -> None:
        super().__init__()
        self.PoseEncoder = Encoder(18, pictures=2, classifier=classifier, width=width)
        self.PoseDecoder = FeatPoseDecoder(self.PoseEncoder.encoder.channels[-1])

    def forward(self, pair: Tensor) -> Tensor:
        """(N, 6, H, W) in [0, 1], the earlier picture first -> (N, 6), [axis-angle, translation]."""
        small = functional.interpolate(pair, POSE_SIZE, mode="bilinear", align_corners=False)
        pose: Tensor = self.PoseDecoder(self.PoseEncoder(small)[-1])
        return pose


class Reconstruction(nn.Module):
    """The coarsest features alone -> the picture again, at 1/1 to 1/8; no skips."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        low = channels
        for k in range(5, 0, -1):
            setattr(self, f"upconv{k}", EluConv(low, _PLANES[k - 1]))
            setattr(self, f"iconv{k}", EluConv(_PLANES[k - 1], _PLANES[k - 1]))
            if k in _RECONSTRUCTED:
                setattr(self, f"disp{k}", ReflectConv(_PLANES[k - 1], 3))
            low = _PLANES[k - 1]

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Five features, of which the last is used -> (N, 3, H/2^s, W/2^s) in (0, 1), s = 0..3."""
        pictures: list[Tensor] = []
        x = features[-1]
        for k in range(5, 0, -1):
            x = double(self.get_submodule(f"upconv{k}")(x))
            x = self.get_submodule(f"iconv{k}")(x)
            if k in _RECONSTRUCTED:
                pictures.append(torch.sigmoid(self.get_submodule(f"disp{k}")(x)))
        return pictures[::-1]


class AutoEncoder(nn.Module):
    """Pictures in [0, 1], taken as they are -> features that losses compare, and the pictures again."""

    def __init__(self, layers: int = 50, *, classifier: bool = True, width: int = WIDTH) -> None:
        super().__init__()
        self.Encoder = Encoder(layers, normalised=False, classifier=classifier, width=width)
        self.Decoder = Reconstruction(self.Encoder.encoder.channels[-1])

    def forward(self, rgb: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(N, 3, H, W) in [0, 1] -> the five features, and the reconstructions (N, 3, H/2^s, W/2^s)."""
        features: list[Tensor] = self.Encoder(rgb)
        return features, self.Decoder(features)


class MonoFm(FeatDepth):
    """Depth, pose and the frozen feature extractor, as one checkpoint has them."""

    def __init__(
        self,
        layers: int = 50,
        *,
        classifier: bool = True,
        width: int = WIDTH,
        planes: int = PLANES,
        narrow: int = WIDTH,
    ) -> None:
        """Makes the networks.

        Args:
            layers: Of the depth network's and the extractor's ResNet.
            classifier: Whether every ResNet holds an unused ``fc``, as the published count of entries says.
            width: Channels of their stems; 64 as published.
            planes: Of the depth decoder; 256 as published.
            narrow: Channels of the stem of the pose network's ResNet-18; 64 as published.
        """
        super().__init__(layers, classifier=classifier, width=width, planes=planes)
        self.PoseEncoder = Encoder(18, pictures=2, classifier=classifier, width=narrow)
        self.PoseDecoder = FeatPoseDecoder(self.PoseEncoder.encoder.channels[-1])
        self._add_extractor(Encoder(layers, normalised=False, classifier=classifier, width=width))

    def _add_extractor(self, encoder: Encoder) -> None:
        self.extractor = encoder

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> MonoFm:
        """The empty networks of a state: with its layers, widths and ``fc``.

        Args:
            state: Key -> tensor.
        """
        return cls(**shape_of(state), narrow=numel(state, "PoseEncoder.encoder.bn1.weight", WIDTH))

    def pose(self, earlier: Tensor, later: Tensor) -> Tensor:
        """The pose between two frames.

        Args:
            earlier: (N, 3, H, W) in [0, 1].
            later: The same, of a later frame.

        Returns:
            (N, 6), [axis-angle, translation].
        """
        return FeatPose.forward(self, torch.cat((earlier, later), 1))  # type: ignore[arg-type]


class MonoFmJoint(MonoFm):
    """The same with the auto-encoder that is trained along, in place of the extractor."""

    def _add_extractor(self, encoder: Encoder) -> None:
        self.Encoder = encoder
        self.Decoder = Reconstruction(self.Encoder.encoder.channels[-1])
