"""Options of `windowed`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...options import Options
from ..options import Batch, Stabilize

WindowedPresetName = Literal["joint", "published"]


class WindowedOptions(Options):
    """Options of `windowed`."""

    preset: WindowedPresetName = Field(
        default="joint",
        description="How windows are aligned: all of a shot together, or one after the other as published.",
    )
    stream: bool = Field(
        default=False,
        alias="stream",
        description="One frame in, one out, from those before alone, for --method windowed: as live pictures "
        "want it, less accurate; a stopped shot begins anew.",
    )
    stabilize: Stabilize = None
    batch: Batch = None
