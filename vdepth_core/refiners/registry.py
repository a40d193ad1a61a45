"""Refiners by name: ours, and those other packages bring."""

from __future__ import annotations

from ..seams import Seam
from ..types import Refiner

REFINERS: Seam[Refiner] = Seam("refiner", "vdepth_core.refiners", Refiner, {})
