"""Smoothness of disparity, depth or features: first and second order, forgiven at the picture's own edges.

All derivatives are plain forward differences. Every term is a mean over its own elements; which weights and
which divisor a scale gets is each system's (`monodepth2`, `sfmlearner`, `packnet`, `featdepth`, `leftright`).
"""

from __future__ import annotations

from itertools import product

from torch import Tensor

MEAN_EPSILON = 1e-7  # Monodepth2, FeatDepth: added to the mean
MEAN_FLOOR = 1e-6  # PackNet: least mean


def along_x(maps: Tensor) -> Tensor:
    """Forward difference to the right.

    Args:
        maps: (..., H, W).

    Returns:
        (..., H, W − 1).
    """
    return maps[..., 1:] - maps[..., :-1]


def along_y(maps: Tensor) -> Tensor:
    """Forward difference downwards.

    Args:
        maps: (..., H, W).

    Returns:
        (..., H − 1, W).
    """
    return maps[..., 1:, :] - maps[..., :-1, :]


_FIRST = (along_x, along_y)


def over_mean(disparity: Tensor, epsilon: float = MEAN_EPSILON, floor: float | None = None) -> Tensor:
    """Disparity over its mean: what is smooth does not depend on the scale.

    Args:
        disparity: (B, 1, H, W).
        epsilon: Added to the mean.
        floor: Least mean, instead of ``epsilon``: PackNet's way.
    """
    mean = disparity.mean((2, 3), keepdim=True)
    return disparity / (mean + epsilon if floor is None else mean.clamp(min=floor))


def first_order(maps: Tensor, picture: Tensor, sharpness: float = 1.0) -> Tensor:
    """mean |∂x d| e^{−k mean_c |∂x I|}, and the same in y.

    Args:
        maps: (B, C, H, W).
        picture: (B, 3, H, W) in [0, 1].
        sharpness: k: how much an edge of the picture forgives.
    """
    total = maps.new_zeros(())
    for along in _FIRST:
        total = total + (along(maps).abs() * _forgiven(along(picture), sharpness)).mean()
    return total


def second_order(maps: Tensor, picture: Tensor | None = None, sharpness: float = 1.0) -> Tensor:
    """The means of |∂xx|, |∂xy|, |∂yx| and |∂yy|, each times e^{−k mean_c |the same of I|}, added.

    Args:
        maps: (B, C, H, W).
        picture: (B, 3, H, W) in [0, 1]; None: edges are not forgiven (SfMLearner).
        sharpness: k.
    """
    total = maps.new_zeros(())
    for inner, outer in product(_FIRST, repeat=2):
        curved = outer(inner(maps)).abs()
        if picture is not None:
            curved = curved * _forgiven(outer(inner(picture)), sharpness)
        total = total + curved.mean()
    return total


def _forgiven(change: Tensor, sharpness: float) -> Tensor:  # (B, C, h, w) -> (B, 1, h, w)
    return (-sharpness * change.abs().mean(1, keepdim=True)).exp()
