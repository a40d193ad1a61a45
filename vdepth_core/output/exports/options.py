"""Options that exporters share."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ...choices import Convention
from ...options import Options


class DepthOptions(Options):
    """Options of the formats that hold depth by itself."""

    convention: Convention = Field(
        default="z", alias="convention", description="What depth means in the files."
    )


class CameraOptions(Options):
    """Options of the formats that know where the camera was."""

    camera: Path | None = Field(
        None,
        alias="camera",
        description="File with the plate's camera path (default: the camera stands still at the origin).",
    )
    camera_scale: float | None = Field(
        None,
        gt=0,
        alias="camera_scale",
        description="Units of the depth that one unit of the camera file is, above 0 (default: 1).",
    )


class NpzOptions(DepthOptions, CameraOptions):
    """Those of NumPy."""


class FramesOptions(CameraOptions):
    """Options of the formats that hold some of the frames, with their cameras."""

    frames: str | None = Field(
        None,
        alias="frames",
        description="Frames A to B of the sequence (default: all).",
        json_schema_extra={"metavar": "A-B"},
    )


class SurfaceOptions(FramesOptions):
    """Options of the formats that hold depth as things in space."""

    stride: int = Field(
        2, ge=1, le=64, alias="stride", description="Pixels from point to point, 1 to 64; gaussians: 1."
    )
    tear: float = Field(
        0.1,
        gt=0,
        alias="tear",
        description="A mesh is torn where depth jumps by more than this part of itself, above 0.",
    )


class PlyOptions(SurfaceOptions):
    """Those of PLY."""

    mesh: bool = Field(False, alias="mesh", description="A textured mesh in place of points.")


class UsdOptions(SurfaceOptions):
    """Those of USD."""

    points: bool = Field(False, alias="points", description="Points in place of a mesh.")


class GaussiansOptions(SurfaceOptions):
    """Those of Gaussian splats."""

    stride: int = Field(1, ge=1, le=64, alias="stride", description="Pixels from splat to splat, 1 to 64.")
    degree: int = Field(
        0, ge=0, le=3, description="Of the colours' harmonics, 0 to 3; what is above 0 is left at 0."
    )


class NerfstudioOptions(FramesOptions):
    """Those of Nerfstudio."""

    unit: float | None = Field(
        None, gt=0,
        description="Depth of a step of the 16-bit files, above 0 (default: .001, or what far needs).",
    )  # fmt: skip
