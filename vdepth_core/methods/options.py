"""Options that methods share, and those of `framewise`, which has no others."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..options import Options

Batch = Annotated[
    Annotated[int, Field(ge=1, le=256)] | None,
    Field(
        alias="batch",
        description="Frames or snippets a forward pass, 1 to 256 (default: what suits device and memory).",
    ),
]


class FramewiseOptions(Options):
    """Options of `framewise`."""

    batch: Batch = None
