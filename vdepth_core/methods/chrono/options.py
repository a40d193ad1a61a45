"""Options of `chrono`: the published ways, and whose numbers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...choices import ClipSampler
from ...options import Options

Mode = Literal["ours", "replacement", "naive"]
Numerics = Literal["steady", "strict"]


class ChronoOptions(Options):
    """Options of `chrono`."""

    mode: Mode = Field(
        default="ours",
        description="How --method chrono goes on from window to window: from the frames before as they are "
        "(ours, as its authors call it), noised anew at every step (replacement), or not at all (naive).",
    )
    numerics: Numerics = Field(
        default="steady",
        description="Numbers of --method chrono: steady, or strict, the published ones with sampled "
        "pictures, sides of 64 pixels whatever the aspect, and a seam every 8 frames.",
    )
    sampler: ClipSampler = Field(
        default="published",
        description="Step of --method chrono: the published loop's, which its accuracy was published with, "
        "or the textbook's (edm).",
    )
    steps: Annotated[int, Field(ge=1, le=50)] = Field(
        default=5, description="Denoising steps of a window, 1 to 50, for --method chrono."
    )
    seed: int = Field(default=0, alias="seed", description="Of the noise the frames begin as.")
