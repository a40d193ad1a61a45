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


class SurfaceOptions(Options):
    """Options of the formats that hold depth as things in space."""

    stride: int = Field(2, ge=1, le=64, alias="stride", description="Pixels from point to point, 1 to 64.")
    tear: float = Field(
        0.1,
        gt=0,
        alias="tear",
        description="A mesh is torn where depth jumps by more than this part of itself, above 0.",
    )
    frames: str | None = Field(
        None,
        alias="frames",
        description="Frames A to B of the sequence (default: all).",
        json_schema_extra={"metavar": "A-B"},
    )


class UsdOptions(SurfaceOptions):
    """Those of USD."""

    points: bool = Field(False, alias="points", description="Points in place of a mesh.")
