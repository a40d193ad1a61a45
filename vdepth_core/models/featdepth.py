"""FeatDepth: the depth network of a checkpoint that also holds pose network and feature extractor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..weights.loading import Weights, check_fit
from .network_model import Family, as_published
from .pillow_resampling import lanczos

if TYPE_CHECKING:
    from torch import Tensor, nn

_DEPTH = ("DepthEncoder.", "DepthDecoder.")
_OTHERS = ("PoseEncoder.", "PoseDecoder.", "extractor.", "Encoder.", "Decoder.")


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.featdepth import FeatDepth

    return FeatDepth.for_state(state)


def _depth(weights: Weights) -> Mapping[str, Tensor]:
    """The entries of the depth network; a checkpoint that holds all networks must hold them whole."""
    import torch

    from ..networks.featdepth_train import MonoFm, MonoFmJoint

    state = weights.state
    if not any(key.startswith(_OTHERS) for key in state):
        return state
    joint = any(key.startswith(("Encoder.", "Decoder.")) for key in state)
    with torch.device("meta"):
        whole = (MonoFmJoint if joint else MonoFm).for_state(state)
    check_fit(whole, state, weights.path)
    return {key: value for key, value in state.items() if key.startswith(_DEPTH)}


def _matches(keys: Collection[str]) -> bool:
    return all(any(key.startswith(prefix) for key in keys) for prefix in _DEPTH)


FAMILY = Family("featdepth", _build, as_published, _matches, arrange=_depth, resampled=lanczos)
