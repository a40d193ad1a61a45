"""SfMLearner (Zhou et al., CVPR 2017) as C. Pinard's PyTorch port trains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ...geometry.poses import sfmlearner_pose
from ...networks.pose_exp import PoseExpNet
from ..losses.sfmlearner import SfmLearnerWeights, sfmlearner_terms
from .options import SfmLearnerOptions
from .system import Course, Motion, System, Views


class SfmLearner(System):
    """The port's command line; pictures are in [-1, 1] here, in its losses too."""

    name = "sfmlearner"
    network = "sfmlearner"
    pose_kinds = ("joint",)
    course = Course(
        rate=2e-4,
        epochs=200,
        epoch=1000,
        drops=(),
        batch=4,
        size=(128, 416),
        jittered=0.0,
        zoom=1.15,
        nominal=False,
    )
    Options = SfmLearnerOptions

    def __init__(self, options: SfmLearnerOptions) -> None:
        self.options = options

    def terms(self, views: Views, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """``photometric``, ``smoothness`` and, with masks, ``explainability``; see `System.terms`."""
        options = self.options
        weights = SfmLearnerWeights(
            explainability=options.explainability, smoothness=options.smoothness, smooth=options.smooth
        )
        depths = [1 / views.inverse_depth(disparity) for disparity in views.disparities]
        return sfmlearner_terms(
            depths,
            around_zero(views.target),
            [around_zero(source) for source in views.sources],
            views.K,
            views.poses,
            views.masks,
            weights,
            views.confidence,
        )

    def pose_network(self, kind: str, sources: int) -> nn.Module:
        """One network for all sources, with masks where they count; see `System.pose_network`."""
        return PoseExpNet(sources, masks=self.options.explainability > 0)

    def read_poses(
        self, network: nn.Module, target: Tensor, sources: Sequence[Tensor], offsets: Sequence[int]
    ) -> Motion:
        """From target to source as they are, and the masks; see `System.read_poses`."""
        vectors, masks = network(around_zero(target), [around_zero(source) for source in sources])
        return Motion([sfmlearner_pose(vector) for vector in vectors.unbind(1)], masks or None)


def around_zero(picture: Tensor) -> Tensor:
    """What the networks see.

    Args:
        picture: In [0, 1].

    Returns:
        The same in [-1, 1].
    """
    return (picture - 0.5) / 0.5
