"""The recipe `tc`: TCMonoDepth's training (Li et al., ICCV-W 2021) on one unlabelled clip.

Two neighbouring frames go through the network; the loss is how far each is from its supervision, plus λ times
the temporal loss between them. The paper trains on labelled data sets and mentions unlabelled video with a
single-image teacher; here the clip is the user's own and the model learns to be steady on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..choices import TemporalForm
from ..learning.losses.midas import midas_loss
from ..learning.losses.temporal import SIGMA, pair_loss
from .footage import Footage, Split, split_pairs

if TYPE_CHECKING:
    from .supervision import Supervision

Predict = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class TcConfig:
    """How the terms are weighed.

    Attributes:
        form: The temporal loss: ``residual`` lets depth change as the supervision does, ``plain`` is
            the paper's.
        weight: λ of the temporal loss. Measured on the bundled clip, 400 steps: 2 takes rTC@1.05 from .67 to
            .91 and softens edges by 10 %, 4 takes it to .93 and softens them by 14 %.
        sigma: How fast a difference of colour makes a pixel doubtful.
        midas: Weight of the scale-and-shift-invariant loss beside L1.
    """

    form: TemporalForm = "residual"
    weight: float = 2.0
    sigma: float = SIGMA
    midas: float = 0.0


class TemporalConsistency:
    """The objective of `tc`; see `loop.Objective`."""

    def __init__(self, footage: Footage, supervision: Supervision, config: TcConfig, device: str) -> None:
        self._footage, self._unit, self._config = footage, supervision.spread, config
        self._device = device
        split: Split = split_pairs(footage.shots)
        self.training: Sequence[int] = split.training
        self.validation: Sequence[int] = split.validation

    def terms(
        self, predict: Predict, pairs: Sequence[int], rng: np.random.Generator | None
    ) -> dict[str, Tensor]:
        """The weighted terms of the loss for pairs (i, i + 1), in units of the clip's spread of disparity.

        Args:
            predict: Frames (n, 3, h, w) -> disparity (n, h, w).
            pairs: First frames.
            rng: For training: some pairs are mirrored. None: as they are.
        """
        count = len(pairs)
        indices = [*pairs, *(pair + 1 for pair in pairs)]
        frames, targets = self._footage.pictures(indices), self._footage.targets(indices)
        flow, seen = self._footage.motion(pairs)
        if rng is not None and rng.uniform() < 0.5:
            frames, targets, seen = frames.flip(-1), targets.flip(-1), seen.flip(-1)
            flow = flow.flip(2) * torch.tensor([-1.0, 1.0])
        frames, targets, flow, seen = (t.to(self._device) for t in (frames, targets, flow, seen))
        disparity = predict(frames) / self._unit
        targets = targets / self._unit
        own, true, rgb = (x.unflatten(0, (2, count)).transpose(0, 1) for x in (disparity, targets, frames))
        steadiness = pair_loss(own, true, rgb, flow, seen, self._config.form, self._config.sigma)
        terms = {
            "depth": (disparity - targets).abs().mean(),
            "temporal": self._config.weight * steadiness,
        }
        if self._config.midas:
            everywhere = torch.ones_like(targets, dtype=torch.bool)
            terms["midas"] = self._config.midas * midas_loss(disparity, targets, everywhere)
        return terms
