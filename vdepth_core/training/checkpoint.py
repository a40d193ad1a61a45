"""Training checkpoints: weights, their average, the optimiser's moments, the loop's counters."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import WeightsError

_FORMAT = "vdepth-training-1"


@dataclass
class Counters:
    """Where the loop stands; with the seed they decide all further randomness."""

    seed: int
    step: int = 0
    elapsed: float = 0.0  # seconds of training so far, over all runs
    history: list[tuple[int, float, dict[str, float]]] = field(
        default_factory=list
    )  # step, training loss, error on what each source held out


def save(path: Path, network: nn.Module, average: dict[str, Tensor], optimiser: torch.optim.Optimizer,
         counters: Counters) -> None:  # fmt: skip
    """Writes everything needed to go on, atomically."""
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.items()}
    for name, parameter in network.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser.{key}.{name}"] = value
    temporary = path.with_suffix(path.suffix + ".tmp")
    copies = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
    save_file(copies, temporary, {"format": _FORMAT, "counters": json.dumps(asdict(counters))})
    os.replace(temporary, path)


def restore(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], Counters]:
    """Reads a checkpoint back into ``network`` and ``optimiser``; returns the average and the counters.

    Raises:
        WeightsError: the file is missing, damaged or no training checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"The training checkpoint {path} cannot be read: {error}.", "Start without --resume."
        ) from error
    if facts.get("format") != _FORMAT:
        raise WeightsError(
            f"{path} is no training checkpoint.", "Give the file a former train-embedded wrote."
        )
    part = lambda prefix: {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}  # noqa: E731
    network.load_state_dict(part("network."))
    for name, parameter in network.named_parameters():
        moments = {key: tensors[f"optimiser.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
                   if f"optimiser.{key}.{name}" in tensors}  # fmt: skip
        if moments:
            optimiser.state[parameter] = moments
    counters = Counters(**json.loads(facts["counters"]))
    return part("average."), counters
