"""MiDaS v2.1 small; its large sibling is in `tcmonodepth`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from .depth_anything_v2 import imagenet
from .network_model import Family, fold
from .sizing import resample_keeping_overshoot

if TYPE_CHECKING:
    from torch import Tensor, nn


def _build(_: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.midas_small import MidasSmallNet

    return MidasSmallNet()


def _matches(keys: Collection[str]) -> bool:
    return "pretrained.layer1.3.0.conv_dw.weight" in keys and "scratch.refinenet4.out_conv.weight" in keys


FAMILY = Family("midas-v21-small", _build, fold, _matches, imagenet, resampled=resample_keeping_overshoot)
