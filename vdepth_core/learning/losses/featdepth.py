"""FeatDepth's losses (Shu et al., ECCV 2020): feature-metric, and what shapes the features it is measured in.

Where a wall has no texture, any depth explains it. Features of an auto-encoder still differ there, since they
are trained to: their gradients are to be large (discriminative), and their second derivatives small, so that
the way to the right depth goes down (convergent). Both are forgiven at the picture's edges. Written from the
published formulas alone. The photometric part is Monodepth2's with Charbonnier's difference and sampling as
published (`synthesis.FEATDEPTH`: half a pixel off at the borders; `EXACT` is not).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .monodepth2 import Convert, Reprojection, reprojection_loss
from .photometric import difference, photometric_error
from .reprojection import weighted_mean
from .resampling import area, bilinear
from .smoothness import first_order, over_mean, second_order
from .synthesis import FEATDEPTH, MONODEPTH2, Warp, resize_intrinsics, synthesise

FEATURE_METRIC = 1e-3
DISCRIMINATIVE, CONVERGENT = 1e-3, 1e-3
SHARPNESS = 0.5  # of smoothness; the auto-encoder's regularisers have 1
_PUBLISHED = Reprojection(warp=FEATDEPTH, difference="charbonnier")


@dataclass(frozen=True)
class FeatDepthWeights:
    """The published defaults.

    Attributes:
        reprojection: How sources explain the target.
        feature_metric, smoothness: Weights of the terms; smoothness is halved with every coarser scale.
        normalised: Whether what is to be smooth is disparity over its mean.
    """

    reprojection: Reprojection = _PUBLISHED
    feature_metric: float = FEATURE_METRIC
    smoothness: float = 1e-3
    normalised: bool = True


MONO = FeatDepthWeights()
STEREO = FeatDepthWeights(
    replace(MONO.reprojection, automask=False), normalised=False
)  # "s" among the frames
EXACT = FeatDepthWeights(replace(MONO.reprojection, warp=MONODEPTH2))  # mono without the half pixel


def feature_metric_loss(
    features: Tensor,
    others: Sequence[Tensor],
    disparity: Tensor,
    inverse_depth: Convert,
    K: Tensor,
    poses: Sequence[Tensor],
    how: Warp = FEATDEPTH,
    minimum: bool = True,
    confidence: Tensor | None = None,
) -> Tensor:
    """Mean over pixels of the least Charbonnier difference of features; unwarped ones do not compete.

    Args:
        features: (B, C, h, w) of the target, 64 at half size as published; the extractor is frozen.
        others: S times (B, C, h, w), of the sources.
        disparity: (B, 1, h', w'), a sigmoid's in (0, 1), of the finest scale.
        inverse_depth: From disparity; .01 + 9.99 · disparity as published.
        K: (B, 3, 3) or (3, 3), for pixel indices at the size of the features (`resize_intrinsics`).
        poses: S times (B, 4, 4), from target to source.
        how: How features are looked up.
        minimum: Over the sources; False: their mean.
        confidence: (B, 1, H, W) in [0, 1], what a pixel counts; None: all the same.
    """
    depth = 1 / inverse_depth(bilinear(disparity, features.shape[-2:]))
    errors = torch.cat(
        [
            difference(features, synthesise(other, depth, K, pose, how)[0], "charbonnier")
            for other, pose in zip(others, poses, strict=True)
        ],
        1,
    )
    least = errors.min(1, keepdim=True).values if minimum else errors.mean(1, keepdim=True)
    return weighted_mean(least, confidence)


def featdepth_terms(
    disparities: Sequence[Tensor],
    inverse_depth: Convert,
    target: Tensor,
    sources: Sequence[Tensor],
    K: Tensor,
    poses: Sequence[Tensor],
    features: Sequence[Tensor],
    weights: FeatDepthWeights = MONO,
    generator: torch.Generator | None = None,
    confidence: Tensor | None = None,
) -> dict[str, Tensor]:
    """The weighted terms ``photometric``, ``feature-metric`` and ``smoothness``.

    Args:
        disparities: (B, 1, H/2^(s+1), W/2^(s+1)), a sigmoid's in (0, 1), finest first.
        inverse_depth: From disparity; .01 + 9.99 · disparity as published.
        target: (B, 3, H, W) in [0, 1].
        sources: S times (B, 3, H, W).
        K: (B, 3, 3) or (3, 3), for pixel indices at full size.
        poses: S times (B, 4, 4), from target to source.
        features: (B, C, h, w) of the target and then of each source, from the frozen extractor.
        weights: Of the terms.
        generator: Of the noise that breaks the auto-mask's ties; None: no noise.
        confidence: (B, 1, H, W) in [0, 1], what a pixel counts where pictures or features are compared.
    """
    how = weights.reprojection
    own, *others = features
    k = resize_intrinsics(K, own.shape[-1] / target.shape[-1], own.shape[-2] / target.shape[-2])
    rough = target.new_zeros(())
    for scale, disparity in enumerate(disparities):
        maps = over_mean(disparity) if weights.normalised else disparity
        picture = area(target, disparity.shape[-2:])
        both = first_order(maps, picture, SHARPNESS) + second_order(maps, picture, SHARPNESS)
        rough = rough + both / 2**scale
    return {
        "photometric": reprojection_loss(
            disparities, inverse_depth, target, sources, K, poses, how, generator, confidence=confidence
        ),
        "feature-metric": weights.feature_metric
        * feature_metric_loss(
            own, others, disparities[0], inverse_depth, k, poses, how.warp, how.minimum, confidence
        ),
        "smoothness": weights.smoothness * rough / len(disparities),
    }


def discriminative(features: Tensor, picture: Tensor) -> Tensor:
    """−Σ mean |∂φ| e^{−mean_c |∂I|} over x and y: large gradients, above all where the picture has none.

    Args:
        features: (B, C, h, w).
        picture: (B, 3, H, W) in [0, 1]; averaged to the size of the features.
    """
    return -first_order(features, area(picture, features.shape[-2:]))


def convergent(features: Tensor, picture: Tensor) -> Tensor:
    """Σ mean |∂²φ| e^{−mean_c |∂²I|} over xx, xy, yx and yy: gradients that stay the same from afar.

    Args:
        features: (B, C, h, w).
        picture: (B, 3, H, W) in [0, 1]; averaged to the size of the features.
    """
    return second_order(features, area(picture, features.shape[-2:]))


def autoencoder_terms(
    reconstructions: Sequence[Tensor], picture: Tensor, features: Sequence[Tensor]
) -> dict[str, Tensor]:
    """The feature network's own weighted terms: ``reconstruction``, ``discriminative`` and ``convergent``.

    Args:
        reconstructions: (B, 3, H/2^s, W/2^s) in (0, 1), finest first.
        picture: (B, 3, H, W) in [0, 1].
        features: (B, C, h, w) each, five, finest first.
    """
    wanted, error = picture, picture.new_zeros(())
    for made in reconstructions:
        wanted = bilinear(wanted, made.shape[-2:])  # each from the one before, as published
        error = error + photometric_error(made, wanted, kind="charbonnier").mean() / len(reconstructions)
    apart, steady = picture.new_zeros(()), picture.new_zeros(())
    for level, feature in enumerate(features):
        share = 1 / 2**level / len(features)
        apart = apart + share * discriminative(feature, picture)
        steady = steady + share * convergent(feature, picture)
    return {
        "reconstruction": error,
        "discriminative": DISCRIMINATIVE * apart,
        "convergent": CONVERGENT * steady,
    }
