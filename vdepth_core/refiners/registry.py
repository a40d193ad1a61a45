"""Refiners by name: ours, and those other packages bring."""

from __future__ import annotations

from ..protocols import Refiner
from ..seams import Own, Seam

REFINERS: Seam[Refiner] = Seam(
    "refiner",
    "vdepth_core.refiners",
    Refiner,
    {
        "boost": Own(
            "vdepth_core.refiners.boost.boost:Boost", "vdepth_core.refiners.boost.options:BoostOptions"
        )
    },
)
