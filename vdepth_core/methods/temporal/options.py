"""Options of `temporal`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...options import Options
from ..options import Batch


class TemporalOptions(Options):
    """Options of `temporal`.

    ``stabilize``: ``off`` leaves the predictions alone, ``align`` solves scale and shift, ``filter`` also
    smooths.
    """

    stabilize: Literal["off", "align", "filter"] = Field(
        default="filter", alias="stabilize", description="What --method temporal does."
    )
    batch: Batch = None
