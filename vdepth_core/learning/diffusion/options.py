"""The options of the recipes; nothing heavy loads with them, so that help texts are at hand."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from ...options import Options


class RollingTraining(Options):
    """How RollingDepth's snippets are drawn."""

    frames: int = Field(3, ge=1, le=10, description="Most frames of a snippet; 1 to that many are drawn.")
    dilation: int = Field(25, ge=1, description="Most frames from one of a snippet to the next.")
    noise: Literal["shared", "own"] = Field(
        "shared", description="Whether a snippet's frames share their noise, as they do when it is run."
    )


class MarigoldTraining(Options):
    """How Marigold's noise is drawn."""

    annealed: bool = Field(
        True,
        description="Noise of many resolutions, annealed over the steps.",
        json_schema_extra={"off": "Plain noise, without coarser levels in it."},
    )


class ChronoTraining(Options):
    """How ChronoDepth's clips and noise levels are drawn."""

    stage: Literal["both", "spatial", "temporal"] = Field(
        "both", description="Which layers are trained: the spatial ones, then the temporal ones."
    )
    frames: int = Field(5, ge=2, le=25, description="Most frames of a clip in the temporal stage.")
    quantity: Literal["depth", "disparity"] = Field(
        "depth", description="What it is taught to say; estimate takes the result for depth."
    )
    context: float = Field(
        0.5, ge=0, le=1, description="Share of clips whose first frames are given clean, as context."
    )
    context_noise: float = Field(
        math.exp(-4), ge=0, le=1, description="Standard deviation of what is left of noise in context."
    )
    mean: float = Field(0.7, description="Mean of the logarithm of the noise's standard deviation.")
    spread: float = Field(1.6, gt=0, description="Standard deviation of that logarithm.")
