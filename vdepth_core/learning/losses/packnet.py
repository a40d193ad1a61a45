"""PackNet-SfM's loss (Guizilini et al., CVPR 2020): Monodepth2's with its own sizes, order and velocity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .anchors import VELOCITY, velocity_loss
from .photometric import SSIM_WEIGHT, clip_errors
from .reprojection import reduce_sources, weighted_mean
from .resampling import bilinear, nearest
from .sight import Sight
from .smoothness import MEAN_FLOOR, first_order, over_mean
from .synthesis import PACKNET, Warp, resize_intrinsics

LEAST_INVERSE = 1e-6  # depth = 1 / max(inverse depth, this)


@dataclass(frozen=True)
class PackNetWeights:
    """The defaults of the published configuration (not of the published class).

    Attributes:
        ssim: Weight of SSIM in the error.
        smoothness, velocity: Weights of the terms.
        minimum: Over contexts; False: their mean, which needs the auto-mask off.
        automask: Whether unwarped contexts compete.
        clip: Standard deviations above the mean that an error counts at most; 0: all of it.
        upsample: All inverse depths at full size, by repeating pixels; False: each at its own.
        warp: How contexts are looked up.
    """

    ssim: float = SSIM_WEIGHT
    smoothness: float = 1e-3
    velocity: float = VELOCITY
    minimum: bool = True
    automask: bool = True
    clip: float = 0.0
    upsample: bool = True
    warp: Warp = PACKNET


DEFAULTS = PackNetWeights()


def packnet_terms(
    inverse_depths: Sequence[Tensor],
    target: Tensor,
    contexts: Sequence[Tensor],
    K: Tensor,
    poses: Sequence[Tensor],
    measured: Sequence[Tensor] | None = None,
    weights: PackNetWeights = DEFAULTS,
    confidence: Tensor | None = None,
) -> dict[str, Tensor]:
    """The weighted terms: ``photometric``, ``smoothness``, and with measured motion ``velocity``.

    Args:
        inverse_depths: (B, 1, H/2^s, W/2^s), finest first.
        target: (B, 3, H, W) in [0, 1].
        contexts: C times (B, 3, H, W).
        K: (B, 3, 3) or (3, 3), for pixel indices at full size.
        poses: C times (B, 4, 4), from target to context.
        measured: C times (B, 3), true translations; only their lengths count. None: no ``velocity``.
        weights: Of the terms.
        confidence: (B, 1, H, W) in [0, 1], what a pixel counts in ``photometric``; None: all the same.

    Raises:
        ValueError: the auto-mask without the minimum.
    """
    if weights.automask and not weights.minimum:
        raise ValueError("PackNet's mean over contexts needs the auto-mask off")
    photometric, rough = target.new_zeros(()), target.new_zeros(())
    full = Sight(target, contexts, K, poses, weights.warp, weights.ssim)
    for scale, own in enumerate(inverse_depths):
        inverse, sight = (nearest(own, full.size) if weights.upsample else own), full
        if inverse.shape[-2:] != full.size:
            view, *others = (
                bilinear(picture, inverse.shape[-2:], align_corners=True) for picture in (target, *contexts)
            )
            shrunk = inverse.shape[-1] / full.size[1]  # for both axes
            k = resize_intrinsics(K, shrunk, shrunk, centred=True)
            sight = Sight(view, others, k, poses, weights.warp, weights.ssim)
        warped = _clipped(sight.warped(1 / inverse.clamp(min=LEAST_INVERSE)), weights.clip)
        still = _clipped(sight.still, weights.clip) if weights.automask else None
        error, _ = reduce_sources(warped, still, minimum=weights.minimum, order="in pairs")
        photometric = photometric + weighted_mean(error, confidence)
        rough = rough + first_order(over_mean(inverse, floor=MEAN_FLOOR), sight.target) / 2**scale
    count = len(inverse_depths)
    terms = {"photometric": photometric / count, "smoothness": weights.smoothness * rough / count}
    if measured is not None:
        terms["velocity"] = weights.velocity * velocity_loss([pose[:, :3, 3] for pose in poses], measured)
    return terms


def _clipped(errors: Sequence[Tensor], limit: float) -> Tensor:
    return torch.cat([clip_errors(each, limit) for each in errors], 1)
