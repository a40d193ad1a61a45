"""Losses for affine-invariant disparity whose truth may hold outliers: MiDaS (Ranftl et al., TPAMI 2020).

Everything works on maps (N, H, W); a mask says which pixels have truth.
"""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-6


def normalise(maps: Tensor, mask: Tensor) -> Tensor:
    """Median zero, mean absolute deviation one over the mask, each map by itself (MiDaS eq. 5 and 6).

    Args:
        maps: (N, H, W).
        mask: (N, H, W) bool, where a value counts.
    """
    flat = torch.where(mask, maps, torch.nan).flatten(1)
    shift = flat.nanmedian(1).values.nan_to_num()[:, None, None]  # an empty mask has no median
    count = mask.flatten(1).sum(1).clamp(min=1)[:, None, None]
    scale = (torch.where(mask, maps - shift, 0).abs().sum((1, 2), keepdim=True) / count).clamp(min=_TINY)
    return (maps - shift) / scale


def trimmed_loss(residual: Tensor, mask: Tensor, trim: float = 0.2) -> Tensor:
    """Half the mean of |residual| without its largest ``trim`` share (MiDaS eq. 7), batch mean.

    Args:
        residual: (N, H, W), the difference of two normalised maps.
        mask: (N, H, W) bool, where it counts.
        trim: In [0, 1).
    """
    size = residual.abs().masked_fill(~mask, 0).flatten(1)
    count = mask.flatten(1).sum(1)
    rank = (size.shape[1] - torch.round(count * trim)).long().clamp(1, size.shape[1])
    limit = torch.stack([row.detach().kthvalue(int(k)).values for row, k in zip(size, rank, strict=True)])
    kept = (size <= limit[:, None]) & mask.flatten(1)
    return ((size * kept).sum(1) / (2 * count.clamp(min=1))).mean()


def gradient_loss(residual: Tensor, mask: Tensor, scales: int = 4) -> Tensor:
    """Multi-scale gradient matching: mean |∂x R| + |∂y R| at 1, 1/2, 1/4, … (MiDaS eq. 11), batch mean.

    Args:
        residual: (N, H, W), the difference of two normalised maps.
        mask: (N, H, W) bool, where it counts.
        scales: How many, each half as fine as the one before.
    """
    total = residual.new_zeros(())
    for scale in range(scales):
        step = 2**scale
        r, m = residual[:, ::step, ::step], mask[:, ::step, ::step]
        count = m.sum((1, 2)).clamp(min=1)
        across = ((r[:, :, 1:] - r[:, :, :-1]).abs() * (m[:, :, 1:] & m[:, :, :-1])).sum((1, 2))
        down = ((r[:, 1:] - r[:, :-1]).abs() * (m[:, 1:] & m[:, :-1])).sum((1, 2))
        total = total + ((across + down) / count).mean()
    return total


def midas_loss(prediction: Tensor, truth: Tensor, mask: Tensor, alpha: float = 0.5) -> Tensor:
    """Scale-and-shift-invariant loss plus ``alpha`` times gradients (MiDaS eq. 10), for truth with outliers.

    Args:
        prediction: (N, H, W) disparity, any scale and shift.
        truth: (N, H, W) disparity.
        mask: (N, H, W) bool, where ``truth`` is known.
        alpha: Weight of the gradient term.
    """
    residual = normalise(prediction, mask) - normalise(truth, mask)
    return trimmed_loss(residual, mask) + alpha * gradient_loss(residual, mask)
