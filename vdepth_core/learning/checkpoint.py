"""Where an adaptation stands: weights, their average, the best of them, the optimiser's moments, counters."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from ..errors import UsageError, WeightsError
from .state import Weights, read_facts, read_tensors, restore_state, write_state

_FORMAT = "vdepth-adaptation-1"


@dataclass
class Counters:
    """Where the loop stands; with the configuration they decide everything that follows.

    Attributes:
        identity: Of clip, models and configuration; another one cannot go on from here.
        threads: Torch threads: another number could change the last bits.
        step: Steps done.
        elapsed: Seconds of training so far, over all runs.
        best: Lowest validation loss, and ``since``, how many validations ago it was.
        history: Step, validation loss and its terms, from step 0.
    """

    identity: str
    threads: int = 1
    step: int = 0
    elapsed: float = 0.0
    best: float = float("inf")
    since: int = 0
    history: list[tuple[int, float, dict[str, float]]] = field(default_factory=list)


def save(
    path: Path,
    network: nn.Module,
    average: Weights,
    best: Weights,
    optimiser: torch.optim.Optimizer,
    counters: Counters,
) -> None:
    """Writes everything needed to go on, atomically.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    facts = {"format": _FORMAT, "counters": json.dumps(asdict(counters))}
    write_state(path, network, optimiser, {"average": average, "best": best}, facts)


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint of ours."""
    try:
        return read_facts(path).get("format") == _FORMAT
    except (OSError, SafetensorError):
        return False


def read_counters(path: Path, identity: str) -> Counters:
    """Reads where the run of ``identity`` stands.

    Raises:
        WeightsError: the file is missing, damaged or no checkpoint.
        UsageError: it belongs to another clip, model or configuration.
    """
    try:
        facts = read_facts(path)
        if facts.get("format") != _FORMAT:
            raise ValueError("it is no checkpoint of vdepth adapt")
        counters = Counters(**json.loads(facts["counters"]))
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"There is nothing to resume from: {path}: {error}.", "Start without --resume."
        ) from error
    check_identity(path, counters.identity, identity)
    counters.history = [(step, loss, terms) for step, loss, terms in counters.history]
    return counters


def check_identity(path: Path, found: str, wanted: str) -> None:
    """Refuses to go on from what belongs to another run.

    Raises:
        UsageError: the identities differ.
    """
    if found != wanted:
        raise UsageError(
            f"{path.name} comes from another clip, model or other options.",
            "Resume with those of the first run, or start without --resume.",
        )


def restore(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[Weights, Weights]:
    """Reads a checkpoint back into ``network`` and ``optimiser``; returns the average and the best weights.

    Raises:
        WeightsError: the file is damaged.
    """
    try:
        tensors = read_tensors(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"The checkpoint {path} is damaged: {error}.", "Start without --resume."
        ) from error
    average, best = restore_state(tensors, network, optimiser, "average", "best")
    return average, best
