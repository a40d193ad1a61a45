"""How long, how fast and how carefully to train: what every training says of itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[float, int], float]
"""From the share of the run that is over and the steps done to a factor of every peak learning rate."""


@dataclass(frozen=True)
class Cosine:
    """A short warm-up, for a while the full rate, then a cosine to a hundredth of it.

    Attributes:
        warm_up: Steps until the full rate: Adam's first steps know no scale.
        held: Share of the run until the rate begins to fall.
    """

    warm_up: int
    held: float = 0.0

    def __call__(self, share: float, step: int) -> float:
        """The factor; a `Schedule`."""
        warm = min(1.0, (step + 1) / self.warm_up)
        fall = min(1.0, max(0.0, share - self.held) / (1 - self.held))
        return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fall)))


@dataclass(frozen=True)
class Stepped:
    """The full rate, multiplied by a factor at each of some moments: most published trainings.

    Attributes:
        drops: Shares of the run that are over at the moments.
        factor: Of each.
        warm_up: Steps over which the rate rises from a third, linearly; 0: none.
    """

    drops: tuple[float, ...]
    factor: float
    warm_up: int = 0

    def __call__(self, share: float, step: int) -> float:
        """The factor; a `Schedule`."""
        warm = min(1.0, (1 + 2 * step / self.warm_up) / 3) if self.warm_up else 1.0
        return warm * self.factor ** sum(share >= drop for drop in self.drops)


@dataclass(frozen=True)
class LoopConfig:
    """How to train; the defaults are those of adapting to one clip.

    Attributes:
        seed: Decides everything random.
        minutes: Stop after this much training (over all runs); ignored when ``steps`` is set.
        steps: Stop after this many steps; None: go by the clock.
        stop_at: Step at which to stop before the run is over, with a checkpoint to go on from; None: none.
        batch: Samples a step.
        rate: Peak learning rate.
        schedule: What becomes of it in the course of the run.
        decay: Weight decay; published self-supervised trainings have none, 0.
        average: Decay of the moving average of the weights; 0: it is the weights themselves.
        share: How far on the way from the untouched weights to that average lies what is released; 1: that is
            the average. Less forgets less of what the clip does not show (Wortsman et al., CVPR 2022).
        clip: Largest norm of the gradient; infinite: whatever it is.
        validate_every: Steps between validations.
        patience: Validations in a row without a better one after which to stop; None: validations are only
            noted, and the last weights count, not the best.
        save_every: Seconds between checkpoints.
    """

    seed: int = 0
    minutes: float = 5.0
    steps: int | None = None
    stop_at: int | None = None
    batch: int = 2
    rate: float = 1e-4
    schedule: Schedule = Cosine(warm_up=20)
    decay: float = 0.01
    average: float = 0.98
    share: float = 1.0
    clip: float = 1.0
    validate_every: int = 100
    patience: int | None = 8
    save_every: float = 120.0
