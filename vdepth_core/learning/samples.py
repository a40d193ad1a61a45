"""A lesson made of an objective: samples drawn by the seed and the step, others held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from .config import LoopConfig
from .loop import Lesson

if TYPE_CHECKING:
    from torch import Tensor

    from ..protocols import Objective
    from .checkpoint import Standing

MOST_VALIDATED = 16  # held-out samples, spread over all of them: each costs a forward pass


class Samples(Lesson):
    """Draws an objective's samples for the loop.

    What is released is the moving average of the weights, so that is what the held-out samples are scored
    with, one by one.
    """

    def __init__(
        self, stage: str, objective: Objective, predict: Callable[[Tensor], Tensor], config: LoopConfig
    ) -> None:
        """``predict``: the student's, with gradients."""
        self.stage = stage
        self._objective, self._predict, self._config = objective, predict, config
        held_out = objective.validation
        spread = np.linspace(0, len(held_out) - 1, min(MOST_VALIDATED, len(held_out)))
        self._held_out = [held_out[int(place)] for place in spread.round()]

    def terms(self, step: int) -> dict[str, Tensor]:
        """The objective's, for a random batch; see `Lesson.terms`."""
        rng = np.random.default_rng((self._config.seed, step))
        samples = rng.choice(self._objective.training, self._config.batch).tolist()
        return self._objective.terms(self._predict, samples, rng)

    def validate(self, standing: Standing) -> dict[str, float]:
        """The objective's terms, means over the held-out samples; see `Lesson.validate`."""
        sums: dict[str, float] = {}
        with standing.averaged(), torch.no_grad():
            for sample in self._held_out:
                for name, term in self._objective.terms(self._predict, [sample], None).items():
                    sums[name] = sums.get(name, 0.0) + float(term) / len(self._held_out)
        return sums
