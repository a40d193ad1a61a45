"""ZipDepth, the base network and the one for NPUs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from .network_model import Family
from .sizing import resample_linearly

if TYPE_CHECKING:
    from torch import Tensor, nn


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.zipdepth import ZipDepth

    return ZipDepth.for_state(state)


def _fused(network: nn.Module) -> nn.Module:
    from ..networks.zipdepth import fused

    return fused(network)


def _matches(keys: Collection[str]) -> bool:
    return "encoder.stem_half.conv.weight" in keys and "decoder.fuse_half.proj_high.weight" in keys


FAMILY = Family("zipdepth", _build, _fused, _matches, resampled=resample_linearly)
