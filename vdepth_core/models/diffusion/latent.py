"""What latent diffusion models share as models: their precision and their noise.

All have a UNet that sees the picture's latent beside the noisy latent of the depth.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...types import ModelSpec, Quantity, Space
from ...weights.hashing import folder_sha256
from ..licence import claim_of_folder
from ..sizing import check_input
from .parts import LATENT_CHANNELS, SCALE, Parts

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

NATIVE: Mapping[str, Any] = {"multiple": SCALE, "native_size": 768, "native_side": "longer"}


def folder_spec(folder: Path, quantity: Quantity, space: Space, facts: Mapping[str, Any]) -> ModelSpec:
    """The spec of a user's own folder, whose licence is what its README claims.

    Args:
        folder: The user's.
        quantity, space: Of what the model predicts.
        facts: Further fields of the spec.
    """
    license_, commercial = claim_of_folder(folder)
    return ModelSpec(folder.resolve().name, quantity, space, license_, commercial, **facts)


def loaded_spec(spec: ModelSpec, folder: Path, parts: Parts) -> ModelSpec:
    """``spec`` with what only the folder can tell.

    Args:
        spec: As the catalogue or `folder_spec` has it.
        folder: Of the model.
        parts: Its networks.

    Raises:
        WeightsError: its input size is absurd.
    """
    check_input(spec, folder)
    return replace(spec, parameters=parts.count(), weights_sha256=folder_sha256(folder))


def find_dtype(dtype: str | torch.dtype, device: str) -> torch.dtype:
    """``fp16``, ``bf16``, ``fp32`` or ``fp64`` (for checks) in torch's words; CPUs take fp32 for fp16.

    Args:
        dtype: One of these words, or torch's own.
        device: As torch spells it.

    Raises:
        UsageError: there is no such dtype.
    """
    import torch

    known = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32, "fp64": torch.float64}
    found = known.get(dtype) if isinstance(dtype, str) else dtype
    if found is None or found not in known.values():
        raise UsageError(f"There is no dtype {dtype}.", f"Choose one of {', '.join(known)}.")
    if device == "cpu" and found == torch.float16:
        _log.debug("CPUs are slow at fp16; running in fp32")
        return torch.float32
    return found


def seeded_noise(height: int, width: int, seed: int) -> Tensor:
    """Noise (1, 4, ⌈H/8⌉, ⌈W/8⌉) float32, drawn on the CPU, so that every device gets the same.

    Args:
        height, width: Of the network's input, in pixels.
        seed: Decides it.
    """
    import torch

    shape = (1, LATENT_CHANNELS, -(-height // SCALE), -(-width // SCALE))
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def place(network: nn.Module, device: str, *, channels_last: bool = True) -> None:
    """Moves a network to where it runs, and freezes it.

    Args:
        network: Changed in place.
        device: As torch spells it.
        channels_last: Lay its weights out so; one that convolves over time has weights that cannot be.
    """
    import torch

    network.eval().requires_grad_(False)
    layout = torch.channels_last if channels_last else torch.preserve_format
    network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
