"""Explainability: a network says itself where the model of a still world and a moving camera holds.

SfMLearner (Zhou et al., CVPR 2017) weighs the difference of pictures by a mask in (0, 1); Monodepth2 offers
the same for its own error (``predictive_mask``). Nothing would stop a mask from being 0 everywhere but the
cross entropy that pulls it to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .reprojection import weighted_mean

PREDICTIVE_MASK = 0.2  # Monodepth2: weight of the cross entropy


def explained_difference(
    target: Tensor,
    warped: Tensor,
    valid: Tensor,
    mask: Tensor | None = None,
    confidence: Tensor | None = None,
) -> Tensor:
    """mean |(I − Î) · valid · E| over all elements, pixels without a source included as 0 (SfMLearner).

    Args:
        target, warped: (B, 3, H, W).
        valid: (B, 1, H, W) bool, where ``warped`` was seen.
        mask: (B, 1, H, W) in (0, 1), E; None: 1.
        confidence: (B, 1, H', W') >= 0, what a pixel counts in the mean; None: all the same.
    """
    gap = (target - warped) * valid
    if mask is not None:
        gap = gap * mask
    return weighted_mean(gap.abs(), confidence)


def explainability_loss(masks: Sequence[Tensor]) -> Tensor:
    """Cross entropy of every mask to 1, mean over elements, sum over scales.

    Args:
        masks: (B, S, h, w) each, in (0, 1): one a scale.
    """
    each = [functional.binary_cross_entropy(mask, torch.ones_like(mask)) for mask in masks]
    return torch.stack(each).sum()
