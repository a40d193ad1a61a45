"""The noise that diffusion models learn to take away, drawn on the CPU: every device gets the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

STRENGTH = 0.9  # of each coarser level beside the finer one, published (Marigold)
_LEVELS = 10
_FACTOR = (2.0, 4.0)  # how much coarser a level is than the one before, at random


def gaussian(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Standard normal numbers, float32.

    Args:
        shape: Of the tensor.
        rng: Decides them.
    """
    import torch

    return torch.from_numpy(rng.standard_normal(shape, np.float32))


def multi_resolution(shape: tuple[int, int, int, int], share: float, rng: np.random.Generator) -> Tensor:
    """Noise of unit deviation with coarser levels in it, annealed (Ke et al., Marigold, CVPR 2024).

    Args:
        shape: (T, C, h, w).
        share: Of the noise's way, in [0, 1]: at 0 the noise is plain, at 1 coarse levels count most.
        rng: Decides it.

    Returns:
        ``shape``, float32.
    """
    import torch.nn.functional as F

    count, channels, height, width = shape
    noise, rows, columns, coarser = gaussian(shape, rng), height, width, 1.0
    for level in range(1, _LEVELS):
        if min(rows, columns) <= 1:
            break
        coarser *= rng.uniform(*_FACTOR)
        rows, columns = max(1, int(height / coarser)), max(1, int(width / coarser))
        coarse = gaussian((count, channels, rows, columns), rng)
        up = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
        noise = noise + up * (STRENGTH * share) ** level
    scaled: Tensor = noise / noise.std()
    return scaled


def levels(count: int, mean: float, spread: float, rng: np.random.Generator) -> Tensor:
    """Standard deviations of the noise, one a frame: their logarithm is normal (Karras et al., 2022, eq. 6).

    Args:
        count: Of frames.
        mean, spread: Of the logarithm.
        rng: Decides them.

    Returns:
        (count,) float32.
    """
    return (gaussian((count,), rng) * spread + mean).exp()
