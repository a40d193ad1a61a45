"""PackNet01 (Guizilini et al., 3D Packing for Self-Supervised Monocular Depth Estimation, CVPR 2020; MIT).

Nothing is thrown away on the way down: blocks of pixels become channels, which 3D convolutions compress. The
published networks have 216 entries, 128,294,020 parameters, the slim one 76,997,796.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .reflected import double

GROUPS = 16  # of every normalisation
NEAREST = 0.5  # the largest inverse depth is 1 / NEAREST
PLANES = (64, 64, 128, 256, 512)
STEM = 64
DEPTH = 8  # features of the 3D convolutions
BLOCKS = (2, 2, 3, 3)  # residuals of levels 2 to 5
LEVELS = 5


class NormConv(nn.Module):
    """Convolution, group normalisation, ELU: ``conv_base`` and ``normalize``."""

    def __init__(self, low: int, high: int, kernel: int) -> None:
        super().__init__()
        self.conv_base = nn.Conv2d(low, high, kernel, padding=kernel // 2)
        self.normalize = nn.GroupNorm(GROUPS, high)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H, W)
        return functional.elu(self.normalize(self.conv_base(x)))


class Residual(nn.Module):
    """Two 3x3 around a 1x1 skip, normalised together."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = NormConv(low, high, 3), NormConv(high, high, 3)
        self.conv3 = nn.Conv2d(low, high, 1)
        self.normalize = nn.GroupNorm(GROUPS, high)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H, W)
        return functional.elu(self.normalize(self.conv2(self.conv1(x)) + self.conv3(x)))


class Pack(nn.Module):
    """Half the size: 2x2 pixels become channels, which are squeezed."""

    def __init__(self, channels: int, kernel: int, depth: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(1, depth, 3, padding=1)
        self.conv = NormConv(4 * channels * depth, channels, kernel)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, C, H/2, W/2)
        x = self.conv3d(functional.pixel_unshuffle(x, 2)[:, None])
        y: Tensor = self.conv(x.flatten(1, 2))
        return y


class Unpack(nn.Module):
    """Twice the size: channels are widened and become 2x2 pixels."""

    def __init__(self, low: int, high: int, depth: int) -> None:
        super().__init__()
        self.conv = NormConv(low, 4 * high // depth, 3)
        self.conv3d = nn.Conv3d(1, depth, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, 2H, 2W)
        x = self.conv3d(self.conv(x)[:, None])
        return functional.pixel_shuffle(x.flatten(1, 2), 2)


class InverseDepth(nn.Module):
    """One channel in (0, 2): ``conv1``."""

    def __init__(self, low: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(low, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, 1, H, W)
        return torch.sigmoid(self.conv1(x)) / NEAREST


class PackNet01(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> inverse depth in [0, 2], usually up to scale."""

    def __init__(self, planes: Sequence[int] = PLANES, stem: int = STEM, depth: int = DEPTH) -> None:
        """Makes the network.

        Args:
            planes: Of the five levels, multiples of 16; the slim network has 32, 64, 128, 256, 512.
            stem: Channels of the first convolution; slim: 32.
            depth: Features of the 3D convolutions; slim: 4.
        """
        super().__init__()
        self.pre_calc = NormConv(3, stem, 5)
        self.conv1 = NormConv(stem, planes[0], 7)
        for i, count in enumerate(BLOCKS, 2):
            low, high = planes[i - 2], planes[i - 1]
            blocks = [Residual(low, high), *(Residual(high, high) for _ in range(count - 1))]
            setattr(self, f"conv{i}", nn.Sequential(*blocks))
        for i in range(1, LEVELS + 1):
            setattr(self, f"pack{i}", Pack(planes[i - 1], 5 if i == 1 else 3, depth))
            deeper, skip = planes[min(i, LEVELS - 1)], (stem, *planes)[i - 1]
            setattr(self, f"unpack{i}", Unpack(deeper, planes[i - 1], depth))
            joined = planes[i - 1] + skip + (1 if i < LEVELS - 1 else 0)
            setattr(self, f"iconv{i}", NormConv(joined, planes[i - 1], 3))
            if i < LEVELS:
                setattr(self, f"disp{i}_layer", InverseDepth(planes[i - 1]))

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> PackNet01:
        """The empty network of a state: the published one, the slim one, or of other widths.

        Args:
            state: Key -> tensor.
        """

        def channels(key: str, usual: int) -> int:
            return state[key].numel() if key in state else usual

        planes = [channels(f"iconv{i}.conv_base.bias", PLANES[i - 1]) for i in range(1, LEVELS + 1)]
        return cls(planes, channels("pre_calc.conv_base.bias", STEM), channels("pack1.conv3d.bias", DEPTH))

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W)
        return self.all_scales(rgb)[0][:, 0]

    def all_scales(self, rgb: Tensor) -> list[Tensor]:
        """The four inverse depths (N, 1, H/2^s, W/2^s) in [0, 2], finest first.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.
        """
        x = self.pre_calc(rgb)
        skips = []
        for i in range(1, LEVELS + 1):
            skips.append(x)
            x = self.get_submodule(f"pack{i}")(self.get_submodule(f"conv{i}")(x))
        inverse: list[Tensor] = []
        for i in range(LEVELS, 0, -1):
            parts = [self.get_submodule(f"unpack{i}")(x), skips[i - 1]]
            if inverse:
                parts.append(double(inverse[-1]))
            x = self.get_submodule(f"iconv{i}")(torch.cat(parts, 1))
            if i < LEVELS:
                inverse.append(self.get_submodule(f"disp{i}_layer")(x))
        return inverse[::-1]
