"""The recipe `tc`: TCMonoDepth's training (Li et al., ICCV-W 2021) on one unlabelled clip.

Two neighbouring frames go through the network; the loss is how far each is from its supervision, plus λ times
the temporal loss between them. The paper trains on labelled data sets and mentions unlabelled video with a
single-image teacher; here the clip is the user's own and the model learns to be steady on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..learning.losses.midas import midas_loss
from ..learning.losses.temporal import pair_loss
from .footage import Footage, Split, split_pairs
from .options import TcOptions

if TYPE_CHECKING:
    from .session import Session

Predict = Callable[[Tensor], Tensor]


class TemporalConsistency:
    """An `Objective` over pairs of neighbours, by their first frames."""

    def __init__(self, footage: Footage, unit: float, options: TcOptions, device: str) -> None:
        """``unit``: the clip's spread of disparity, which losses are measured in."""
        self._footage, self._unit, self._options = footage, unit, options
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
        steadiness = pair_loss(own, true, rgb, flow, seen, self._options.form, self._options.sigma)
        terms = {
            "depth": (disparity - targets).abs().mean(),
            "temporal": self._options.weight * steadiness,
        }
        if self._options.midas:
            everywhere = torch.ones_like(targets, dtype=torch.bool)
            terms["midas"] = self._options.midas * midas_loss(disparity, targets, everywhere)
        return terms


class Tc:
    """Steady along the optical flow, and faithful to a teacher's steady depth.

    Attributes:
        share: Of what was learnt that is released. On 36 frames of a walk through an office all of it takes
            AbsRel from .331 to .335 and rTC@1.05 from .56 to .70, half of it to .331 and .63.
        rate: Peak learning rate of the network; twice that makes the embedded one drift on held-out frames.
    """

    name = "tc"
    taught = True
    share = 0.6
    rate = 5e-5
    Options = TcOptions

    def __init__(self, options: TcOptions) -> None:
        self._options = options

    def build(self, session: Session) -> TemporalConsistency:
        """Prepares motion and supervision; see `Recipe.build`."""
        session.follow_motion()
        unit = session.supervise().spread
        return TemporalConsistency(session.footage, unit, self._options, session.device)
