"""HRNet-W18 (Wang et al., Deep High-Resolution Representation Learning, TPAMI 2020), all stages kept.

DIFFNet's encoder: branches of every resolution run side by side, and what each stage says of a resolution is
handed on together (internal feature fusion). 1830 entries, 9,562,260 parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .resnet import BasicBlock, Bottleneck

WIDTH = 18  # channels of the finest branch; each coarser one has twice as many
STEM = 64
BLOCKS = 4  # of a branch, and of the first layer
MODULES = {2: 1, 3: 4, 4: 3}  # a stage, which has as many branches as its number


class HRModule(nn.Module):
    """Branches that run alone and then hear each other."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width, 1) for _ in range(BLOCKS))) for width in channels
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleDict({str(j): _exchange(channels, j, i) for j in range(len(channels)) if j != i})
            for i in range(len(channels))
        )

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """A map (N, channels[i], h/2^i, w/2^i) a branch -> the same."""
        maps = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        return [self._heard(maps, i) for i in range(len(maps))]

    def _heard(self, maps: Sequence[Tensor], i: int) -> Tensor:
        total: Tensor | None = None
        for j, x in enumerate(maps):
            heard = x if j == i else self.fuse_layers[i].get_submodule(str(j))(x)
            if j > i:
                heard = functional.interpolate(heard, maps[i].shape[2:], mode="bilinear", align_corners=True)
            total = heard if total is None else total + heard
        assert total is not None
        return functional.relu(total)


class HRNet(nn.Module):
    """The encoder's layers under their published names; `features` runs them."""

    def __init__(self, width: int = WIDTH, stem: int = STEM) -> None:
        """Makes the encoder.

        Args:
            width: Channels of the finest branch; 18 as published.
            stem: Channels of the first convolutions; 64 as published.
        """
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem)
        self.conv2, self.bn2 = nn.Conv2d(stem, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem)
        wide = stem * Bottleneck.GROWTH
        rest = [Bottleneck(wide, stem, 1) for _ in range(BLOCKS - 1)]
        self.layer1 = nn.Sequential(Bottleneck(stem, stem, 1), *rest)
        self.transition1 = nn.ModuleList(
            [_conv_norm(wide, width, 1), nn.Sequential(_conv_norm(wide, 2 * width, 2))]
        )
        self.transition2 = nn.ModuleDict({"2": nn.Sequential(_conv_norm(2 * width, 4 * width, 2))})
        self.transition3 = nn.ModuleDict({"3": nn.Sequential(_conv_norm(4 * width, 8 * width, 2))})
        for stage, count in MODULES.items():
            channels = [width << branch for branch in range(stage)]
            setattr(self, f"stage{stage}", nn.Sequential(*(HRModule(channels) for _ in range(count))))

    def features(self, rgb: Tensor) -> list[list[Tensor]]:
        """All that the stages say.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32, taken as it is.

        Returns:
            A list a resolution, 1/2 to 1/32: of the stem (``stem`` channels); of the stem and stages 2 to 4;
            of stages 2 to 4; of 3 and 4; of 4.
        """
        half = functional.relu(self.bn1(self.conv1(rgb)))
        quarter = functional.relu(self.bn2(self.conv2(half)))
        x = self.layer1(quarter)
        second = self.get_submodule("stage2")([functional.relu(step(x)) for step in self.transition1])
        new = functional.relu(self.transition2.get_submodule("2")(second[-1]))
        third = self.get_submodule("stage3")([*second, new])
        new = functional.relu(self.transition3.get_submodule("3")(third[-1]))
        fourth = self.get_submodule("stage4")([*third, new])
        stages = (second, third, fourth)
        every = [[maps[i] for maps in stages if i < len(maps)] for i in range(len(fourth))]
        return [[half], [quarter, *every[0]], *every[1:]]


def channels_of(width: int = WIDTH, stem: int = STEM) -> list[int]:
    """How many channels the lists of `HRNet.features` have in all.

    Args:
        width: Channels of the finest branch.
        stem: Channels of the first convolutions.
    """
    return [stem, stem + 3 * width, 6 * width, 8 * width, 8 * width]


def _conv_norm(low: int, high: int, stride: int, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(low, high, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(high))


def _exchange(channels: Sequence[int], j: int, i: int) -> nn.Sequential:
    """What branch ``i`` hears of branch ``j``: narrowed if it is coarser, halved step by step if finer."""
    if j > i:
        return _conv_norm(channels[j], channels[i], 1, 1)
    steps: list[nn.Module] = []
    for k in range(i - j):
        last = k == i - j - 1
        step = _conv_norm(channels[j], channels[i if last else j], 2)
        steps.append(step if last else step.append(nn.ReLU(inplace=True)))
    return nn.Sequential(*steps)
