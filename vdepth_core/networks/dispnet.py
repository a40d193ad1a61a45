"""SfMLearner's depth network DispNetS (Zhou et al., Learning of Depth and Ego-Motion, CVPR 2017).

In the layout of C. Pinard's PyTorch port: 64 entries, 31,596,900 parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

PLANES = (32, 64, 128, 256, 512, 512, 512)  # of the encoder, finest first
KERNELS = (7, 5, 3, 3, 3, 3, 3)
UP_PLANES = (16, 32, 64, 128, 256, 512, 512)  # of the decoder, finest first
FINEST = 4  # levels 1 to 4 have a disparity
ALPHA, BETA = 10.0, 0.01  # disparity = ALPHA · sigmoid + BETA


class DispNet(nn.Module):
    """RGB in [-1, 1] of any size -> disparity, inverse depth up to scale, in [.01, 10.01]."""

    def __init__(self, planes: Sequence[int] = PLANES, up_planes: Sequence[int] = UP_PLANES) -> None:
        """Makes the network.

        Args:
            planes: Channels of the encoder's seven levels, finest first.
            up_planes: Of the decoder's.
        """
        super().__init__()
        for i, kernel in enumerate(KERNELS, 1):
            low, high = (3, *planes)[i - 1], planes[i - 1]
            setattr(self, f"conv{i}", _down(low, high, kernel))
            deeper = (*up_planes[1:], planes[-1])[i - 1]
            skip = planes[i - 2] if i > 1 else 0
            coarser = 1 if i < FINEST else 0
            up = nn.ConvTranspose2d(deeper, up_planes[i - 1], 3, 2, 1, 1)
            setattr(self, f"upconv{i}", nn.Sequential(up, nn.ReLU(inplace=True)))
            joined = nn.Conv2d(up_planes[i - 1] + skip + coarser, up_planes[i - 1], 3, padding=1)
            setattr(self, f"iconv{i}", nn.Sequential(joined, nn.ReLU(inplace=True)))
            if i <= FINEST:
                head = nn.Conv2d(up_planes[i - 1], 1, 3, padding=1)
                setattr(self, f"predict_disp{i}", nn.Sequential(head, nn.Sigmoid()))

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> DispNet:
        """The empty network of a state: as wide.

        Args:
            state: Key -> tensor.
        """

        def channels(name: str, usual: Sequence[int]) -> list[int]:
            biases = (state.get(f"{name}{i}.0.bias") for i in range(1, len(usual) + 1))
            return [n if bias is None else bias.numel() for n, bias in zip(usual, biases, strict=True)]

        return cls(channels("conv", PLANES), channels("upconv", UP_PLANES))

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [-1, 1] -> (N, H, W)
        return self.all_scales(rgb)[0][:, 0]

    def all_scales(self, rgb: Tensor) -> list[Tensor]:
        """The four disparities (N, 1, H/2^s, W/2^s), finest first; sides are rounded up.

        Args:
            rgb: (N, 3, H, W) in [-1, 1].
        """
        features = [rgb]
        for i in range(1, len(KERNELS) + 1):
            features.append(self.get_submodule(f"conv{i}")(features[-1]))
        x = features[-1]
        disparities: list[Tensor] = []
        for i in range(len(KERNELS), 0, -1):
            finer = features[i - 1]
            parts = [crop(self.get_submodule(f"upconv{i}")(x), finer)]
            if i > 1:
                parts.append(finer)
            if i < FINEST:
                coarse = functional.interpolate(
                    disparities[-1], scale_factor=2, mode="bilinear", align_corners=False
                )
                parts.append(crop(coarse, finer))
            x = self.get_submodule(f"iconv{i}")(torch.cat(parts, 1))
            if i <= FINEST:
                disparities.append(ALPHA * self.get_submodule(f"predict_disp{i}")(x) + BETA)
        return disparities[::-1]


def crop(x: Tensor, like: Tensor) -> Tensor:
    """The upper left of a map.

    Args:
        x: (N, C, H, W).
        like: (…, h, w), no larger.

    Returns:
        (N, C, h, w).
    """
    return x[..., : like.shape[-2], : like.shape[-1]]


def _down(low: int, high: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(low, high, kernel, 2, kernel // 2), nn.ReLU(inplace=True),
        nn.Conv2d(high, high, kernel, 1, kernel // 2), nn.ReLU(inplace=True),
    )  # fmt: skip
