"""Options that exporters share."""

from __future__ import annotations

from pydantic import Field

from ...choices import Convention
from ...options import Options


class DepthOptions(Options):
    """Options of the formats that hold depth by itself."""

    convention: Convention = Field(
        default="z", alias="convention", description="What depth means in the files."
    )
