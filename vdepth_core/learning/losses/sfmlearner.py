"""SfMLearner's loss (Zhou et al., CVPR 2017) as C. Pinard's PyTorch port has it; the original's smoothness.

Every scale is compared at its own size, and scales and sources are added, not averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from .explainability import explainability_loss, explained_difference
from .resampling import area
from .smoothness import second_order
from .synthesis import SFMLEARNER, Warp, resize_intrinsics, synthesise

COARSER = {"depth": 2.3, "disparity": 2.0}  # what smoothness is divided by from scale to scale


@dataclass(frozen=True)
class SfmLearnerWeights:
    """Weights of the terms; those of the port's command line.

    Attributes:
        photometric, explainability, smoothness: Of the terms.
        smooth: What is to be smooth: depth (the port) or its inverse (the original).
        warp: How sources are looked up.
    """

    photometric: float = 1.0
    explainability: float = 0.0
    smoothness: float = 0.1
    smooth: Literal["depth", "disparity"] = "depth"
    warp: Warp = SFMLEARNER


WEIGHTS = {
    "default": SfmLearnerWeights(),
    "readme": SfmLearnerWeights(explainability=0.2),
    "released": SfmLearnerWeights(smoothness=2.0),  # of the published checkpoint
    "original": SfmLearnerWeights(explainability=0.2, smoothness=0.5, smooth="disparity"),  # TensorFlow's
}


def sfmlearner_terms(
    depths: Sequence[Tensor],
    target: Tensor,
    sources: Sequence[Tensor],
    K: Tensor,
    poses: Sequence[Tensor],
    masks: Sequence[Tensor] | None = None,
    weights: SfmLearnerWeights = WEIGHTS["default"],
    confidence: Tensor | None = None,
) -> dict[str, Tensor]:
    """The weighted terms: ``photometric``, ``smoothness``, and with masks ``explainability``.

    Args:
        depths: (B, 1, H/2^s, W/2^s), finest first.
        target: (B, 3, H, W), in whatever range the networks see.
        sources: S times (B, 3, H, W).
        K: (B, 3, 3) or (3, 3), for pixel indices at full size.
        poses: S times (B, 4, 4), from target to source.
        masks: (B, S, H/2^s, W/2^s) in (0, 1); None: all is explained.
        weights: Of the terms.
        confidence: (B, 1, H, W) in [0, 1], what a pixel counts in ``photometric``; None: all the same.
    """
    photometric, rough = target.new_zeros(()), target.new_zeros(())
    for scale, depth in enumerate(depths):
        size = depth.shape[-2:]
        shrunk = size[0] / target.shape[-2]  # for both axes
        k = resize_intrinsics(K, shrunk, shrunk)
        view = area(target, size)
        for number, (source, pose) in enumerate(zip(sources, poses, strict=True)):
            warped, valid = synthesise(area(source, size), depth, k, pose, weights.warp)
            mask = None if masks is None else masks[scale][:, number : number + 1]
            photometric = photometric + explained_difference(view, warped, valid, mask, confidence)
        maps = depth if weights.smooth == "depth" else 1 / depth
        rough = rough + second_order(maps) / COARSER[weights.smooth] ** scale
    terms = {"photometric": weights.photometric * photometric, "smoothness": weights.smoothness * rough}
    if masks is not None:
        terms["explainability"] = weights.explainability * explainability_loss(masks)
    return terms
