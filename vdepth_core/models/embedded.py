"""The embedded model, shipped inside the package, and the other networks ``vdepth train-embedded`` trains."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from .network_model import Family, fold

if TYPE_CHECKING:
    from torch import Tensor, nn


def refuse_former(path: Path, keys: Collection[str]) -> None:
    """Says of weights of the network that was embedded before that it is gone.

    Args:
        path: The weights file.
        keys: Names of its tensors.

    Raises:
        WeightsError: they are such weights.
    """
    if "deep.context.qkv.weight" in keys and "encoder.first_conv.0.weight" in keys:
        raise WeightsError(
            f"{path.name} is of a network that vdepth no longer has: its embedded model is another one now.",
            "Adapt or train again from today's embedded model.",
        )


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
