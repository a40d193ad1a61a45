"""Networks trained by left-right consistency: weights of your own, none are published in this layout."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..types import ModelSpec
from .network_model import Family, fold
from .pillow_resampling import lanczos

if TYPE_CHECKING:
    from torch import Tensor, nn

SPEC = ModelSpec(
    "leftright", "disparity", "scale_invariant", "unknown", False, native_size=256,
    fixed_size=(256, 512),
)  # fmt: skip


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.leftright import LeftRightNet

    return LeftRightNet.for_state(state)


def _matches(keys: Collection[str]) -> bool:
    return any(key.startswith("eyes.0.conv.conv.") for key in keys)


FAMILY = Family(SPEC, _build, fold, _matches, resampled=lanczos)
