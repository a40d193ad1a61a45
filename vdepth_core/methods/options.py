"""Options that methods share, and those of `framewise`, which has no others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..options import Options

Batch = Annotated[
    Annotated[int, Field(ge=1, le=256)] | None,
    Field(
        alias="batch",
        description="Frames or snippets a forward pass, 1 to 256 (default: what suits device and memory).",
    ),
]

Stabilize = Annotated[
    Literal["off", "align", "filter"] | None,
    Field(
        alias="stabilize",
        description="Afterwards: align every frame's scale and shift, and filter them in time too (default: "
        "filter of --method temporal, off of windowed).",
    ),
]


class FramewiseOptions(Options):
    """Options of `framewise`."""

    batch: Batch = None
