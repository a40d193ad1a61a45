"""DDV: nobody publishes its weights; what its training code saves, and what is trained here, loads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..types import ModelSpec
from ..weights.loading import Weights
from .licence import UNKNOWN
from .network_model import Family, as_published
from .pillow_resampling import lanczos

if TYPE_CHECKING:
    from torch import Tensor, nn

_SPEC = ModelSpec(
    "ddv", "disparity", "scale_invariant", *UNKNOWN,
    native_size=192, fixed_size=(192, 640), parameters=64_452_928,
)  # fmt: skip
_DEEP_SUPERVISION = "resnet_model.dsn."


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.ddv import Ddv

    return Ddv.for_state(state)


def _without_dropout(weights: Weights) -> Mapping[str, Tensor]:
    """The state; a dropout in the unused branch, which some code has, takes a number and holds nothing."""
    last, after = f"{_DEEP_SUPERVISION}2.", f"{_DEEP_SUPERVISION}3."
    if any(key.startswith(last) for key in weights.state):
        return weights.state
    return {
        last + key.removeprefix(after) if key.startswith(after) else key: value
        for key, value in weights.state.items()
    }


def _matches(keys: Collection[str]) -> bool:
    encoder = any(key.startswith("resnet_model.layer4.") for key in keys)
    return encoder and any(key.startswith("deconv1.") for key in keys)


FAMILY = Family(_SPEC, _build, as_published, _matches, arrange=_without_dropout, resampled=lanczos)
