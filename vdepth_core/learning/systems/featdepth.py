"""FeatDepth (Shu et al., ECCV 2020): Monodepth2's comparison, and one of features that are learnt along.

Published are two ways: features of an auto-encoder that was trained before and stays as it is, and one that
is trained with depth and poses ("joint"). Both are here. What depth and poses learn from the features is no
reason for the features to change: they are made to be told apart, by the auto-encoder's own terms only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ...geometry.poses import monodepth2_pose
from ...networks.featdepth import Encoder, numel
from ...networks.featdepth_train import AutoEncoder, FeatPose
from ...networks.resnet import WIDTH
from ...weights.loading import load_into, load_state_dict
from ..losses.featdepth import EXACT, MONO, autoencoder_terms, featdepth_terms
from ..state import parts_of
from .monodepth2 import in_pairs
from .options import FeatDepthOptions
from .system import Course, Motion, System, Views

FEATURES = "features"


class Extractor(nn.Module):
    """Features that were trained before; of their network only the normalisations' statistics go on changing.

    That they do is published: the extractor is in training mode with all the rest.
    """

    def __init__(self, path: Path, layers: int) -> None:
        """Reads it.

        Args:
            path: Weights whose keys begin with ``extractor.``, ``Encoder.`` or ``encoder.``, as FeatDepth's.
            layers: Of its ResNet.

        Raises:
            WeightsError: the file is missing, damaged or of another network.
        """
        super().__init__()
        found = load_state_dict(path)
        state = parts_of(found, "extractor") or parts_of(found, "Encoder") or found
        width = numel(state, "encoder.bn1.weight", WIDTH)
        encoder = Encoder(layers, normalised=False, classifier="encoder.fc.weight" in state, width=width)
        load_into(encoder, state, path)
        self.extractor = encoder.requires_grad_(False)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """The five features at 1/2 to 1/32.

        Args:
            rgb: (N, 3, H, W) in [0, 1].
        """
        features: list[Tensor] = self.extractor(rgb)
        return features


class FeatDepth(System):
    """The joint training, or with features that stay as they are."""

    name = "featdepth"
    network = "featdepth"
    pose_kinds = ("separate",)
    course = Course(epochs=40, drops=(20, 30), factor=0.5, batch=2, warm_up=500, clip=35.0)
    Options = FeatDepthOptions

    def __init__(self, options: FeatDepthOptions) -> None:
        self.options = options

    def modules(self) -> dict[str, nn.Module]:
        """The auto-encoder, or the extractor that stays as it is; see `System.modules`.

        Raises:
            WeightsError: the extractor's weights are missing, damaged or of another network.
        """
        layers = int(self.options.extractor.removeprefix("resnet"))
        if self.options.features is not None:
            return {FEATURES: Extractor(self.options.features, layers)}
        return {FEATURES: AutoEncoder(layers)}

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
        if isinstance(network, Extractor):
            encode: Callable[[Tensor], list[Tensor]] = network
            with torch.no_grad():
                own, reconstructions = encode(views.target), None
        else:
            encode = network.Encoder  # type: ignore[assignment]
            own, reconstructions = network(views.target)
        with torch.no_grad():
            others = [encode(source)[0] for source in views.sources]
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
        if reconstructions is None:
            return terms
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
