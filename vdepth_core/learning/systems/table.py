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
    },
)
