"""The one training loop: seeded, resumable, stopped by steps, by the clock, or when nothing improves.

What is learnt comes as a `Lesson`; every random choice in it follows from the seed and the step, so a run
limited by steps is repeatable, and a stopped one goes on as if it had not been.
"""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import Cancelled
from ..progress import Progress
from .checkpoint import Counters, Standing, copied
from .config import LoopConfig

_log = logging.getLogger(__name__)

LOGGED = 50  # steps between lines of the log


class Lesson(ABC):
    """What is learnt: the loss of each step, and how good what would be released now is.

    Attributes:
        stage: What the loop's progress is called.
    """

    stage: str

    @abstractmethod
    def terms(self, step: int) -> dict[str, Tensor]:
        """The terms of a step's loss, by name; their sum is minimised. They follow from the step alone.

        Args:
            step: From 0.
        """

    def backward(self, step: int) -> float:
        """Adds a step's gradients to those of what is trained, and returns its loss.

        Override it where a step's samples do not fit the memory at once.

        Args:
            step: From 0.
        """
        loss = torch.stack([*self.terms(step).values()]).sum()
        loss.backward()
        return float(loss.detach())

    @abstractmethod
    def validate(self, standing: Standing) -> dict[str, float]:
        """Errors on what is held out, by name, of what would be released now.

        Args:
            standing: Where the training stands.
        """

    def saved(self, standing: Standing) -> None:  # noqa: B027 (most write nothing else)
        """Called after each checkpoint, for what else is to be written now and then.

        Args:
            standing: Where the training stands.
        """


def learn(lesson: Lesson, standing: Standing, config: LoopConfig, state: Path, progress: Progress) -> None:
    """Trains until the run is over; ``standing`` says what became of it.

    Args:
        lesson: What to minimise.
        standing: Where to begin: fresh, or restored from a checkpoint.
        config: How.
        state: Checkpoint to write.
        progress: The lesson's stage, in steps or in seconds; may cancel, after a checkpoint.

    Raises:
        Cancelled: somebody asked to stop.
        ResourceError: the checkpoint cannot be written.
    """
    run, counters = _Run(lesson, standing, config), standing.counters
    progress.stage(lesson.stage, config.steps or math.ceil(60 * config.minutes))
    if counters.step:
        progress.skip(lesson.stage, counters.step if config.steps else int(counters.elapsed))

    def save() -> None:
        standing.save(state)
        lesson.saved(standing)

    saved = time.monotonic()
    try:
        if config.patience is not None and not counters.history:
            run.validate()  # the untouched weights are the first to beat
        while not run.finished() and (config.stop_at is None or counters.step < config.stop_at):
            progress.check()
            before = counters.elapsed
            run.step()
            progress.advance(lesson.stage, 1 if config.steps else int(counters.elapsed) - int(before))
            if time.monotonic() - saved > config.save_every:
                save()
                saved = time.monotonic()
    except Cancelled:
        save()
        raise
    save()


def parameter_groups(parameters: Iterable[nn.Parameter], rate: float, decay: float) -> list[dict[str, Any]]:
    """Groups for an optimiser: only matrices decay, and only what may be trained is in them.

    Args:
        parameters: Also those that are frozen.
        rate: Learning rate.
        decay: Weight decay of the matrices.
    """
    trained = [p for p in parameters if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "lr": rate, "weight_decay": decay},
        {"params": [p for p in trained if p.ndim <= 1], "lr": rate, "weight_decay": 0.0},
    ]


def share_done(config: LoopConfig, counters: Counters) -> float:
    """How much of a run is over, 0 to 1.

    Args:
        config: How long it is.
        counters: Where it stands.
    """
    return counters.step / config.steps if config.steps else counters.elapsed / (60 * config.minutes)


def run_over(config: LoopConfig, counters: Counters) -> bool:
    """Whether a run has come to its end, or nothing improves any more.

    Args:
        config: How long it is.
        counters: Where it stands.
    """
    exhausted = config.patience is not None and counters.since >= config.patience
    return exhausted or share_done(config, counters) >= 1


class _Run:
    """One run's steps."""

    def __init__(self, lesson: Lesson, standing: Standing, config: LoopConfig) -> None:
        self.lesson, self.standing, self.config = lesson, standing, config
        self._peaks = [group["lr"] for group in standing.optimiser.param_groups]

    def finished(self) -> bool:
        """Whether the last step was taken; if so the last average has been validated."""
        counters = self.standing.counters
        if not run_over(self.config, counters):
            return False
        if not counters.history or counters.history[-1][0] != counters.step:
            self.validate()
        return True

    def step(self) -> None:
        """One batch, and a validation every so often."""
        started, computed = time.monotonic(), time.process_time()
        config, counters = self.config, self.standing.counters
        optimiser, trained = self.standing.optimiser, self.standing.trained
        factor = config.schedule(self._share(), counters.step)
        for group, peak in zip(optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        optimiser.zero_grad(set_to_none=True)
        loss = self.lesson.backward(counters.step)
        norm = nn.utils.clip_grad_norm_(trained.parameters(), config.clip)
        if bool(torch.isfinite(norm)):  # a step into nowhere would spoil the average for good
            optimiser.step()
        counters.losses.append(loss)
        self._follow(min(config.average, (1 + counters.step) / (10 + counters.step)))
        counters.step += 1
        if counters.step % config.validate_every == 0:
            self.validate()
        counters.elapsed += time.monotonic() - started
        counters.computed += time.process_time() - computed
        if counters.step % LOGGED == 0:
            recent = float(np.mean(counters.losses[-LOGGED:]))
            _log.info("step %d, %.0f s: loss %.4f", counters.step, counters.elapsed, recent)

    def validate(self) -> None:
        """Notes the errors on what is held out; keeps what has them if it is the best and that matters."""
        standing, counters = self.standing, self.standing.counters
        errors = self.lesson.validate(standing)
        counters.history.append((counters.step, errors))
        words = ", ".join(f"{name} {error:.4f}" for name, error in errors.items())
        _log.info("step %d, %.0f s: held out: %s", counters.step, counters.elapsed, words)
        if self.config.patience is None:
            return
        if sum(errors.values()) < counters.best:
            counters.best, counters.since = sum(errors.values()), 0
            standing.kept = copied(standing.released())
        else:
            counters.since += 1

    def _share(self) -> float:
        return share_done(self.config, self.standing.counters)

    def _follow(self, decay: float) -> None:
        average = self.standing.average
        with torch.no_grad():
            for name, value in self.standing.trained.state_dict().items():
                if value.dtype.is_floating_point:
                    average[name].lerp_(value, 1 - decay)
                else:
                    average[name].copy_(value)
