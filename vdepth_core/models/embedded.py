"""The embedded model: shipped inside the package, trained by ``vdepth train-embedded``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from .network_model import Family, fold

if TYPE_CHECKING:
    from torch import Tensor, nn


def _build(_: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.embedded import EmbeddedNet

    return EmbeddedNet()


def _matches(keys: Collection[str]) -> bool:
    return "encoder.first_conv.0.weight" in keys and "deep.context.qkv.weight" in keys


FAMILY = Family("embedded", _build, fold, _matches)
