"""Options of `rolling`: a published preset, and every published switch by itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...options import Options
from ..options import Batch
from .presets import DENOISING_STEPS, MOST_LENGTH, MOST_STEPS, REFINE_LENGTH, RollingPresetName


class RollingOptions(Options):
    """Options of `rolling`."""

    preset: RollingPresetName = Field(default="fast", description="How thorough --method rolling is.")
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] = Field(
        default=DENOISING_STEPS, description="Denoising steps of a snippet, 1 to 50, for --method rolling."
    )
    refine_steps: Annotated[int, Field(ge=0, le=MOST_STEPS)] | None = Field(
        default=None, description="Refinement steps, 0 to 50, for --method rolling (default: its preset's)."
    )
    refine_length: Annotated[int, Field(ge=1, le=MOST_LENGTH)] = Field(
        default=REFINE_LENGTH,
        description="Frames a refinement step sees at once, 1 to 24, for --method rolling.",
    )
    strict: bool = Field(
        default=False, description="The published numbers, quirks of sampling, solver and range included."
    )
    batch: Batch = None
    seed: int = Field(default=0, alias="seed", description="Of the noise all frames share.")
