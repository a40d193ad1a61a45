"""Refiners by name: ours, and those other packages bring."""

from __future__ import annotations

from pydantic import BaseModel

from ..seams import Seam
from ..types import Refiner

REFINERS: Seam[Refiner] = Seam("refiner", "vdepth_core.refiners", Refiner, {})


def create_refiner(name: str, options: BaseModel) -> Refiner:
    """A refiner ready to run.

    Args:
        name: Registered name.
        options: Its own, as `REFINERS` reads them.

    Raises:
        UsageError: no such refiner, or it does not load.
    """
    return REFINERS.create(name, options)
