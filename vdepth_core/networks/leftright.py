"""A network for left-right consistency (Godard et al., CVPR 2017): both eyes' disparity from the left one.

A ResNet and a decoder of nearest-neighbour upsampling, heads at four scales with two channels each,
.3 · sigmoid of the width. The layout is ours: what the authors published is of another framework. Written
from the paper.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from .monodepth2 import DepthDecoder
from .resnet import WIDTH, ResNet, layers_of

MAX_DISPARITY = 0.3  # of the width: what a head's sigmoid is multiplied by


class LeftRightNet(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> disparity of the picture in widths, in [0, .3]."""

    def __init__(self, layers: int = 18, *, width: int = WIDTH) -> None:
        """Makes the network.

        Args:
            layers: Of the ResNet; 50 in the paper's larger variant.
            width: Channels of the encoder's stem.
        """
        super().__init__()
        self.encoder = ResNet(layers, width=width)
        self.eyes = DepthDecoder(self.encoder.channels, outputs=2)

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> LeftRightNet:
        """The empty network of a state: with its layers and width.

        Args:
            state: Key -> tensor.
        """
        stem = state.get("encoder.conv1.weight")
        return cls(layers_of(state, "encoder."), width=WIDTH if stem is None else len(stem))

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W)
        disparity: Tensor = MAX_DISPARITY * self.eyes(self.encoder(rgb), (0,))[0][:, 0]
        return disparity

    def all_scales(self, rgb: Tensor) -> list[Tensor]:
        """For training: (N, 2, H/2^s, W/2^s) in widths, of the left and of the right eye, finest first.

        Args:
            rgb: Left pictures (N, 3, H, W) in [0, 1], sides multiples of 32.
        """
        answers = self.eyes(self.encoder(rgb))
        return [MAX_DISPARITY * answers[scale] for scale in sorted(answers)]
