"""Where a training stands: weights, their average, those kept, the optimiser's moments, counters."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from ..errors import Cancelled, ResourceError, UsageError, WeightsError
from .state import Weights, read_facts, read_tensors, restore_state, write_state

_FORMAT = "vdepth-learning-1"
_FORMER = ("vdepth-adaptation-1", "vdepth-training-3")  # ours too, but none goes on from them any more
_ANEW = "Delete it and start without --resume."


@dataclass
class Counters:
    """Where the loop stands; with the configuration they decide everything that follows.

    Attributes:
        identity: Of what is trained and how; another run cannot go on from here.
        source: Name of the weights it started from; empty: none.
        threads: Torch threads: another number could change the last bits.
        step: Steps done.
        elapsed: Seconds of training so far, over all runs.
        computed: Seconds of processor time so far, of all threads: on a busy machine much less.
        best: Lowest sum of errors on what was held out, and ``since``, how many validations ago it was.
        losses: Of every step.
        history: Steps and the errors on what was held out, by name.
        settings: Of the loss and the optimiser, where a run says them; empty: nobody compares them.
    """

    identity: str
    source: str = ""
    threads: int = 1
    step: int = 0
    elapsed: float = 0.0
    computed: float = 0.0
    best: float = float("inf")
    since: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    settings: dict[str, float | str] = field(default_factory=dict)


@dataclass
class Standing:
    """All that a training goes on from.

    Attributes:
        trained: Every module in training.
        optimiser: Of its parameters; knows the peak learning rates.
        counters: How far it is.
        average: Moving average of the weights.
        kept: The untouched weights, until what would be released did better on what was held out; empty where
            the last weights count, whatever they do there.
        share: How far on the way from the untouched weights to the average lies what is released; 1: that is
            the average.
        start: The untouched weights, where the share is less.
    """

    trained: nn.Module
    optimiser: torch.optim.Optimizer
    counters: Counters
    average: Weights
    kept: Weights
    share: float = 1.0
    start: Weights | None = None

    @classmethod
    def fresh(
        cls,
        trained: nn.Module,
        optimiser: torch.optim.Optimizer,
        counters: Counters,
        share: float = 1.0,
        keep: bool = True,
    ) -> Standing:
        """Before the first step.

        Args:
            trained: All modules that learn, as one.
            optimiser: Of their parameters.
            counters: Of a run that begins.
            share: Of what is learnt that is released, in [0, 1].
            keep: Whether the best on what is held out is wanted; if not, its copy of the weights is spared.
        """
        average = copied(trained.state_dict())
        kept = copied(average) if keep else {}
        return cls(trained, optimiser, counters, average, kept, share, copied(average) if share < 1 else None)

    @classmethod
    def restored(
        cls,
        path: Path,
        trained: nn.Module,
        optimiser: torch.optim.Optimizer,
        counters: Counters,
        share: float = 1.0,
    ) -> Standing:
        """Where the checkpoint says; weights and moments are put back into ``trained`` and ``optimiser``.

        Args:
            path: The checkpoint.
            trained: All modules that learn, as one; untouched yet.
            optimiser: Of their parameters.
            counters: What `read_counters` read of it.
            share: As of `fresh`.

        Raises:
            WeightsError: the file is damaged, or of other modules.
        """
        start = copied(trained.state_dict()) if share < 1 else None
        try:
            tensors = read_tensors(path)
            average, kept = restore_state(tensors, trained, optimiser, "average", "kept")
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"The checkpoint {path} is damaged: {error}.", _ANEW) from error
        except RuntimeError as error:  # torch lists every key there is and is not
            raise WeightsError(f"The checkpoint {path} is of other networks.", _ANEW) from error
        return cls(trained, optimiser, counters, average, kept, share, start)

    def save(self, path: Path) -> None:
        """Writes everything needed to go on, atomically.

        Args:
            path: The checkpoint, replaced if it is there.

        Raises:
            ResourceError: the disk is full or the folder cannot be written.
        """
        facts = {"format": _FORMAT, "counters": json.dumps(asdict(self.counters))}
        write_state(path, self.trained, self.optimiser, {"average": self.average, "kept": self.kept}, facts)

    def released(self) -> Weights:
        """What would be released now."""
        return self.average if self.start is None else blend(self.start, self.average, self.share)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Has what would be released now in ``trained``, for a while."""
        own = copied(self.trained.state_dict())
        self.trained.load_state_dict(self.released())
        try:
            yield
        finally:
            self.trained.load_state_dict(own)


def blend(start: Weights, end: Weights, share: float) -> Weights:
    """Weights on the straight way from ``start`` (share 0) to ``end`` (share 1).

    Args:
        start, end: Tensors by the same keys; counters are those of ``end``.
        share: In [0, 1].
    """
    return {k: torch.lerp(start[k], v, share) if v.is_floating_point() else v for k, v in end.items()}


def copied(weights: Weights) -> Weights:
    """The same weights in tensors of their own.

    Args:
        weights: Tensors by key.
    """
    return {key: value.detach().clone() for key, value in weights.items()}


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint of ours, former ones too.

    Args:
        path: Anything, or nothing.
    """
    try:
        return read_facts(path).get("format") in (_FORMAT, *_FORMER)
    except (OSError, SafetensorError):
        return False


def read_counters(path: Path, identity: str) -> Counters:
    """Reads where the run of ``identity`` stands.

    Args:
        path: The checkpoint.
        identity: Of the run that wants to go on.

    Raises:
        WeightsError: the file is missing, damaged, no checkpoint, or one of a former version.
        UsageError: it belongs to another run.
    """
    try:
        facts = read_facts(path)
        if facts.get("format") in _FORMER:
            raise WeightsError(
                f"{path.name} is of a former version of vdepth, which cannot be resumed any more.",
                _ANEW,
            )
        if facts.get("format") != _FORMAT:
            raise ValueError("it is no checkpoint of vdepth")
        if "counters" not in facts:
            raise ValueError("its header is damaged")
        counters = Counters(**json.loads(facts["counters"]))
    except FileNotFoundError as error:
        raise WeightsError(
            f"There is nothing to resume from: there is no {path}.", "Start without --resume."
        ) from error
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise WeightsError(f"There is nothing to resume from: {path}: {error}.", _ANEW) from error
    check_identity(path, counters.identity, identity)
    counters.history = [(step, errors) for step, errors in counters.history]
    return counters


def check_identity(path: Path, found: str, wanted: str) -> None:
    """Refuses to go on from what belongs to another run.

    Args:
        path: File or folder of the run, for messages.
        found: Identity of the run it comes from.
        wanted: Identity of the run that wants to go on.

    Raises:
        UsageError: the identities differ.
    """
    if found != wanted:
        raise UsageError(
            f"{path.name} comes from another seed, model, clip or other options.",
            "Resume with those of the first run, or choose another name for this one.",
        )


@contextmanager
def resumable() -> Iterator[None]:
    """Says how to go on after a stop, or a full disk.

    Raises:
        Cancelled: with that hint, in place of one without.
        ResourceError: the disk is full.
    """
    try:
        yield
    except Cancelled as error:
        raise Cancelled("Cancelled.", "Run the same with --resume to go on where it stopped.") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise ResourceError("The disk is full.", "Free some space and run the same with --resume.") from error
