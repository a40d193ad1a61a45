"""Training checkpoints: weights, average, start, the optimiser's moments, the loop's counters."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..errors import WeightsError
from ..learning.state import read_facts, read_tensors, restore_state, write_state

_FORMAT = "vdepth-training-3"


@dataclass
class Counters:
    """Where the loop stands; with the seed they decide all further randomness."""

    seed: int
    init: str = ""  # name of the weights it started from; "": none
    step: int = 0
    elapsed: float = 0.0  # seconds of training so far, over all runs
    losses: list[float] = field(default_factory=list)  # of every step
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)  # errors on what was held out


def save(path: Path, network: nn.Module, average: dict[str, Tensor], start: dict[str, Tensor],
         optimiser: torch.optim.Optimizer, counters: Counters) -> None:  # fmt: skip
    """Writes everything needed to go on, atomically."""
    facts = {"format": _FORMAT, "counters": json.dumps(asdict(counters))}
    write_state(path, network, optimiser, {"average": average, "start": start}, facts)


def restore(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], dict[str, Tensor], Counters]:
    """Reads a checkpoint back into ``network`` and ``optimiser``; returns the rest.

    Returns:
        The average of the weights, the weights training started from, and the counters.

    Raises:
        WeightsError: the file is missing, damaged or no training checkpoint.
    """
    try:
        facts, tensors = read_facts(path), read_tensors(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"The training checkpoint {path} cannot be read: {error}.", "Start without --resume."
        ) from error
    if facts.get("format") != _FORMAT:
        raise WeightsError(
            f"{path} is no training checkpoint.", "Give the file a former train-embedded wrote."
        )
    average, start = restore_state(tensors, network, optimiser, "average", "start")
    return average, start, Counters(**json.loads(facts["counters"]))
