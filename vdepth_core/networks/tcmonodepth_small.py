"""TCMonoDepth's small network (Li et al., Temporal Consistency in Video Depth Estimation, ICCV-W 2021).

A ShuffleNetV2-like encoder (Ma et al., ECCV 2018) and a separable-convolution decoder, 186,063 parameters.
The published file stores the encoder twice (``encoder.features`` and ``encoder.stage1..3`` are the same
blocks), and so does this module, so that the file loads strictly with its 714 entries.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (24, 48, 96, 192)  # after the first convolution and the three stages
REPEATS = (4, 8, 4)  # blocks a stage


class ShuffleBlock(nn.Module):
    """A ShuffleNetV2 block: stride 2 joins two branches; stride 1 runs a branch on every second channel.

    Taking the even and the odd channels is the split and the shuffle in one; the published weights' batch
    statistics fit this wiring and no other.
    """

    def __init__(self, low: int, high: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        inner = high // 2
        source = low if stride == 2 else low // 2
        self.branch_main = nn.Sequential(
            nn.Conv2d(source, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner),
            nn.Conv2d(inner, high - source if stride == 2 else inner, 1, bias=False),
            nn.BatchNorm2d(high - source if stride == 2 else inner), nn.ReLU(inplace=True),
        )  # fmt: skip
        if stride == 2:
            self.branch_proj = nn.Sequential(
                nn.Conv2d(low, low, 3, 2, 1, groups=low, bias=False), nn.BatchNorm2d(low),
                nn.Conv2d(low, low, 1, bias=False), nn.BatchNorm2d(low), nn.ReLU(inplace=True),
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H / stride, W / stride)
        if self.stride == 2:
            return torch.cat((self.branch_proj(x), self.branch_main(x)), 1)
        return torch.cat((x[:, 0::2], self.branch_main(x[:, 1::2])), 1)


class ShuffleEncoder(nn.Module):
    """Features at 1/2, 1/4, 1/8 and 1/16."""

    ENDS = (REPEATS[0], REPEATS[0] + REPEATS[1])  # blocks after which the first and the second stage end

    def __init__(self) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(
            nn.Conv2d(3, CHANNELS[0], 3, 2, 1, bias=False), nn.BatchNorm2d(CHANNELS[0]), nn.ReLU(inplace=True)
        )
        blocks: list[nn.Module] = []
        for low, high, count in zip(CHANNELS[:3], CHANNELS[1:], REPEATS, strict=True):
            blocks += [ShuffleBlock(low, high, 2), *(ShuffleBlock(high, high, 1) for _ in range(count - 1))]
        self.features = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        half = self.first_conv(x)
        quarter = self.features[: self.ENDS[0]](half)
        eighth = self.features[self.ENDS[0] : self.ENDS[1]](quarter)
        return half, quarter, eighth, self.features[self.ENDS[1] :](eighth)


class PublishedEncoder(ShuffleEncoder):
    """The same, its blocks under their second names too."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = self.features[: self.ENDS[0]]  # slices share the blocks and keep their numbers as names
        self.stage2 = self.features[self.ENDS[0] : self.ENDS[1]]
        self.stage3 = self.features[self.ENDS[1] :]


class SeparableConv(nn.Module):
    """Depthwise 3x3, normalisation, ReLU, pointwise."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(low, low, 3, 1, 1, groups=low, bias=False), nn.BatchNorm2d(low), nn.ReLU(inplace=True),
            nn.Conv2d(low, high, 1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class DecoderBlock(nn.Module):
    """Joins a coarse map with the encoder's map of twice its size."""

    def __init__(self, low: int, high: int, out: int) -> None:
        super().__init__()
        narrow = high // 4
        self.skip_conv = nn.Sequential(
            nn.Conv2d(low, narrow, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU(inplace=True)
        )
        self.last_conv = nn.Sequential(
            SeparableConv(high + narrow, out), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )

    def forward(
        self, low: Tensor, high: Tensor
    ) -> Tensor:  # (N, low, H, W), (N, high, H / 2, W / 2) -> (N, out, H, W)
        skip = self.skip_conv(low)
        wide = functional.interpolate(high, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        joined: Tensor = self.last_conv(torch.cat((wide, skip), 1))
        return joined


class Decoder(nn.Module):
    """From 1/16 back to 1/2, then one channel."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder3 = DecoderBlock(CHANNELS[2], CHANNELS[3], 96)
        self.decoder2 = DecoderBlock(CHANNELS[1], 96, 48)
        self.decoder1 = DecoderBlock(CHANNELS[0], 48, 24)
        self.final = nn.Conv2d(24, 1, 3, padding=1)
        self.final2 = nn.Sequential(nn.Conv2d(48, 1, 3, padding=1))
        self.final3 = nn.Sequential(nn.Conv2d(96, 1, 3, padding=1))

    def forward(
        self, half: Tensor, quarter: Tensor, eighth: Tensor, sixteenth: Tensor, auxiliary: bool = False
    ) -> tuple[Tensor, ...]:
        """The main map (N, H, W), with ``auxiliary`` also the two of training, from 1/4 and 1/8."""
        d3 = self.decoder3(eighth, sixteenth)
        d2 = self.decoder2(quarter, d3)
        d1 = self.decoder1(half, d2)
        main = _grow(self.final(d1), 2)
        return (main, _grow(self.final2(d2), 4), _grow(self.final3(d3), 8)) if auxiliary else (main,)


class TCSmallNet(nn.Module):
    """RGB 0..255, sides multiples of 16 -> relative inverse depth >= 0, up to scale and shift."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = PublishedEncoder()
        self.decoder = Decoder()

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 255] -> (N, H, W)
        disparity: Tensor = self.decoder(*self.encoder(rgb / 255))[0]
        return disparity

    def all_scales(self, rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The main map and the two auxiliary ones of training (from 1/4 and 1/8), each (N, H, W).

        Args:
            rgb: (N, 3, H, W) in [0, 255].
        """
        maps: tuple[Tensor, Tensor, Tensor] = self.decoder(*self.encoder(rgb / 255), auxiliary=True)
        return maps


def _grow(x: Tensor, factor: int) -> Tensor:
    x = functional.interpolate(functional.relu(x), scale_factor=factor, mode="bilinear", align_corners=False)
    return x[:, 0]
