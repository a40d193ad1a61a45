"""The systems: ours, and those other packages bring."""

from __future__ import annotations

from ...seams import Own, Seam
from .system import System

_HERE = "vdepth_core.learning.systems"

SYSTEMS: Seam[System] = Seam(
    "system",
    _HERE,
    System,
    {
        "monodepth2": Own(
            f"{_HERE}.monodepth2:Monodepth2", f"{_HERE}.options:Monodepth2Options", "Godard et al. 2019"
        ),
        "featdepth": Own(
            f"{_HERE}.featdepth:FeatDepth", f"{_HERE}.options:FeatDepthOptions", "Shu et al. 2020"
        ),
        "packnet": Own(
            f"{_HERE}.packnet:PackNet", f"{_HERE}.options:PackNetOptions", "Guizilini et al. 2020"
        ),
        "sfmlearner": Own(
            f"{_HERE}.sfmlearner:SfmLearner", f"{_HERE}.options:SfmLearnerOptions", "Zhou et al. 2017"
        ),
        "ddv": Own(f"{_HERE}.ddv:Ddv", f"{_HERE}.options:Monodepth2Options", "Johnston & Carneiro 2020"),
        "diffnet": Own(f"{_HERE}.diffnet:DiffNet", f"{_HERE}.options:Monodepth2Options", "Zhou et al. 2021"),
        "leftright": Own(
            f"{_HERE}.leftright:LeftRight", f"{_HERE}.options:LeftRightOptions", "Godard et al. 2017"
        ),
    },
)
