"""Monodepth2's depth network (Godard et al., Digging Into Self-Supervised Monocular Depth, ICCV 2019).

A ResNet and a decoder of nearest-neighbour upsampling with reflected borders. Written from a description of
the published key layout and numerics, not from its code. ``encoder.pth`` and ``depth.pth`` together are this
network's state: 122 and 28 entries with 18 layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from .reflected import EluConv, ReflectConv, double, scaled_disparity
from .resnet import WIDTH, ResNet, layers_of

PLANES = (16, 32, 64, 128, 256)  # of the decoder, finest first
SCALES = (0, 1, 2, 3)  # disparity i is at 1/2^i


class DepthDecoder(nn.ModuleList):
    """Features -> a map in (0, 1) a scale; ten convolutions, coarsest first, then one head a scale.

    Attributes:
        scales: Which scales have heads, in the order of the heads.
    """

    def __init__(self, channels: Sequence[int], scales: Sequence[int] = SCALES, outputs: int = 1) -> None:
        """Makes the decoder.

        Args:
            channels: Of the encoder's five features, finest first.
            scales: Which scales get heads.
            outputs: Channels of a head: 1 disparity, or a mask for each source picture.
        """
        layers: list[nn.Module] = []
        low = channels[-1]
        for i in range(4, -1, -1):
            layers.append(EluConv(low, PLANES[i]))
            layers.append(EluConv(PLANES[i] + (channels[i - 1] if i else 0), PLANES[i]))
            low = PLANES[i]
        super().__init__([*layers, *(ReflectConv(PLANES[scale], outputs) for scale in scales)])
        self.scales = tuple(scales)

    def forward(self, features: Sequence[Tensor], scales: Sequence[int] | None = None) -> dict[int, Tensor]:
        """As `logits`, in (0, 1)."""
        return {scale: torch.sigmoid(x) for scale, x in self.logits(features, scales).items()}

    def logits(self, features: Sequence[Tensor], scales: Sequence[int] | None = None) -> dict[int, Tensor]:
        """What the heads say before the sigmoid.

        Args:
            features: Five, (N, channels[i], H/2^(i+1), W/2^(i+1)).
            scales: Which are wanted; None: all there are.

        Returns:
            Scale -> (N, outputs, H/2^scale, W/2^scale).
        """
        wanted = self.scales if scales is None else scales
        answers: dict[int, Tensor] = {}
        x = features[-1]
        for i in range(4, -1, -1):
            x = double(self[2 * (4 - i)](x))
            if i:
                x = torch.cat((x, features[i - 1]), 1)
            x = self[2 * (4 - i) + 1](x)
            if i in wanted:
                answers[i] = self[10 + self.scales.index(i)](x)
        return answers


class Monodepth2(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> inverse depth up to scale, in [.01, 10]."""

    inverse_depth = staticmethod(scaled_disparity)  # of what `all_scales` answers

    def __init__(
        self, layers: int = 18, scales: Sequence[int] = SCALES, *, classifier: bool = True, width: int = WIDTH
    ) -> None:
        """Makes the network.

        Args:
            layers: Of the ResNet.
            scales: Which scales have heads; the finest, 0, is what `forward` answers.
            classifier: Whether the encoder holds the unused ``fc`` of published checkpoints.
            width: Channels of the encoder's stem; 64 as published.
        """
        super().__init__()
        self.encoder = ResNet(layers, classifier=classifier, width=width)
        self.decoder = DepthDecoder(self.encoder.channels, scales)

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> Monodepth2:
        """The empty network of a state: with its layers, width, heads and ``fc``.

        Args:
            state: Key -> tensor.
        """
        stem = state.get("encoder.conv1.weight")
        heads = []
        for number in range(10, 10 + len(SCALES)):
            head = state.get(f"decoder.{number}.conv.weight")
            if head is not None and head.ndim == 4 and head.shape[1] in PLANES:
                heads.append(PLANES.index(head.shape[1]))
        return cls(
            layers_of(state, "encoder."),
            heads if len(set(heads)) == len(heads) and 0 in heads else SCALES,
            classifier=any(key.startswith("encoder.fc.") for key in state),
            width=WIDTH if stem is None else len(stem),
        )

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W)
        disparity = self.decoder(self.encoder(rgb), (0,))[0]
        return scaled_disparity(disparity[:, 0])

    def all_scales(self, rgb: Tensor) -> list[Tensor]:
        """For training: the sigmoid disparities (N, 1, H/2^s, W/2^s) in (0, 1), finest first.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.
        """
        return self.scales_from(self.encoder(rgb))

    def scales_from(self, features: Sequence[Tensor]) -> list[Tensor]:
        """What `all_scales` answers, for whoever has a use for the encoder's features, too.

        Args:
            features: Of the encoder, see `DepthDecoder.logits`.
        """
        answers = self.decoder(features)
        return [answers[scale] for scale in sorted(answers)]
