"""Monodepth2 (Godard et al., ICCV 2019): minimum reprojection with an auto-mask at full size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...geometry.poses import monodepth2_pose
from ...networks.monodepth2_pose import PoseCnn, SeparatePose, SharedPose
from ..losses.monodepth2 import Reprojection, monodepth2_terms
from .options import Monodepth2Options
from .system import Motion, System, Views


class Monodepth2(System):
    """Its loss, its pose networks and its course, which descendants share."""

    name = "monodepth2"
    network = "monodepth2"
    pose_kinds: ClassVar[tuple[str, ...]] = ("separate", "cnn", "shared")
    Options = Monodepth2Options

    def __init__(self, options: Monodepth2Options) -> None:
        self.options = options

    def terms(self, views: Views, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """``photometric``, ``smoothness``, with masks ``explainability``; see `System.terms`."""
        options = self.options
        how = Reprojection(
            ssim=options.ssim,
            minimum=options.minimum,
            automask=options.automask,
            native=options.native,
            scaled=views.scaled,
        )
        return monodepth2_terms(
            views.disparities,
            views.inverse_depth,
            views.target,
            views.sources,
            views.K,
            views.poses,
            how,
            smoothness=options.smoothness,
            generator=views.generator,
            masks=views.masks,
            confidence=views.confidence,
        )

    def pose_network(self, kind: str, sources: int) -> nn.Module:
        """A ResNet-18, a plain CNN, or a head on the depth encoder, over pairs; see `System.pose_network`."""
        kinds: dict[str, type[nn.Module]] = {"separate": SeparatePose, "cnn": PoseCnn, "shared": SharedPose}
        return kinds[kind]()

    def read_poses(
        self, network: nn.Module, target: Tensor, sources: Sequence[Tensor], offsets: Sequence[int]
    ) -> Motion:
        """Pairs in temporal order, inverted where the source is the earlier one; see `System.read_poses`.

        Of a shared encoder, what it says of the pictures comes in their place.
        """
        if isinstance(network, SharedPose):
            pairs = [(s, target) if at < 0 else (target, s) for s, at in zip(sources, offsets, strict=True)]
            vectors = [network(pair)[:, 0] for pair in pairs]
        else:
            vectors = [each[:, 0] for each in in_pairs(network, target, sources, offsets)]
        poses = [monodepth2_pose(v, offset < 0) for v, offset in zip(vectors, offsets, strict=True)]
        return Motion(poses, scaled=isinstance(network, PoseCnn))


def in_pairs(
    network: nn.Module, target: Tensor, sources: Sequence[Tensor], offsets: Sequence[int]
) -> list[Tensor]:
    """What a network says of each source and the target, the earlier picture first.

    All pairs go through it at once, but in training, where its normalisations are those of one pair each.

    Args:
        network: (N, 6, H, W) -> (N, ...).
        target: (B, 3, H, W).
        sources: S times (B, 3, H, W).
        offsets: Of the sources in time.

    Returns:
        S times (B, ...).
    """
    pairs = [
        torch.cat((source, target) if offset < 0 else (target, source), 1)
        for source, offset in zip(sources, offsets, strict=True)
    ]
    if network.training:
        return [network(pair) for pair in pairs]
    return list(network(torch.cat(pairs)).chunk(len(pairs)))
