"""Options of `windowed`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...options import Options
from ..options import Batch

WindowedPresetName = Literal["joint", "published"]


class WindowedOptions(Options):
    """Options of `windowed`."""

    preset: WindowedPresetName = Field(
        default="joint",
        description="How windows are aligned: all of a shot together, or one after the other as published.",
    )
    batch: Batch = None
