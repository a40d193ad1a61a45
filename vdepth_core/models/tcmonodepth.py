"""TCMonoDepth small and large, and MiDaS v2.1, which is the large one's architecture and teacher."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ..types import ModelSpec
from .network_model import Family, fold
from .published import published_spec

if TYPE_CHECKING:
    from torch import Tensor, nn

_SMALL_SHA256 = "c7a87f34a432d11b831d9d27c531eaaef90e0282e2f8a7b87c0202b80ad76b2b"  # the published tar


def _build_small() -> nn.Module:
    from ..networks.tcmonodepth_small import TCSmallNet

    return TCSmallNet()


def _build_large() -> nn.Module:
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
    return "pretrained.layer1.0.weight" in keys and "scratch.refinenet4.resConfUnit1.conv1.weight" in keys


def _spec(name: str, size: int, parameters: int) -> ModelSpec:
    return published_spec(name, multiple=32, native_size=size, parameters=parameters)


load_small = Family(
    _spec("tcmonodepth-small", 256, 186_063), _build_small, fold, _small_keys, _to_255, (_SMALL_SHA256,)
)
load_large = Family(_spec("tcmonodepth-large", 384, 105_362_945), _build_large, fold, _large_keys, _imagenet)
load_midas = Family(_spec("midas-v21", 384, 105_362_945), _build_large, fold, _large_keys, _imagenet)
