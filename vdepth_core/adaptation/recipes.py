"""The recipes a model can be adapted by: ours, and those other packages bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..choices import one_of
from ..errors import UsageError
from ..options import user_names, written_options
from ..protocols import Recipe
from ..seams import Own, Seam

RECIPES: Seam[Recipe] = Seam(
    "recipe",
    "vdepth_core.recipes",
    Recipe,
    {
        "tc": Own(
            "vdepth_core.adaptation.tc:Tc",
            "vdepth_core.adaptation.options:TcOptions",
            "temporal consistency, Li et al. 2021",
        ),
        "leftright": Own(
            "vdepth_core.adaptation.leftright:LeftRight",
            "vdepth_core.adaptation.options:LeftRightRecipe",
            "stereo clips, Godard et al. 2017",
        ),
        "monodepth2": Own(
            "vdepth_core.adaptation.selfsup:Monodepth2",
            "vdepth_core.adaptation.options:Monodepth2Recipe",
            "Godard et al. 2019",
        ),
        "featdepth": Own(
            "vdepth_core.adaptation.selfsup:FeatDepth",
            "vdepth_core.adaptation.options:FeatDepthRecipe",
            "Shu et al. 2020",
        ),
        "packnet": Own(
            "vdepth_core.adaptation.selfsup:PackNet",
            "vdepth_core.adaptation.options:PackNetRecipe",
            "Guizilini et al. 2020",
        ),
        "sfmlearner": Own(
            "vdepth_core.adaptation.selfsup:SfmLearner",
            "vdepth_core.adaptation.options:SfmLearnerRecipe",
            "Zhou et al. 2017",
        ),
        "ddv": Own(
            "vdepth_core.adaptation.selfsup:Ddv",
            "vdepth_core.adaptation.options:Monodepth2Recipe",
            "Johnston & Carneiro 2020",
        ),
        "diffnet": Own(
            "vdepth_core.adaptation.selfsup:DiffNet",
            "vdepth_core.adaptation.options:Monodepth2Recipe",
            "Zhou et al. 2021",
        ),
    },
)


def create_recipe(name: str, options: Mapping[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """A recipe ready to build, and all its options by the user's names, defaults too.

    Args:
        name: Registered name.
        options: By the user's names; those left out are at their defaults.

    Raises:
        UsageError: there is no such recipe, it does not load, or it has no such options.
    """
    known = user_names(name, RECIPES.options_of(name))
    for option in options:
        if option not in known:
            raise UsageError(f"The recipe {name} has no option {option}.", one_of(option, known))
    chosen = RECIPES.read(name, options)
    return RECIPES.create(name, chosen), written_options(name, chosen)
