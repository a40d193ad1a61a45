"""The network that is adapted: loaded as published, trainable, and written so that it loads again.

Inference folds batch normalisations into convolutions; a folded network could be trained too, but its keys
would load nowhere, and a step of the same size would mean something else for every channel. So the network
is built unfolded, and its normalisations keep the statistics they have: those of a few similar frames would
be worse, and inference uses the stored ones anyway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UsageError, WeightsError
from ..models.network_model import Family, channels_last
from ..models.registry import family_of, plugins, read_family
from ..types import ModelSpec
from ..weights.catalogue import published_models
from ..weights.folders import holds_checkpoints
from ..weights.loading import OURS, Weights
from ..weights.location import find_weights
from ..weights.parts import read_network
from ..weights.saving import save_tensors


@dataclass
class Student:
    """A network in training.

    Attributes:
        network: Unfolded, in evaluation mode, with gradients.
        family: Where it comes from.
        spec: What it is; its licence goes on to the adapted weights.
        device: Where it is, as torch spells it.
    """

    network: nn.Module
    family: Family
    spec: ModelSpec
    device: str

    def predict(self, frames: Tensor) -> Tensor:
        """Frames (N, 3, H, W) in [0, 1] on the device -> disparity (N, H, W), with gradients.

        Args:
            frames: sRGB.
        """
        frames = frames.contiguous(memory_format=torch.channels_last)
        prepared = self.family.normalise(frames) if self.family.normalise else frames
        prediction: Tensor = self.network(prepared)
        return prediction.float()


def load_student(name_or_path: str | Path, device: str = "cpu") -> Student:
    """Loads a per-frame model for training.

    Args:
        name_or_path: A registered model whose network is ours, or a weights file of such a network.
        device: As torch spells it.

    Raises:
        UsageError: there is no such model, or it is none that can be adapted.
        WeightsError: its weights are missing, damaged or of an unknown layout.
    """
    family, weights, spec = _find(name_or_path)
    network = family.network(weights).requires_grad_(True).to(device)
    network = channels_last(network)
    return Student(network, family, family.spec_of(weights, spec), device)


def write_weights(path: Path, state: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Writes ``state`` as safetensors, atomically; the same arguments give the same bytes.

    Args:
        path: The file; its folder exists.
        state: Key -> tensor, as the family's unfolded network has them.
        facts: What the file says about itself: ``license``, ``commercial`` (``true`` or ``false``), …

    Raises:
        ResourceError: it cannot be written.
    """
    # copies: some networks publish one tensor under two keys
    tensors = {key: value.detach().cpu().clone().contiguous() for key, value in state.items()}
    save_tensors(tensors, path, {OURS: json.dumps(dict(facts), sort_keys=True)})


def is_adapted(path: Path) -> bool:
    """Whether a file, and no link, holds weights that `adapt` wrote.

    Args:
        path: Anything, or nothing.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if path.is_symlink():
            return False
        with safe_open(path, framework="pt") as file:
            return "recipe" in json.loads((file.metadata() or {}).get(OURS, "{}"))
    except (OSError, SafetensorError, ValueError):
        return False


def _find(name_or_path: str | Path) -> tuple[Family, Weights, ModelSpec | None]:
    """The family, its weights, and what the catalogue says of them; None: they are the user's own."""
    named = {
        name: family
        for name in published_models()
        if (family := family_of(name)) is not None and family.trainable
    }
    hint = f"These can: {', '.join(sorted(named))}, and weights files of the same networks."
    if isinstance(name_or_path, str) and name_or_path in named:
        entry = published_models()[name_or_path]
        return named[name_or_path], read_network(find_weights(entry.name)), entry.spec(name_or_path)
    if isinstance(name_or_path, str) and name_or_path in {*published_models(), *plugins()}:
        raise UsageError(
            f"The model {name_or_path} cannot be adapted: its network is not ours to train.", hint
        )
    path = Path(name_or_path).expanduser()
    if path.is_dir() and not holds_checkpoints(path):
        raise UsageError(
            f"{path} is a transformers or diffusers model, which cannot be adapted (it can be the teacher).",
            hint,
        )
    if isinstance(name_or_path, str) and not path.exists() and len(path.parts) == 1 and not path.suffix:
        raise UsageError(f"There is no model {name_or_path}.", hint)
    family, weights = read_family(path)
    if family is None or not family.trainable:
        raise WeightsError(f"{path.name} holds no network that can be adapted.", hint)
    return family, weights, None
