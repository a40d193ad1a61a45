"""Monodepth2's loss (Godard et al., ICCV 2019), which DDV and DIFFNet train with, too.

At every scale the disparity is brought to full size, the full-size sources are warped by it, and one error a
pixel is left; smoothness stays at the disparity's own size. Both are means over the scales. Written from the
published formulas alone. The minimum over sources and the auto-mask are switches: see `reprojection`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...geometry.poses import rigid
from .explainability import PREDICTIVE_MASK, explainability_loss
from .photometric import SSIM_WEIGHT, Difference
from .reprojection import reduce_sources, weighted_mean
from .resampling import area, bilinear
from .sight import Sight
from .smoothness import first_order, over_mean
from .synthesis import MONODEPTH2, Warp, resize_intrinsics

Convert = Callable[[Tensor], Tensor]

STEREO_BASELINE = 0.1  # nominal, for KITTI's .54 m: metres are 5.4 times the depth that is learnt


@dataclass(frozen=True)
class Reprojection:
    """How sources explain the target; the published defaults.

    Attributes:
        warp: How they are looked up.
        ssim: Weight of SSIM; 0 is the published ``no_ssim``.
        difference: The other part of the error.
        minimum: Over the sources; False: their mean (``avg_reprojection``).
        automask: Whether unwarped sources compete.
        native: Every scale at its own size (``v1_multiscale``), not at full size.
        scaled: Whether translations are multiplied by each picture's mean inverse depth (``posecnn``).
    """

    warp: Warp = MONODEPTH2
    ssim: float = SSIM_WEIGHT
    difference: Difference = "l1"
    minimum: bool = True
    automask: bool = True
    native: bool = False
    scaled: bool = False


PUBLISHED = Reprojection()


def stereo_pose(left: Tensor) -> Tensor:
    """The pose from a stereo picture to its partner: .1 along x, negative from the left to the right one.

    Args:
        left: (B,) bool, the target is the left picture; mirroring the pair swaps the sides.

    Returns:
        (B, 4, 4) float32.
    """
    across = torch.where(left, -STEREO_BASELINE, STEREO_BASELINE).float()
    translation = torch.stack((across, torch.zeros_like(across), torch.zeros_like(across)), -1)
    return rigid(torch.eye(3, device=left.device).expand(len(left), 3, 3), translation)


def scale_translation(pose: Tensor, depth: Tensor) -> Tensor:
    """The pose with its translation times the mean of 1 / depth of each picture.

    Args:
        pose: (B, 4, 4).
        depth: (B, 1, H, W).
    """
    size = (1 / depth).mean((1, 2, 3))[:, None]
    return rigid(pose[:, :3, :3], pose[:, :3, 3] * size)


def reprojection_loss(
    disparities: Sequence[Tensor],
    inverse_depth: Convert,
    target: Tensor,
    sources: Sequence[Tensor],
    K: Tensor,
    poses: Sequence[Tensor],
    how: Reprojection,
    generator: torch.Generator | None = None,
    masks: Sequence[Tensor] | None = None,
    confidence: Tensor | None = None,
) -> Tensor:
    """The mean error a pixel, mean over the scales.

    Args:
        disparities: (B, 1, h, w) each, a sigmoid's in (0, 1), of any sizes.
        inverse_depth: From disparity; .01 + 9.99 · disparity as published.
        target: (B, 3, H, W) in [0, 1].
        sources: S times (B, 3, H, W).
        K: (B, 3, 3) or (3, 3), for pixel indices at full size.
        poses: S times (B, 4, 4), from target to source.
        how: What is done.
        generator: Of the noise that breaks the auto-mask's ties; None: no noise.
        masks: (B, S, h, w) in (0, 1) a scale, which multiply the errors; None: none.
        confidence: (B, 1, H, W) in [0, 1], what a pixel counts in the mean; None: all the same.

    Raises:
        ValueError: there are masks beside the auto-mask.
    """
    if masks is not None and how.automask:
        raise ValueError("a predicted mask and the auto-mask exclude each other")
    total, full = target.new_zeros(()), Sight(target, sources, K, poses, how.warp, how.ssim, how.difference)
    for scale, disparity in enumerate(disparities):
        sight = full
        if how.native:
            size = disparity.shape[-2:]
            view, *others = (area(picture, size) for picture in (target, *sources))
            k = resize_intrinsics(K, size[1] / target.shape[-1], size[0] / target.shape[-2])
            sight = Sight(view, others, k, poses, how.warp, how.ssim, how.difference)
        depth = 1 / inverse_depth(bilinear(disparity, sight.size))
        moves = [scale_translation(pose, depth) for pose in poses] if how.scaled else None
        warped = torch.cat(sight.warped(depth, moves), 1)
        if masks is not None:
            warped = warped * bilinear(masks[scale], sight.size)
        still = torch.cat(sight.still, 1) if how.automask else None
        error, _ = reduce_sources(warped, still, minimum=how.minimum, generator=generator)
        total = total + weighted_mean(error, confidence) / len(disparities)
    return total


def monodepth2_terms(
    disparities: Sequence[Tensor],
    inverse_depth: Convert,
    target: Tensor,
    sources: Sequence[Tensor],
    K: Tensor,
    poses: Sequence[Tensor],
    how: Reprojection = PUBLISHED,
    *,
    smoothness: float = 1e-3,
    generator: torch.Generator | None = None,
    masks: Sequence[Tensor] | None = None,
    pyramid: Sequence[Tensor] | None = None,
    confidence: Tensor | None = None,
) -> dict[str, Tensor]:
    """The weighted terms: ``photometric``, ``smoothness``, and with masks ``explainability``.

    Args:
        disparities: (B, 1, H/2^s, W/2^s), a sigmoid's in (0, 1), finest first.
        inverse_depth: From disparity; .01 + 9.99 · disparity as published.
        target: (B, 3, H, W) in [0, 1].
        sources: S times (B, 3, H, W).
        K: (B, 3, 3) or (3, 3), for pixel indices at full size.
        poses: S times (B, 4, 4), from target to source.
        how: What is done.
        smoothness: Weight of the finest scale's; halved with every other.
        generator: Of the noise that breaks the auto-mask's ties; None: no noise.
        masks: (B, S, H/2^s, W/2^s) in (0, 1); None: none.
        pyramid: The target at each disparity's size, as the published loader resizes it; None: averages.
        confidence: (B, 1, H, W) in [0, 1], what a pixel counts in ``photometric``; None: all the same.
    """
    terms = {
        "photometric": reprojection_loss(
            disparities, inverse_depth, target, sources, K, poses, how, generator, masks, confidence
        )
    }
    rough = target.new_zeros(())
    for scale, disparity in enumerate(disparities):
        size = disparity.shape[-2:]
        picture = area(target, size) if pyramid is None else pyramid[scale]
        rough = rough + first_order(over_mean(disparity), picture) / 2**scale
    terms["smoothness"] = smoothness * rough / len(disparities)
    if masks is not None:
        large = masks if how.native else [bilinear(mask, target.shape[-2:]) for mask in masks]
        terms["explainability"] = PREDICTIVE_MASK * explainability_loss(large) / len(masks)
    return terms
