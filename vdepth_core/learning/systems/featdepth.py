"""FeatDepth (Shu et al., ECCV 2020): Monodepth2's comparison, and one of features that are learnt along.

Published are two ways: features of an auto-encoder that was trained before and stays as it is, and one that
is trained with depth and poses ("joint"). This is the second. What depth and poses learn from the features is
no reason for the features to change: they are made to be told apart, by the auto-encoder's own terms only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...geometry.poses import monodepth2_pose
from ...networks.featdepth_train import AutoEncoder, FeatPose
from ..losses.featdepth import EXACT, MONO, autoencoder_terms, featdepth_terms
from .monodepth2 import in_pairs
from .options import FeatDepthOptions
from .system import Course, Motion, System, Views

FEATURES = "features"


class FeatDepth(System):
    """The joint training."""

    name = "featdepth"
    network = "featdepth"
    pose_kinds = ("separate",)
    course = Course(epochs=40, drops=(20, 30), factor=0.5, batch=2, warm_up=500, clip=35.0)
    Options = FeatDepthOptions

    def __init__(self, options: FeatDepthOptions) -> None:
        self.options = options

    def modules(self) -> dict[str, nn.Module]:
        """The auto-encoder; see `System.modules`."""
        return {FEATURES: AutoEncoder(int(self.options.extractor.removeprefix("resnet")))}

    def terms(self, views: Views, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Those of `featdepth_terms`, and of the auto-encoder `autoencoder_terms`; see `System.terms`.

        With a stereo partner among the sources the auto-mask and the disparity's mean are left out, as
        published.
        """
        options, network = self.options, modules[FEATURES]
        base = EXACT if options.exact else MONO
        reprojection = replace(
            base.reprojection, minimum=options.minimum, automask=options.automask and not views.stereo
        )
        weights = replace(
            base,
            reprojection=reprojection,
            feature_metric=options.metric,
            smoothness=options.smoothness,
            normalised=not views.stereo,
        )
        own, reconstructions = network(views.target)
        with torch.no_grad():
            others = [network.Encoder(source)[0] for source in views.sources]  # type: ignore[operator]
        terms = featdepth_terms(
            views.disparities,
            views.inverse_depth,
            views.target,
            views.sources,
            views.K,
            views.poses,
            [own[0].detach(), *others],
            weights,
            views.generator,
            views.confidence,
        )
        return terms | autoencoder_terms(reconstructions, views.target, own)

    def pose_network(self, kind: str, sources: int) -> nn.Module:
        """A ResNet-18 over pairs; see `System.pose_network`."""
        return FeatPose()

    def read_poses(
        self, network: nn.Module, target: Tensor, sources: Sequence[Tensor], offsets: Sequence[int]
    ) -> Motion:
        """Pairs in temporal order, inverted where the source is the earlier one; see `System.read_poses`."""
        vectors = in_pairs(network, target, sources, offsets)
        return Motion([monodepth2_pose(v, offset < 0) for v, offset in zip(vectors, offsets, strict=True)])
