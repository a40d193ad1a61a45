"""The recipes by view synthesis: each is a published system, and the options with which it meets a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..learning.systems.table import SYSTEMS
from .options import FeatDepthRecipe, Monodepth2Recipe, PackNetRecipe, SfmLearnerRecipe, ViewOptions
from .reconstruction import reconstruct
from .synthesis import ViewSynthesis

if TYPE_CHECKING:
    from .session import Session


class SelfSupervised:
    """One recipe; `learning.systems` has the loss of each.

    Attributes:
        name: Of the recipe, and of its system.
        rate: Peak learning rate of the network: a clip is learnt in hundreds of steps, not in millions.
        knows: What it has a use for of what a user may know of the camera.
    """

    name: ClassVar[str]
    taught = False
    rate = 4e-4
    knows = ("camera", "camera_out", "fov", "intrinsics")
    Options: ClassVar[type[ViewOptions]]

    def __init__(self, options: ViewOptions) -> None:
        self._options = options

    def build(self, session: Session) -> ViewSynthesis:
        """Finds the cameras and the depth that the clip shows; see `Recipe.build`."""
        cameras = reconstruct(session, self._options)
        published = SYSTEMS.options_of(self.name)
        own = {name: getattr(self._options, name) for name in published.model_fields}
        system = SYSTEMS.create(self.name, published(**own))
        modules = {
            name: session.bring(f"{self.name} {name}", module) for name, module in system.modules().items()
        }
        return ViewSynthesis(session, system, modules, cameras, self._options)


class Monodepth2(SelfSupervised):
    """Godard et al., ICCV 2019."""

    name, Options = "monodepth2", Monodepth2Recipe


class FeatDepth(SelfSupervised):
    """Shu et al., ECCV 2020."""

    name, Options = "featdepth", FeatDepthRecipe


class PackNet(SelfSupervised):
    """Guizilini et al., CVPR 2020."""

    name, Options = "packnet", PackNetRecipe


class SfmLearner(SelfSupervised):
    """Zhou et al., CVPR 2017."""

    name, Options = "sfmlearner", SfmLearnerRecipe


class Ddv(SelfSupervised):
    """Johnston and Carneiro, CVPR 2020: Monodepth2's loss."""

    name, Options = "ddv", Monodepth2Recipe


class DiffNet(SelfSupervised):
    """Zhou et al., BMVC 2021: Monodepth2's loss."""

    name, Options = "diffnet", Monodepth2Recipe
