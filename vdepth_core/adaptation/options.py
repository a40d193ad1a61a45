"""The options of the recipes; nothing heavy loads with them, so that help texts are at hand."""

from __future__ import annotations

from pydantic import Field

from ..choices import TemporalForm
from ..options import Options


class TcOptions(Options):
    """How the terms of the loss of `tc` are weighed."""

    form: TemporalForm = Field(
        "residual",
        alias="form",
        description="residual: depth may change as the teacher's does; plain: it may not.",
    )
    # Measured on the bundled clip, 400 steps: 2 takes rTC@1.05 from .67 to .91 and softens edges by 10 %,
    # 4 takes it to .93 and softens them by 14 %.
    weight: float = Field(2.0, ge=0, description="Weight of steadiness beside faithfulness.")
    sigma: float = Field(50.0, gt=0, description="How fast a difference of colour makes a pixel doubtful.")
    midas: float = Field(0.0, ge=0, description="Weight of a loss that ignores scale and shift.")
