"""Scale and shift of every detailed prediction onto the estimate, steady over the shot.

A per-frame model gives each picture a scale and shift of its own, so these must be followed exactly: means
and variances are those of the frame. What least squares adds to them is the correlation (its slope is
ρ σ_low / σ_high); that says how far prediction and estimate agree, changes only with the content, and is
smoothed over time: its noise would make the detail breathe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

FOLLOW = 0.25  # of the way towards a frame's own correlation, a frame
_FLAT = 1e-6  # of the values: a standard deviation below is rounding


@dataclass(frozen=True)
class Moments:
    """Of N predictions and the estimates they belong to, arrays (N,) float64."""

    low: np.ndarray
    high: np.ndarray
    low_deviation: np.ndarray
    high_deviation: np.ndarray
    correlation: np.ndarray


def measure(low: Tensor, high: Tensor) -> Moments:
    """Moments of estimates and predictions of the same; a flat map correlates with nothing.

    Args:
        low: (N, 1, H, W), the estimates.
        high: (N, 1, H, W), the predictions.
    """
    import torch

    x, y = high.flatten(1).double(), low.flatten(1).double()
    mx, my = x.mean(1), y.mean(1)
    x, y = x - mx[:, None], y - my[:, None]
    sx, sy = x.square().mean(1).sqrt(), y.square().mean(1).sqrt()
    both = (x * y).mean(1)
    some = (sx > _FLAT * mx.abs()) & (sy > _FLAT * my.abs()) & (sx > 0) & (sy > 0)
    rho = torch.where(some, both / (sx * sy).clamp_min(1e-300), 0.0)
    return Moments(*(part.cpu().numpy() for part in (my, mx, sy, sx, rho)))


def steadied(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Correlations a step of `FOLLOW` on.

    Args:
        now: (N,) of this frame; NaN where nothing was predicted.
        before: (N,) of the frame before, steadied; NaN where none is known yet.

    Returns:
        (N,) float32.
    """
    before = np.where(np.isnan(before), now, before)
    return np.where(np.isnan(now), before, before + FOLLOW * (now - before)).astype(np.float32)


def fitted(high: Tensor, moments: Moments, correlation: np.ndarray) -> Tensor:
    """Predictions in the terms of the estimates; what contradicts them comes out flat.

    Args:
        high: (N, 1, H, W).
        moments: Theirs.
        correlation: (N,), steadied.
    """
    import torch

    deviation = np.where(moments.high_deviation > 0, moments.high_deviation, 1.0)
    scale = np.maximum(correlation, 0.0) * moments.low_deviation / deviation
    shift = moments.low - scale * moments.high
    scale_, shift_ = (
        torch.as_tensor(values, dtype=torch.float32, device=high.device)[:, None, None, None]
        for values in (scale, shift)
    )
    return high * scale_ + shift_
