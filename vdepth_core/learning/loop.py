"""The loop every recipe shares: seeded, resumable, stopped by steps, by the clock, or when nothing improves.

Every random choice follows from the seed and the step, so a run limited by steps is repeatable, and a stopped
one goes on as if it had not been. What is kept is the moving average of the weights where it was best on
pairs held out; the untouched weights are the first candidate, so a run that only does harm changes nothing.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import Cancelled, ResourceError
from ..progress import Progress
from . import checkpoint
from .checkpoint import Counters, Weights
from .student import Student

_log = logging.getLogger(__name__)

STAGE = "adapt"
MOST_VALIDATED = 16  # held-out pairs, spread over all of them: each costs a forward pass
WARM_UP = 20  # steps until the full rate: Adam's first steps know no scale


class Objective(Protocol):
    """What a recipe brings.

    Attributes:
        training, validation: Numbers of the samples to learn from and of those held out.
    """

    training: Sequence[int]
    validation: Sequence[int]

    def terms(
        self, predict: Callable[[Tensor], Tensor], samples: Sequence[int], rng: np.random.Generator | None
    ) -> dict[str, Tensor]:
        """Named, weighted terms of the loss, whose sum is minimised; ``rng`` None: no augmentation."""


@dataclass(frozen=True)
class LoopConfig:
    """How to adapt.

    Attributes:
        seed: Decides order and augmentation of the samples.
        minutes: Stop after this much training (over all runs); ignored when ``steps`` is set.
        steps: Stop after this many steps; None: go by the clock.
        batch: Samples a step.
        rate: Peak learning rate (AdamW; short warm-up, then cosine to a hundredth).
        decay: Weight decay.
        average: Decay of the moving average of the weights.
        clip: Largest norm of the gradient.
        validate_every: Steps between validations.
        patience: Validations in a row without a better one after which to stop.
        save_every: Seconds between checkpoints.
    """

    seed: int = 0
    minutes: float = 5.0
    steps: int | None = None
    batch: int = 2
    rate: float = 1e-4
    decay: float = 0.01
    average: float = 0.98
    clip: float = 1.0
    validate_every: int = 100
    patience: int = 8
    save_every: float = 120.0


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        best: The weights to keep.
        steps: Steps done, over all runs.
        before, after: Validation loss of the untouched and of the kept weights, by term.
        early: Whether it stopped because nothing got better.
    """

    best: Weights
    steps: int
    before: dict[str, float]
    after: dict[str, float]
    early: bool


def fine_tune(
    student: Student,
    objective: Objective,
    config: LoopConfig,
    state: Path,
    counters: Counters,
    progress: Progress,
    resume: bool = False,
) -> Outcome:
    """Minimises the objective.

    Args:
        student: Its network is trained in place.
        objective: The recipe's.
        config: How.
        state: Checkpoint to write, and with ``resume`` to read.
        counters: Where to start: fresh ones, or those of the checkpoint.
        progress: Stage ``adapt``, in steps or in seconds; may cancel, after a checkpoint.
        resume: Go on from ``state``.

    Raises:
        WeightsError: the checkpoint is damaged.
        ResourceError: out of the device's memory.
        Cancelled: somebody asked to stop.
    """
    network = student.network
    optimiser = torch.optim.AdamW(_groups(network, config.decay), config.rate)
    if resume:
        average, best = checkpoint.restore(state, network, optimiser)
    else:
        average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        best = dict(average)
    run = _Run(student, objective, config, average, best, counters)
    progress.stage(STAGE, config.steps or math.ceil(60 * config.minutes))
    progress.advance(STAGE, counters.step if config.steps else int(counters.elapsed))
    saved = time.monotonic()
    try:
        if not counters.history:
            run.validate()
        while not run.finished():
            progress.check()
            before = counters.elapsed
            run.step(optimiser)
            progress.advance(STAGE, 1 if config.steps else int(counters.elapsed) - int(before))
            if time.monotonic() - saved > config.save_every:
                checkpoint.save(state, network, run.average, run.best, optimiser, counters)
                saved = time.monotonic()
    except Cancelled:
        checkpoint.save(state, network, run.average, run.best, optimiser, counters)
        raise
    except torch.cuda.OutOfMemoryError as error:
        raise ResourceError(
            f"Adapting {student.spec.name} does not fit the GPU's memory.",
            "Use a smaller --size, or --device cpu.",
        ) from error
    checkpoint.save(state, network, run.average, run.best, optimiser, counters)
    terms = {step: terms for step, _, terms in counters.history}
    kept = min(counters.history, key=lambda entry: entry[1])[0]
    return Outcome(run.best, counters.step, terms[0], terms[kept], run.exhausted)


class _Run:
    """One run's weights and the steps on them."""

    def __init__(
        self, student: Student, objective: Objective, config: LoopConfig,
        average: Weights, best: Weights, counters: Counters,
    ) -> None:  # fmt: skip
        self.student, self.objective, self.config = student, objective, config
        self.average, self.best, self.counters = average, best, counters
        spread = np.linspace(0, len(objective.validation) - 1, min(MOST_VALIDATED, len(objective.validation)))
        self._held_out = [objective.validation[int(place)] for place in spread.round()]

    @property
    def exhausted(self) -> bool:
        """Whether nothing got better for so long that nothing will."""
        return self.counters.since >= self.config.patience

    def finished(self) -> bool:
        """Whether the last step was taken; if so the last average has been validated."""
        if self.share() < 1 and not self.exhausted:
            return False
        if self.counters.history[-1][0] != self.counters.step:
            self.validate()
        return True

    def share(self) -> float:
        """How much of the run is over, 0 to 1."""
        config, counters = self.config, self.counters
        return counters.step / config.steps if config.steps else counters.elapsed / (60 * config.minutes)

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """One batch, and a validation every so often."""
        started = time.monotonic()
        config, counters, network = self.config, self.counters, self.student.network
        rng = np.random.default_rng((config.seed, counters.step))
        for group in optimiser.param_groups:
            group["lr"] = config.rate * _schedule(self.share(), counters.step)
        samples = rng.choice(self.objective.training, config.batch).tolist()
        loss = torch.stack([*self.objective.terms(self.student.predict, samples, rng).values()]).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        if bool(torch.isfinite(norm)):  # a step into nowhere would spoil the average for good
            optimiser.step()
        decay = min(config.average, (1 + counters.step) / (10 + counters.step))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.dtype.is_floating_point:
                    self.average[name] = torch.lerp(value, self.average[name], decay)
        counters.step += 1
        if counters.step % config.validate_every == 0:
            self.validate()
        counters.elapsed += time.monotonic() - started

    def validate(self) -> None:
        """Scores the average on the held-out samples, and keeps it if it is the best."""
        network, counters = self.student.network, self.counters
        own = {k: v.detach().clone() for k, v in network.state_dict().items()}
        network.load_state_dict(self.average)
        sums: dict[str, float] = {}
        with torch.no_grad():
            for sample in self._held_out:
                for name, term in self.objective.terms(self.student.predict, [sample], None).items():
                    sums[name] = sums.get(name, 0.0) + float(term) / len(self._held_out)
        network.load_state_dict(own)
        loss = sum(sums.values())
        counters.history.append((counters.step, loss, sums))
        if loss < counters.best:
            counters.best, counters.since = loss, 0
            self.best = {k: v.detach().clone() for k, v in self.average.items()}
        else:
            counters.since += 1
        _log.info("step %d, %.0f s: held-out %.5f (%s)", counters.step, counters.elapsed, loss,
                  ", ".join(f"{name} {value:.5f}" for name, value in sums.items()))  # fmt: skip


def _schedule(share: float, step: int) -> float:
    warm = min(1.0, (step + 1) / WARM_UP)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def _groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
