"""What DDV adds to a depth network (Johnston & Carneiro, Self-supervised Monocular Trained Depth, CVPR 2020).

Modules that any encoder and decoder can take: self-attention, so that far pixels are seen together, and
disparity as a distribution over fixed bins, whose variance tells how unsure it is. Written from a description
of the published numerics.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .monodepth2 import DepthDecoder
from .reflected import scaled_disparity

BINS = 128
NEAREST_ZERO = 1e-3  # the smallest disparity of the grid; the largest is 1
SLOPE = 0.01
Spacing = Literal["uniform", "log"]


class DiscreteDisparity(NamedTuple):
    """A distribution read out: mean and variance, (N, 1, H, W) each."""

    disparity: Tensor
    variance: Tensor


class ActivatedNorm(nn.BatchNorm2d):
    """Batch normalisation by |weight| + ε, and a leaky ReLU where ``active``.

    The absolute value is that of the published kernel; where a weight is negative plain normalisation of the
    same entries says something else.
    """

    def __init__(self, channels: int, active: bool = True) -> None:
        super().__init__(channels)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = 0.1 if self.momentum is None else self.momentum
        weight = self.weight.abs() + self.eps
        y = functional.batch_norm(
            x, self.running_mean, self.running_var, weight, self.bias, self.training, momentum, self.eps
        )
        return functional.leaky_relu(y, SLOPE) if self.active else y


class SelfAttention2d(nn.Module):
    """Every place looks at every other; keys are the queries. At first it adds nothing: ``W`` is zero."""

    def __init__(self, channels: int, key: int, value: int, scale: int = 1) -> None:
        """Makes the module.

        Args:
            channels: Of what comes in and of what comes out.
            key: Of keys and queries.
            value: Of values.
            scale: How many times smaller, by maximum, the map is first: the cost falls with its fourth power.
        """
        super().__init__()
        self.scale = scale
        self.f_key = nn.Sequential(nn.Conv2d(channels, key, 1), ActivatedNorm(key))
        self.f_query = self.f_key
        self.f_value = nn.Conv2d(channels, value, 1)
        self.W = nn.Conv2d(value, channels, 1)
        nn.init.zeros_(self.W.weight)
        if self.W.bias is not None:
            nn.init.zeros_(self.W.bias)

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, H, W) -> the same; nothing of x is added
        small = functional.max_pool2d(x, self.scale) if self.scale > 1 else x
        keys = self.f_key(small)
        places = keys.flatten(2)  # (N, key, hw)
        weights = torch.softmax(places.transpose(1, 2) @ places / math.sqrt(places.shape[1]), -1)
        seen = self.f_value(small).flatten(2) @ weights.transpose(1, 2)  # (N, value, hw)
        y: Tensor = self.W(seen.unflatten(2, keys.shape[2:]))
        if self.scale > 1:
            y = functional.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True)
        return y


def disparity_grid(bins: int = BINS, spacing: Spacing = "uniform") -> Tensor:
    """The disparities that bins stand for.

    Args:
        bins: How many.
        spacing: ``uniform``, both ends included, or ``log``, equal ratios, the upper end not.

    Returns:
        (bins,) float32, ascending, in [.001, 1].
    """
    if spacing == "uniform":
        return torch.linspace(NEAREST_ZERO, 1, bins)
    return torch.exp(math.log(NEAREST_ZERO) * (1 - torch.arange(bins) / bins))


def soft_argmax(logits: Tensor, spacing: Spacing = "uniform") -> DiscreteDisparity:
    """The mean and the variance of the distribution over bins.

    Args:
        logits: (N, bins, H, W).
        spacing: Of the bins; see `disparity_grid`.

    Returns:
        (N, 1, H, W) each.
    """
    grid = disparity_grid(logits.shape[1], spacing).to(logits).view(1, -1, 1, 1)
    chance = torch.softmax(logits, 1)
    mean = (chance * grid).sum(1, keepdim=True)
    # from the mean on: the difference of two moments would be rounding where the network is sure
    return DiscreteDisparity(mean, (chance * (grid - mean) ** 2).sum(1, keepdim=True))


class DiscreteDisparityHead(nn.Module):
    """A map of features -> disparity as a distribution: ``norm`` and ``conv``."""

    def __init__(self, channels: int, bins: int = BINS, spacing: Spacing = "uniform") -> None:
        """Makes the head.

        Args:
            channels: Of the features.
            bins: Disparities it chooses between.
            spacing: Of the bins; see `disparity_grid`.
        """
        super().__init__()
        self.spacing: Spacing = spacing
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, bins, 3)

    def logits(self, x: Tensor) -> Tensor:
        """What the bins get; the border is reflected before the normalisation.

        Args:
            x: (N, channels, H, W).

        Returns:
            (N, bins, H, W).
        """
        y: Tensor = self.conv(self.norm(functional.pad(x, (1, 1, 1, 1), mode="reflect")))
        return y

    def forward(self, x: Tensor) -> DiscreteDisparity:  # (N, channels, H, W)
        return soft_argmax(self.logits(x), self.spacing)


class DiscreteNetwork(nn.Module, ABC):
    """A network that answers disparity as distributions: what it says of depth, and how unsure it is."""

    inverse_depth = staticmethod(scaled_disparity)  # of what `all_scales` answers

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W), inverse depth
        return scaled_disparity(self.distributions(rgb, finest=True)[0].disparity[:, 0])

    def all_scales(self, rgb: Tensor) -> list[Tensor]:
        """The disparities (N, 1, H/2^s, W/2^s) in [.001, 1] of four scales, finest first.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.
        """
        return [scale.disparity for scale in self.distributions(rgb)]

    def uncertainty(self, rgb: Tensor) -> Tensor:
        """How unsure the network is of its disparity before scaling: the variance.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.

        Returns:
            (N, H, W).
        """
        return self.distributions(rgb, finest=True)[0].variance[:, 0]

    @abstractmethod
    def distributions(self, rgb: Tensor, finest: bool = False) -> list[DiscreteDisparity]:
        """Mean and variance of every scale, finest first.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.
            finest: Only the first.
        """


class DiscreteDepth(DiscreteNetwork):
    """Any of our encoders with attention on its coarsest feature and discrete disparity in every scale."""

    def __init__(
        self, encoder: nn.Module, channels: Sequence[int], bins: int = BINS, spacing: Spacing = "uniform"
    ) -> None:
        """Attaches to an encoder, whose answer does not change.

        Args:
            encoder: (N, 3, H, W) in [0, 1] -> five features at 1/2 to 1/32, as `ResNet`.
            channels: Of the features, finest first.
            bins: Disparities to choose between.
            spacing: Of the bins; see `disparity_grid`.
        """
        super().__init__()
        self.encoder, self.spacing = encoder, spacing
        self.attention = SelfAttention2d(channels[-1], channels[-1] // 2, channels[-1])
        self.decoder = DepthDecoder(channels, outputs=bins)

    def distributions(self, rgb: Tensor, finest: bool = False) -> list[DiscreteDisparity]:
        """Mean and variance of every scale, finest first.

        Args:
            rgb: (N, 3, H, W) in [0, 1], sides multiples of 32.
            finest: Only the first.
        """
        *finer, coarsest = self.encoder(rgb)
        scales = (0,) if finest else None
        logits = self.decoder.logits([*finer, coarsest + self.attention(coarsest)], scales)
        return [soft_argmax(logits[scale], self.spacing) for scale in sorted(logits)]
