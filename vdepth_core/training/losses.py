"""The loss for affine-invariant disparity with exact truth, of procedural scenes.

It works on maps (N, H, W), as those of `adaptation.losses`; a mask says which pixels have truth.
"""

from __future__ import annotations

from torch import Tensor

from ..adaptation.losses import gradient_loss, normalise

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
