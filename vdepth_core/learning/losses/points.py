"""A loss for truth at a few points: their order (Chen et al., NeurIPS 2016), and their depth up to alignment.

Points of structure from motion are exact and far apart. They say nothing of edges, and much of which thing is
before which, also far away, where a teacher is wrong.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .exact import aligned_relative_loss
from .midas import normalise

APART = 1.1  # ratio of two depths from which on their order is asked for
MARGIN = 4.0  # how steeply a wrong order counts, in spreads of the map
SHIFTS = (0.12, 0.27, 0.39, 0.5)  # pairs: a point and those this share of all points further on, row by row


def ordinal_loss(prediction: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Mean of ln(1 + exp(−(p_near − p_far))) over pairs of points that lie apart, batch mean.

    Args:
        prediction: (N, H, W) disparity, any scale and shift.
        truth: (N, H, W) disparity, any scale.
        mask: (N, H, W) bool, where ``truth`` is known.
    """
    spread = normalise(prediction, mask) * MARGIN
    total = prediction.new_zeros(())
    for maps, true, known in zip(spread, truth, mask, strict=True):
        p, g = maps[known], true[known]
        terms = []
        for share in SHIFTS:
            step = int(share * len(g))
            if step < 1:
                continue
            q, h = p.roll(step), g.roll(step)
            sign = torch.sign(g - h) * (torch.maximum(g, h) > APART * torch.minimum(g, h))
            chosen = sign != 0
            terms.append(functional.softplus(-(sign * (p - q))[chosen]))
        losses = torch.cat(terms) if terms else p[:0]
        total = total + losses.sum() / max(len(losses), 1)
    return total / len(prediction)


def points_loss(prediction: Tensor, truth: Tensor, mask: Tensor, floor: float) -> Tensor:
    """`ordinal_loss` and `aligned_relative_loss` together.

    Args:
        prediction: (N, H, W) disparity, any scale and shift.
        truth: (N, H, W) disparity of any scale but no shift.
        mask: (N, H, W) bool, where ``truth`` is known.
        floor: Least disparity that counts, in the truth's unit.
    """
    return ordinal_loss(prediction, truth, mask) + aligned_relative_loss(prediction, truth, mask, floor)
