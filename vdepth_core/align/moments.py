"""What the rows of a frame say about each other: robust moments, pixel by pixel, on any torch device.

All rows of a frame are aligned predictions y of the same truth, with noise on every one of them and gross
errors on some pixels. Pixels are weighted by how far they lie from the frame's mean m, and a row's contrast
and level are compared with m's on the row's own good pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .scale_shift import MAD_TO_SIGMA

if TYPE_CHECKING:
    from torch import Tensor

_CAUCHY = 3.0  # standard deviations; measured: 2.4 to 4 do equally well on rendered and on real clips
_SAMPLE = 256  # residuals a frame whose median tells the noise
_FLOOR = 1e-3  # of the frame's contrast, for the noise: exact predictions have none
_EXACT, _LEAST = 1e-9, 1e-15  # of the frame's values, and of anything, where even the contrast is 0
_TINY = 1e-30


@dataclass(frozen=True)
class Moments:
    """Arrays (B, C), or (B,) of the frame, float64; 0 in rows without a valid pixel.

    Attributes:
        share: Mean weight of a row's pixels, times the trust in it.
        level, offset: Means of m and of y − m on the row's own good pixels.
        row, mean, both: Variances of y and of m there, and their covariance.
        misfit: (B,) mean |y − m| over |m|'s mean, the published objective's first term.
        contrast: (B,) standard deviation of m.
    """

    share: np.ndarray
    level: np.ndarray
    offset: np.ndarray
    row: np.ndarray
    mean: np.ndarray
    both: np.ndarray
    misfit: np.ndarray
    contrast: np.ndarray


def measure(values: Tensor, known: Tensor | None, scale: Tensor, level: Tensor, trust: Tensor) -> Moments:
    """Robust moments of y = scale · values + level.

    Args:
        values: (B, C, P); 0 where not known.
        known: (B, C, P) in {0, 1}; None: all pixels of all rows with trust.
        scale, level: (B, C).
        trust: (B, C) ≥ 0, 0 for unused rows.
    """
    import torch

    B, C, P = values.shape
    y = torch.addcmul(level[..., None], values, scale[..., None])
    base = trust[..., None] if known is None else trust[..., None] * known
    mean = (base * y).sum(1) / base.sum(1).clamp_min(_TINY)
    stride = -(-P * C // _SAMPLE)
    seen = (base > 0).expand(B, C, P)[..., ::stride]
    least = torch.maximum(_FLOOR * _deviation(mean), _EXACT * mean.abs().mean(-1)).clamp_min(_LEAST)
    for _ in range(2):
        residual = y - mean[:, None]
        sizes = torch.where(seen, residual[..., ::stride].abs(), torch.nan).flatten(1)
        sigma = torch.maximum(MAD_TO_SIGMA * sizes.nanmedian(-1).values.nan_to_num(), least)
        weight = residual.square_().mul_((_CAUCHY * sigma).square().reciprocal()[:, None, None])
        weight = weight.add_(1).reciprocal_().mul_(base)
        mean = (weight * y).sum(1) / weight.sum(1).clamp_min(_TINY)
    residual = y.sub_(mean[:, None])
    middle = mean.mean(-1, keepdim=True)
    centred = mean - middle
    moments = torch.stack([torch.ones_like(centred), centred, centred.square()], -1)  # (B, P, 3)
    total, m, mm = (weight @ moments).unbind(-1)
    pulled = weight.mul_(residual)
    r, rm = (pulled @ moments[..., :2]).unbind(-1)
    rr = torch.linalg.vecdot(pulled, residual)
    total_or_one = torch.where(total > 0, total, 1)
    m, mm, r, rm, rr = (part / total_or_one for part in (m, mm, r, rm, rr))
    mm, rm, rr = mm - m * m, rm - r * m, rr - r * r
    misfit = sizes.nanmean(-1).nan_to_num() / mean.abs().mean(-1).clamp_min(_TINY)
    row = (mm + 2 * rm + rr).clamp_min(0)
    out = (total / P, m + middle, r, row, mm.clamp_min(0), mm + rm, misfit, _deviation(mean))
    return Moments(*(part.cpu().double().numpy() for part in out))


def _deviation(of: Tensor) -> Tensor:
    """Standard deviation along the last axis."""
    return (of - of.mean(-1, keepdim=True)).square_().mean(-1).sqrt()


def spread(values: Tensor, known: Tensor | None) -> tuple[np.ndarray, np.ndarray]:
    """Median and mean absolute deviation from it, (B, C) float64, of values (B, C, P); NaN without any.

    Args:
        values: Of B frames, C snippets that cover each, P pixels.
        known: The same shape, above 0 where a value counts; None: all do.
    """
    import torch

    if known is not None:
        values = torch.where(known > 0, values, torch.nan)
    median = values.nanmedian(-1).values
    deviation = (values - median[..., None]).abs_().nanmean(-1)
    return median.cpu().double().numpy(), deviation.cpu().double().numpy()
