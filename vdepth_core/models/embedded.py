"""The embedded model: shipped inside the package, trained by ``vdepth train-embedded``."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from .network_model import Family
from .published import published_spec

if TYPE_CHECKING:
    from torch import nn


def _build() -> nn.Module:
    from ..networks.embedded import EmbeddedNet

    return EmbeddedNet()


def _matches(keys: Collection[str]) -> bool:
    return "stem.conv.weight" in keys and "context.qkv.weight" in keys


SPEC = published_spec("embedded", multiple=32, native_size=192, parameters=2_213_793)
load = Family(SPEC, _build, lambda network: network, _matches)
