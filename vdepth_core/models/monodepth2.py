"""Monodepth2: depth from encoder and decoder, each a file, in the archives its authors publish."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from .network_model import Family, as_published
from .pillow_resampling import lanczos

if TYPE_CHECKING:
    from torch import Tensor, nn


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.monodepth2 import Monodepth2

    return Monodepth2.for_state(state)


def _matches(keys: Collection[str]) -> bool:
    encoder = any(key.startswith("encoder.layer4.0.") for key in keys)
    return encoder and any(key.startswith("decoder.0.conv.conv.") for key in keys)


FAMILY = Family("monodepth2-mono-640x192", _build, as_published, _matches, resampled=lanczos)
