"""ResNet (He et al., Deep Residual Learning, CVPR 2016) in torchvision's key layout, as a feature encoder.

The depth and pose networks of Monodepth2 and FeatDepth stand on it: five features from 1/2 to 1/32, an input
of one or several pictures, the classifier kept where published checkpoints store it though nothing reads it.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
WIDTH = 64  # channels of the stem
CLASSES = 1000  # ImageNet's
MEAN, STD = 0.45, 0.225  # Monodepth2: one for all channels


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a skip; the stride is on the first."""

    GROWTH = 1

    def __init__(self, low: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(low, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(low, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + skip)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 around a skip; the stride is on the 3x3."""

    GROWTH = 4

    def __init__(self, low: int, planes: int, stride: int) -> None:
        super().__init__()
        out = planes * self.GROWTH
        self.conv1, self.bn1 = nn.Conv2d(low, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, out, 1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(low, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + skip)  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """Pictures in [0, 1] -> features at 1/2, 1/4, 1/8, 1/16 and 1/32.

    Attributes:
        channels: Of the five features: 64, 64, 128, 256, 512, from 50 layers on the last four times four.
    """

    def __init__(
        self,
        layers: int = 18,
        *,
        pictures: int = 1,
        classifier: bool = False,
        normalised: bool = True,
        width: int = WIDTH,
    ) -> None:
        """Makes the encoder.

        Args:
            layers: One of `BLOCKS`.
            pictures: RGB pictures the input consists of, one behind the other.
            classifier: Whether there is ImageNet's ``fc``; never used.
            normalised: Whether the input is scaled by `MEAN` and `STD` first.
            width: Channels of the stem; 64 as published.
        """
        super().__init__()
        block = BasicBlock if layers < 50 else Bottleneck
        self.normalised = normalised
        self.conv1 = nn.Conv2d(3 * pictures, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.channels, low = [width], width
        for index, count in enumerate(BLOCKS[layers]):
            planes = width << index
            first = block(low, planes, 1 if index == 0 else 2)
            low = planes * block.GROWTH
            rest = [block(low, planes, 1) for _ in range(count - 1)]
            setattr(self, f"layer{index + 1}", nn.Sequential(first, *rest))
            self.channels.append(low)
        if classifier:
            self.fc = nn.Linear(low, CLASSES)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3 pictures, H, W) in [0, 1] -> the five features, finest first; see `channels`."""
        if self.normalised:
            x = (x - MEAN) / STD
        features = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(features[0])
        for index in range(1, 5):
            x = self.get_submodule(f"layer{index}")(x)
            features.append(x)
        return features


def layers_of(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many layers the ResNet has whose entries in ``state`` begin with ``prefix``; 18 where none tells.

    Args:
        state: Key -> tensor.
        prefix: As ``encoder.``.
    """
    bottleneck = any(key.startswith(f"{prefix}layer") and ".conv3." in key for key in state)
    names = [key.removeprefix(prefix).split(".") for key in state if key.startswith(f"{prefix}layer")]
    counts = tuple(
        1 + max((int(name[1]) for name in names if name[0] == f"layer{k}" and name[1].isdigit()), default=0)
        for k in range(1, 5)
    )
    same = [layers for layers, blocks in BLOCKS.items() if blocks == counts and (layers >= 50) == bottleneck]
    return same[0] if same else (50 if bottleneck else 18)


def _shortcut(low: int, out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and low == out:
        return None
    return nn.Sequential(nn.Conv2d(low, out, 1, stride, bias=False), nn.BatchNorm2d(out))
