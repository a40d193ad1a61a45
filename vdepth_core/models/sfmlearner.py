"""SfMLearner: DispNetS, whose checkpoint is one file; its pose network is another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from .network_model import Family, as_published
from .pillow_resampling import bilinear

if TYPE_CHECKING:
    from torch import Tensor, nn


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.dispnet import DispNet

    return DispNet.for_state(state)


def _around_zero(frames: Tensor) -> Tensor:
    return (frames - 0.5) / 0.5


def _matches(keys: Collection[str]) -> bool:
    return any(key.startswith("iconv7.0.") for key in keys) and any(
        key.startswith("predict_disp1.0.") for key in keys
    )


FAMILY = Family("sfmlearner", _build, as_published, _matches, _around_zero, resampled=bilinear)
