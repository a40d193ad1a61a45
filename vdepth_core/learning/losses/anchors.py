"""What a reprojection cannot know, given from outside: how fast the camera was, and where depth started.

A scene and a path that are both twice as large give the same pictures. PackNet-SfM (Guizilini et al., CVPR
2020) takes the scale from the speed of the vehicle. Fine-tuning on one clip has a starting prediction to hold
on to, up to its unknown scale and shift.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from .smoothness import along_x, along_y

VELOCITY = 0.1  # PackNet's configuration; its paper has .05
FAR_AWAY = 0.1  # inverse depth, of the median's, that is added before edges are compared: a sky has none
_TINY = 1e-12


def velocity_loss(translations: Sequence[Tensor], measured: Sequence[Tensor]) -> Tensor:
    """mean |‖t‖ − ‖t*‖|, mean over the contexts: only the length counts, not the direction.

    Args:
        translations: (B, 3) each, of the poses to the contexts.
        measured: (B, 3) each, in the unit that depth is to have.
    """
    each = [
        (torch.linalg.vector_norm(own, dim=-1) - torch.linalg.vector_norm(true, dim=-1)).abs().mean()
        for own, true in zip(translations, measured, strict=True)
    ]
    return torch.stack(each).mean()


def align_to(disparity: Tensor, start: Tensor, confidence: Tensor | None = None) -> Tensor:
    """s · disparity + t, the least-squares fit of each map to its start; s never below 0; differentiable.

    Args:
        disparity, start: (N, H, W).
        confidence: (N, H, W) >= 0, weight of each pixel; None: all the same.
    """
    weight = torch.ones_like(start) if confidence is None else confidence
    total = weight.sum((1, 2), keepdim=True).clamp(min=_TINY)

    def mean(maps: Tensor) -> Tensor:
        return (weight * maps).sum((1, 2), keepdim=True) / total

    own, true = disparity - mean(disparity), start - mean(start)
    scale = (mean(own * true) / mean(own * own).clamp(min=_TINY)).clamp(min=0)
    return scale * own + mean(start)


def prior_loss(disparity: Tensor, start: Tensor, confidence: Tensor | None = None) -> Tensor:
    """How far a prediction has left its start, up to scale and shift, in units of the start's spread.

    Mean |s · d + t − d0| over mean |d0 − mean d0|, both weighted, batch mean. The scale that makes the path
    consistent is free to be found; shapes are not. A map upside down counts like a flat one.

    Args:
        disparity: (N, H, W), any scale and shift.
        start: (N, H, W) of the untouched model.
        confidence: (N, H, W) >= 0, how much the start is to be believed; None: everywhere the same.
    """
    weight = torch.ones_like(start) if confidence is None else confidence
    total = weight.sum((1, 2)).clamp(min=_TINY)
    middle = ((weight * start).sum((1, 2)) / total)[:, None, None]
    spread = (weight * (start - middle).abs()).sum((1, 2)) / total
    left = (weight * (align_to(disparity, start, confidence) - start).abs()).sum((1, 2)) / total
    return (left / spread.clamp(min=_TINY**0.5)).mean()


def edge_loss(inverse: Tensor, start: Tensor, weight: Tensor, scales: int = 2) -> Tensor:
    """How far depth has left the edges it began with: mean |∂x c| + |∂y c|, c = ln (w + ε) − ln (w0 + ε).

    What changes is to change slowly over the picture: an edge may become one of another height, which costs
    that once, but not a ramp and not one elsewhere, which costs both. The factor between the maps is free.

    Args:
        inverse: (N, H, W) inverse depth w >= 0, about 1 in the middle.
        start: (N, H, W), w0, as it was.
        weight: (N, H, W) >= 0, what a pixel counts in the mean over all of them.
        scales: At full, half, … size.
    """
    change = ((inverse + FAR_AWAY).log() - (start + FAR_AWAY).log())[:, None]
    weight = weight[:, None]
    total = inverse.new_zeros(())
    for scale in range(scales):
        if scale:
            change, weight = avg_pool2d(change, 2), avg_pool2d(weight, 2)
        beside = (weight[..., 1:] + weight[..., :-1]) / 2
        below = (weight[..., 1:, :] + weight[..., :-1, :]) / 2
        total = total + (along_x(change).abs() * beside).mean() + (along_y(change).abs() * below).mean()
    return total / scales
