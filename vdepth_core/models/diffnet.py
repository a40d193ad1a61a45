"""DIFFNet: encoder and decoder, each a file; the decoder's tensors are stored under two names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..errors import WeightsError
from ..weights.loading import Weights
from .network_model import Family, as_published
from .pillow_resampling import lanczos

if TYPE_CHECKING:
    from torch import Tensor, nn


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.diffnet import DiffNet

    return DiffNet.for_state(state)


def _both_names(weights: Weights) -> Mapping[str, Tensor]:
    """The state with the decoder under both of its names, where the file has it under one.

    Raises:
        WeightsError: it has both, and they differ.
    """
    from ..networks.diffnet import NAMES

    state = weights.state
    pairs = [(f"convs.{name}.", f"decoder.{number}.") for number, name in enumerate(NAMES)]
    for key, value in state.items():
        other = _renamed(key, pairs)
        if other in state and not state[other].equal(value):
            raise WeightsError(
                f"{weights.path.name} holds {key} and {other}, which should be the same tensor and differ.",
                "Get the file again from its publisher, or choose another model.",
            )
    backwards = [(second, first) for first, second in pairs]
    added: dict[str, Tensor] = {}
    for known, missing, names in (("convs.", "decoder.", pairs), ("decoder.", "convs.", backwards)):
        if not any(key.startswith(missing) for key in state):
            added |= {_renamed(k, names): v for k, v in state.items() if k.startswith(known)}
    return added | state


def _renamed(key: str, pairs: list[tuple[str, str]]) -> str:
    return next((new + key.removeprefix(old) for old, new in pairs if key.startswith(old)), "")


def _matches(keys: Collection[str]) -> bool:
    encoder = any(key.startswith("stage4.2.fuse_layers.") for key in keys)
    return encoder and any(key.startswith(("convs.", "decoder.")) for key in keys)


FAMILY = Family("diffnet-640x192", _build, as_published, _matches, arrange=_both_names, resampled=lanczos)
