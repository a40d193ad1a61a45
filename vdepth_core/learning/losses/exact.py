"""Losses for affine-invariant disparity whose truth is exact or at least knows where infinity is.

They work on maps (N, H, W), as those of `adaptation.losses`; a mask says which pixels have truth.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .midas import gradient_loss, normalise

STEEP = 3.0  # depth over its truth from where an error grows with its logarithm only
_TINY = 1e-6


def exact_loss(prediction: Tensor, truth: Tensor, mask: Tensor, alpha: float = 0.1) -> Tensor:
    """`midas_loss` for exact truth: nothing is trimmed, and far pixels count more than near ones.

    Trimming a fifth of the pixels throws away just the small near things that stand out of a scene; and
    unweighted disparity is mostly the ground at the camera's feet. The weight is 1 / (1/4 + disparity over
    its mean).

    Args:
        prediction: (N, H, W) disparity, any scale and shift.
        truth: (N, H, W) disparity >= 0, exact.
        mask: (N, H, W) bool, where ``truth`` is known.
        alpha: Weight of the gradient term.
    """
    residual = normalise(prediction, mask) - normalise(truth, mask)
    count = mask.sum((1, 2), keepdim=True).clamp(min=1)
    mean = ((truth * mask).sum((1, 2), keepdim=True) / count).clamp(min=_TINY)
    weight = mask / (0.25 + truth / mean)
    data = (weight * residual.abs()).sum((1, 2)) / weight.sum((1, 2)).clamp(min=_TINY)
    return data.mean() + alpha * gradient_loss(residual, mask)


def aligned_relative_loss(prediction: Tensor, truth: Tensor, mask: Tensor, floor: float) -> Tensor:
    """Mean |z / z* − 1| of depth after the least-squares alignment of each map in disparity, batch mean.

    It is AbsRel under the protocol `clip-lstsq`, where losses on disparity hardly see whether something is
    twenty or forty metres away. Beyond `STEEP` times its truth a depth counts by its logarithm, which goes
    on as its tangent below ``floor``: no pixel outweighs a picture, and what the alignment throws behind
    infinity still finds back.

    Args:
        prediction: (N, H, W) disparity, any scale and shift.
        truth: (N, H, W) disparity of any scale but no shift.
        mask: (N, H, W) bool, where ``truth`` is known.
        floor: Least disparity that counts, in the truth's unit: the reciprocal of the farthest depth.
    """
    mask = mask & (truth > floor)
    count = mask.sum((1, 2), keepdim=True).clamp(min=1)

    def mean(maps: Tensor) -> Tensor:
        return (maps * mask).sum((1, 2), keepdim=True) / count

    p, g = prediction - mean(prediction), truth - mean(truth)
    scale = mean(p * g) / mean(p * p).clamp(min=_TINY)
    aligned = (scale * p + mean(truth)) / floor
    logarithm = torch.where(aligned > 1, aligned.clamp(min=1).log(), aligned - 1)
    farther = (truth / floor).clamp(min=1).log() - logarithm  # ln z − ln z*
    steep = farther.clamp(max=math.log(STEEP))
    return mean(steep.expm1().abs() + STEEP * (farther - steep)).mean()
