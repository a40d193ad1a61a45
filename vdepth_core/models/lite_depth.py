"""Networks on an EfficientNet-Lite encoder, trained by ``vdepth train-embedded --architecture``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from .network_model import Family, fold

if TYPE_CHECKING:
    from torch import Tensor, nn


def _build_lite(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.efficientnet_lite import variant_of
    from ..networks.lite_depth import LiteDepthNet

    return LiteDepthNet(variant_of(state, "encoder."))


def _build_hybrid(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.efficientnet_lite import variant_of
    from ..networks.hybrid_depth import HybridDepthNet

    return HybridDepthNet(variant_of(state, "encoder."), full="added.2.weight" in state)


def _lite_keys(keys: Collection[str]) -> bool:
    return "encoder._conv_stem.weight" in keys and "fusions.3.skip.0.weight" in keys


def _hybrid_keys(keys: Collection[str]) -> bool:
    return "encoder._conv_stem.weight" in keys and "trunk.first_conv.0.weight" in keys


LITE = Family("embedded", _build_lite, fold, _lite_keys)
HYBRID = Family("embedded", _build_hybrid, fold, _hybrid_keys)
