"""What a diffusion model is to say: depth of a snippet on one scale, and where it is known.

The frames of a snippet are normalised together (Ke et al., Video Depth without Video Models, CVPR 2025): a
frame's target depends on the frames beside it, so that a network learns one scale for what it sees at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...methods.depth_check import filled_from_nearest
from ...types import Quantity

if TYPE_CHECKING:
    from torch import Tensor

LOW, HIGH = 2.0, 98.0  # percentiles that become -1 and 1, published
_FLAT = 1e-6  # of the largest value: less is one plane, whose target is 0


@dataclass(frozen=True)
class Snippet:
    """Frames of one clip at the size of the training.

    Attributes:
        rgb: (T, 3, H, W) float32 in [0, 1].
        disparity: (T, H, W) float32 >= 0, of one scale; not a number where unknown, 0 for the sky.
    """

    rgb: np.ndarray
    disparity: np.ndarray


@dataclass(frozen=True)
class Target:
    """What the frames of a snippet are encoded to.

    Attributes:
        maps: (T, H, W) float32 in [-1, 1], unknown pixels filled from their nearest known one.
        known: (T, H, W) bool.
    """

    maps: np.ndarray
    known: np.ndarray


def target_of(disparity: np.ndarray, quantity: Quantity) -> Target:
    """A snippet's target: one scale for all of its frames.

    Args:
        disparity: (T, H, W), see `Snippet`.
        quantity: What the network is to say: disparity, near is 1; or depth, near is -1 and the sky as far as
            the farthest that is known.
    """
    known = np.isfinite(disparity)
    if not known.any():
        return Target(np.zeros(disparity.shape, np.float32), known)
    values = disparity if quantity == "disparity" else _depth(disparity)
    low, high = np.percentile(values[known], (LOW, HIGH))
    spread = max(float(high - low), _FLAT * float(np.abs(values[known]).max()), 1e-12)
    unit = np.clip((values - np.float32(low)) * np.float32(2 / spread) - 1, -1, 1)
    if high - low <= _FLAT * float(np.abs(values[known]).max()):
        unit = np.where(known, np.float32(0), np.float32(np.nan))
    return Target(filled_from_nearest(unit.astype(np.float32), known), known)


def known_latents(known: Tensor, scale: int) -> Tensor:
    """Which latent pixels are made of nothing but known pixels.

    Args:
        known: (T, H, W) bool.
        scale: Pixels a latent pixel, each way; H and W are multiples of it.

    Returns:
        (T, 1, H / scale, W / scale), 1 where all is known, else 0.
    """
    import torch.nn.functional as F

    unknown = (~known)[:, None].float()
    return 1 - F.max_pool2d(unknown, scale)


def masked_mean(error: Tensor, mask: Tensor) -> Tensor:
    """Mean over what the mask keeps; 0 where it keeps nothing.

    Args:
        error: (..., C, h, w).
        mask: (..., 1, h, w), 0 or 1.
    """
    weight = mask.expand_as(error)
    total: Tensor = (error * weight).sum() / weight.sum().clamp_min(1)
    return total


def _depth(disparity: np.ndarray) -> np.ndarray:
    near = disparity[np.isfinite(disparity) & (disparity > 0)]
    least = float(near.min()) if near.size else 1.0
    depth: np.ndarray = 1 / np.maximum(disparity, np.float32(least))
    return depth
