"""How unlike two pictures are, pixel by pixel: SSIM, L1 and Charbonnier, mixed as published.

Monodepth2, PackNet   .85 · SSIM' + .15 · mean_c |a − b|         (also DDV, DIFFNet, Godard 2017)
FeatDepth             .85 · SSIM' + .15 · mean_c √((a − b)² + 1e-6)
SfMLearner            |a − b| only: see `explainability`
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

SSIM_WEIGHT = 0.85  # Godard et al., CVPR 2017; Zhao et al. 2017 has .84
SSIM_C1 = 0.01**2  # Wang et al. 2004, for values in [0, 1]
SSIM_C2 = 0.03**2
CHARBONNIER = 1e-6  # FeatDepth; two equal pictures are 1e-3 apart

Difference = Literal["l1", "charbonnier"]


def dissimilarity(first: Tensor, second: Tensor) -> Tensor:
    """SSIM' = clamp((1 − SSIM) / 2, 0, 1), with means over 3x3 pixels and a reflected border.

    Args:
        first, second: (B, C, H, W) in [0, 1], at least 2x2.

    Returns:
        (B, C, H, W), 0 where they are alike.
    """
    a, b = (functional.pad(picture, (1, 1, 1, 1), mode="reflect") for picture in (first, second))

    def mean(maps: Tensor) -> Tensor:
        return functional.avg_pool2d(maps, 3, stride=1)

    mean_a, mean_b = mean(a), mean(b)
    variance_a = mean(a * a) - mean_a * mean_a
    variance_b = mean(b * b) - mean_b * mean_b
    covariance = mean(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + SSIM_C1) * (2 * covariance + SSIM_C2)
    most = (mean_a * mean_a + mean_b * mean_b + SSIM_C1) * (variance_a + variance_b + SSIM_C2)
    return ((1 - alike / most) / 2).clamp(0, 1)


def difference(first: Tensor, second: Tensor, kind: Difference = "l1") -> Tensor:
    """Mean over channels.

    Args:
        first, second: (B, C, H, W), pictures or features.
        kind: |a − b|, or Charbonnier's √((a − b)² + 1e-6), which is smooth at 0 and nowhere below 1e-3.

    Returns:
        (B, 1, H, W).
    """
    gap = first - second
    size = gap.abs() if kind == "l1" else (gap * gap + CHARBONNIER).sqrt()
    return size.mean(1, keepdim=True)


def photometric_error(
    first: Tensor, second: Tensor, ssim: float = SSIM_WEIGHT, kind: Difference = "l1"
) -> Tensor:
    """ssim · mean_c SSIM' + (1 − ssim) · difference.

    Args:
        first, second: (B, 3, H, W) in [0, 1].
        ssim: Weight of the structure; 0 leaves it out.
        kind: Of the difference.

    Returns:
        (B, 1, H, W).
    """
    plain = difference(first, second, kind)
    if ssim == 0:
        return plain
    return ssim * dissimilarity(first, second).mean(1, keepdim=True) + (1 - ssim) * plain


def clip_errors(errors: Tensor, spread: float) -> Tensor:
    """PackNet's ``clip_loss``: no error counts more than mean + spread · σ of all in the tensor.

    Args:
        errors: Of any shape, more than one element.
        spread: Standard deviations (unbiased); 0: errors stay as they are. The limit carries no gradient.
    """
    if spread == 0:
        return errors
    with torch.no_grad():
        limit = errors.mean() + spread * errors.std()
    return errors.clamp(max=limit)  # equal errors keep their gradient
