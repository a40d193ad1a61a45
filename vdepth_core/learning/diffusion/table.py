"""The recipes of `train-diffusion`: ours, and those other packages bring."""

from __future__ import annotations

from ...seams import Own, Seam
from .recipe import DiffusionRecipe

_HERE = "vdepth_core.learning.diffusion"

RECIPES: Seam[DiffusionRecipe] = Seam(
    "diffusion recipe",
    _HERE,
    DiffusionRecipe,
    {
        "marigold": Own(
            f"{_HERE}.marigold:MarigoldRecipe",
            f"{_HERE}.options:MarigoldTraining",
            "Ke et al. 2024, single frames",
        ),
        "rolling": Own(
            f"{_HERE}.rolling:RollingRecipe", f"{_HERE}.options:RollingTraining", "Ke et al. 2025, snippets"
        ),
        "chrono": Own(
            f"{_HERE}.chrono:ChronoRecipe", f"{_HERE}.options:ChronoTraining", "Shao et al. 2025, clips"
        ),
    },
)
