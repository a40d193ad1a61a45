"""How a clip is to be understood where its files do not say, or say it wrongly."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..choices import Shown
from ..errors import UsageError
from .timing import Timecode, parse_rate


class ClipOptions(BaseModel):
    """Options of opening a clip; None leaves it to the files."""

    model_config = ConfigDict(frozen=True)

    rate: str | None = Field(
        default=None, description="Rate of an image sequence, up to 1000 fps (default: its own or 24)."
    )
    timecode: str | None = Field(
        default=None,
        description="Of the first frame (default: the clip's own).",
        json_schema_extra={"metavar": "HH:MM:SS:FF"},
    )
    every_file: bool = Field(
        default=False, description="All images, in the order of their numbers, gaps or not."
    )
    still: bool = Field(
        default=False, description="Each image by itself, whatever numbers it and its neighbours have."
    )
    layer: str | None = Field(
        default=None,
        description="Layer of an EXR (default: the beauty).",
        json_schema_extra={"metavar": "NAME"},
    )
    orientation: Shown | None = Field(
        default=None,
        description="Of a picture that its file asks to turn: upright; turned, not mirrored, as Blender 4.4 "
        "shows movies; or as stored, as older Blenders do (default: upright).",
    )
    transfer: str | None = Field(
        default=None, description="pq, hlg, linear, srgb, log … (default: what the clip declares)."
    )
    colorspace: str | None = Field(
        default=None, description="logc3, slog3, acescg … (default: what the clip's metadata name)."
    )

    @field_validator("rate")
    @classmethod
    def _is_rate(cls, value: str | None) -> str | None:
        return value if value is None else valid_rate(value)

    @field_validator("timecode")
    @classmethod
    def _is_timecode(cls, value: str | None) -> str | None:
        return value if value is None else str(Timecode.parse(value))

    @field_validator("transfer")
    @classmethod
    def _is_transfer(cls, value: str | None) -> str | None:
        if value is not None:
            from .transfer import transfer_named

            try:
                return transfer_named(value)
            except UsageError as error:
                raise ValueError(f"{error.message} {error.hint}".rstrip(" .")) from error
        return value

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.transfer and self.colorspace:
            raise ValueError("transfer and colorspace both say what the picture's numbers mean; give one")
        if self.still and self.every_file:
            raise ValueError("still takes one image and every_file all there are; give one")
        return self

    def clip_options(self) -> dict[str, Any]:
        """The same for `open_clip`."""
        same = ("timecode", "transfer", "colorspace", "layer", "every_file", "still", "orientation")
        rate = parse_rate(self.rate) if self.rate else None
        return {"rate": rate} | {name: getattr(self, name) for name in same}


def valid_rate(value: str) -> str:
    """A rate as written, checked.

    Args:
        value: Frames per second, in any form that `parse_rate` reads.

    Raises:
        ValueError: it is none.
    """
    try:
        parse_rate(value)
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}".rstrip(" .")) from error
    return value.strip()
