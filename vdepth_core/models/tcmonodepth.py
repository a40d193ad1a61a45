"""TCMonoDepth small and large, and MiDaS v2.1, which is the large one's architecture and teacher."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from .network_model import Family, fold

if TYPE_CHECKING:
    from torch import Tensor, nn


def _build_small(_: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.tcmonodepth_small import TCSmallNet

    return TCSmallNet()


def _build_large(_: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.midas import MidasNet

    return MidasNet()


def _to_255(frames: Tensor) -> Tensor:
    return frames * 255


def _imagenet(frames: Tensor) -> Tensor:
    import torch

    from ..networks.midas import RGB_MEAN, RGB_STD

    mean, std = (torch.tensor(v, device=frames.device).view(1, 3, 1, 1) for v in (RGB_MEAN, RGB_STD))
    return (frames - mean) / std


def _small_keys(keys: Collection[str]) -> bool:
    return "encoder.stage1.0.branch_main.0.weight" in keys and "decoder.final.weight" in keys


def _large_keys(keys: Collection[str]) -> bool:
    return (
        "pretrained.layer1.4.0.conv1.weight" in keys
        and "scratch.refinenet4.resConfUnit1.conv1.weight" in keys
    )


SMALL = Family("tcmonodepth-small", _build_small, fold, _small_keys, _to_255)
LARGE = Family("midas-v21", _build_large, fold, _large_keys, _imagenet)
