"""What RollingDepth and Marigold share as models: how they are registered, their precision and their noise.

Both are Stable Diffusion 2 with a UNet that sees the picture's latent beside the noisy latent of the depth.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...types import DepthModel, ModelSpec, Quantity, Space
from ...weights.hashing import folder_sha256
from ...weights.location import find_weights
from ..licence import claim_of_folder
from ..published import published_spec
from ..sizing import check_input
from .parts import LATENT_CHANNELS, SCALE, Parts

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

PARAMETERS = 949_576_107  # of the UNet and the image coder as published
NATIVE: Mapping[str, Any] = {"multiple": SCALE, "native_size": 768, "native_side": "longer"}


@dataclass(frozen=True)
class Published:
    """One registered model; calling it loads it.

    Attributes:
        name: Registered name.
        facts: `ModelSpec` fields that the catalogue does not hold.
        load: Loads a folder: ``load(folder, dtype, device, spec=...)``; a user's own comes without a spec.
        entry: Name of its catalogue entry, where several models share one; empty: ``name``.
    """

    name: str
    facts: Mapping[str, Any]
    load: Callable[..., DepthModel]
    entry: str = ""

    @property
    def weights(self) -> str:
        """Name of the catalogue entry of its weights."""
        return self.entry or self.name

    @property
    def spec(self) -> ModelSpec:
        """What it is, without weights hash."""
        return replace(published_spec(self.weights, parameters=PARAMETERS, **self.facts), name=self.name)

    def __call__(self, path: Path | None = None, device: str = "cpu", dtype: str = "fp32") -> DepthModel:
        """Loads the model from ``path``, or from where its weights are installed.

        Raises:
            WeightsError: the weights are missing, damaged or of another layout.
            UsageError: ``dtype`` does not exist.
        """
        if path is not None:
            return self.load(path, dtype, device)
        return self.load(find_weights(self.weights), dtype, device, spec=self.spec)


def folder_spec(folder: Path, quantity: Quantity, space: Space, facts: Mapping[str, Any]) -> ModelSpec:
    """The spec of a user's own folder, whose licence is what its README claims."""
    license_, commercial = claim_of_folder(folder)
    return ModelSpec(folder.resolve().name, quantity, space, license_, commercial, **facts)


def loaded_spec(spec: ModelSpec, folder: Path, parts: Parts) -> ModelSpec:
    """``spec`` with what only the folder can tell.

    Raises:
        WeightsError: its input size is absurd.
    """
    check_input(spec, folder)
    return replace(spec, parameters=parts.count(), weights_sha256=folder_sha256(folder))


def find_dtype(dtype: str | torch.dtype, device: str) -> torch.dtype:
    """``fp16``, ``bf16``, ``fp32`` or ``fp64`` (for checks) in torch's words; CPUs take fp32 for fp16.

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
    """Noise (1, 4, ⌈H/8⌉, ⌈W/8⌉) float32, drawn on the CPU, so that every device gets the same."""
    import torch

    shape = (1, LATENT_CHANNELS, -(-height // SCALE), -(-width // SCALE))
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def place(network: nn.Module, device: str) -> None:
    """Moves a network to where it runs, and freezes it."""
    import torch

    network.eval().requires_grad_(False)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
