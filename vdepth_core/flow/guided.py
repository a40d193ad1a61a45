"""Spreading a correction over the surfaces it belongs to."""

from __future__ import annotations

import cv2
import numpy as np


def spread_by_guide(
    guide: np.ndarray, values: np.ndarray, trust: np.ndarray, radius: int, epsilon: float
) -> np.ndarray:
    """Weighted guided filter: values ≈ a · guide + b in every window (He et al., ECCV 2010).

    With a disparity map as guide this is a local scale and shift: pixels nobody vouches for take the values
        of their own
    surface nearby, and no edge appears that the guide does not have.

    Args:
        guide: (h, w) float32; its edges are kept.
        values: (h, w) float32.
        trust: (h, w) float32 ≥ 0, how much each value counts.
        radius: Windows are 2 radius + 1 pixels wide.
        epsilon: Variance of the guide below which a window counts as flat.

    Returns:
        (h, w) float32.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    trust = np.maximum(trust, np.float32(1e-3))

    def mean(image: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.blur(image, size, borderType=cv2.BORDER_REFLECT_101))

    weighted = trust * guide
    total = mean(trust)
    mean_guide = mean(weighted) / total
    mean_value = mean(trust * values) / total
    covariance = mean(weighted * values) / total - mean_guide * mean_value
    variance = mean(weighted * guide) / total - mean_guide * mean_guide
    a = covariance / (np.maximum(variance, 0) + np.float32(epsilon))
    b = mean_value - a * mean_guide
    # Windows that know more say more about the pixels they share.
    total_again = mean(total)
    return np.asarray((mean(a * total) * guide + mean(b * total)) / total_again)
