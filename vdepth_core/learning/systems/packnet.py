"""PackNet-SfM (Guizilini et al., CVPR 2020): Monodepth2's idea with its own sizes, order and velocity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ...geometry.poses import sfmlearner_pose
from ...networks.packnet_pose import PackPoseNet
from ..losses.packnet import PackNetWeights, packnet_terms
from .options import PackNetOptions
from .system import Course, Motion, System, Views


class PackNet(System):
    """The published configuration."""

    name = "packnet"
    network = "packnet"
    pose_kinds = ("joint",)
    # 50 epochs of a set that is repeated twice, and half the rate after 30; eight GPUs had a batch each
    course = Course(
        rate=2e-4, epochs=100, drops=(60,), factor=0.5, batch=4, jitter=(0.2, 0.2, 0.2, 0.05), jittered=1.0,
        mirrors="depth", nominal=False,
    )  # fmt: skip
    Options = PackNetOptions

    def __init__(self, options: PackNetOptions) -> None:
        self.options = options

    def terms(self, views: Views, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """``photometric``, ``smoothness`` and, where motion was measured, ``velocity``.

        The published mean over sources needs the auto-mask off, so without the minimum it is off here;
        see `System.terms`.
        """
        options = self.options
        weights = PackNetWeights(
            ssim=options.ssim,
            smoothness=options.smoothness,
            velocity=options.velocity,
            minimum=options.minimum,
            automask=options.automask and options.minimum,
            clip=options.clip,
            upsample=not options.native,
        )
        inverse = [views.inverse_depth(disparity) for disparity in views.disparities]
        return packnet_terms(
            inverse,
            views.target,
            views.sources,
            views.K,
            views.poses,
            views.measured,
            weights,
            views.confidence,
        )

    def pose_network(self, kind: str, sources: int) -> nn.Module:
        """One network for all sources; see `System.pose_network`."""
        return PackPoseNet(sources)

    def read_poses(
        self, network: nn.Module, target: Tensor, sources: Sequence[Tensor], offsets: Sequence[int]
    ) -> Motion:
        """From target to source as they are; see `System.read_poses`."""
        return Motion([sfmlearner_pose(vector) for vector in network(target, sources).unbind(1)])
