"""How a clip is to be understood where its files do not say, or say it wrongly."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from ..errors import UsageError
from .timing import Timecode, parse_rate
from .transfer import transfer_named


class ClipOptions(BaseModel):
    """Options of opening a clip; None leaves it to the files.

    Attributes:
        rate: Frame rate of an image sequence that does not say.
        timecode: Time code of the clip's first frame, ``01:00:00:00``; None: what the clip says.
        every_file: Take all images there are, in the order of the numbers in their names.
        layer: Layer of an EXR sequence; None: the beauty.
        transfer: Transfer characteristic of the clip's numbers (``pq``, ``hlg``, ``linear`` …).
        colorspace: Colour space of the clip (``logc3``, ``acescg`` …), from OpenColorIO's configuration.
    """

    model_config = ConfigDict(frozen=True)

    rate: str | None = None
    timecode: str | None = None
    every_file: bool = False
    layer: str | None = None
    transfer: str | None = None
    colorspace: str | None = None

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
            try:
                return transfer_named(value)
            except UsageError as error:
                raise ValueError(f"{error.message} {error.hint}".rstrip(" .")) from error
        return value

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.transfer and self.colorspace:
            raise ValueError("transfer and colorspace both say what the picture's numbers mean; give one")
        return self

    def clip_options(self) -> dict[str, Any]:
        """The same for `open_clip`."""
        same = ("timecode", "transfer", "colorspace", "layer", "every_file")
        rate = parse_rate(self.rate) if self.rate else None
        return {"rate": rate} | {name: getattr(self, name) for name in same}


def valid_rate(value: str) -> str:
    """A rate as written, checked.

    Raises:
        ValueError: it is none.
    """
    try:
        parse_rate(value)
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}".rstrip(" .")) from error
    return value.strip()
