"""What a new view is: its options, as the command line and Python take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from ..choices import EyesLayout
from ..clip.timing import parse_range
from ..errors import UsageError
from ..options import Options, sentence

PATHS = ("dolly", "orbit", "stereo")


class ViewOptions(Options):
    """Where the new camera is, and what is made of its pictures."""

    path: str = Field(
        description="Where the camera goes: dolly, orbit, stereo, or a camera file.",
        json_schema_extra={"metavar": "dolly|orbit|stereo|FILE"},
    )
    amount: float | None = Field(
        None, ge=-90, le=90,
        description="How far, per cent of the pivot's distance, -90 to 90 (default: dolly 15, orbit 5).",
    )  # fmt: skip
    pivot: float | None = Field(
        None, gt=0,
        description="Distance that dolly and orbit go by, in the depth's unit, above 0 (default: the "
        "shot's middle).",
    )  # fmt: skip
    layout: EyesLayout = Field(
        "side-by-side", description="How the eyes of stereo lie in a picture; right is the second eye alone."
    )
    max_disparity: float = Field(
        2.0, gt=0, le=10,
        description="Comfort limit: disparity between the nearest and the farthest, per cent of the width, "
        "above 0, at most 10.",
    )  # fmt: skip
    convergence: float | None = Field(
        None, gt=0,
        description="Distance that appears on the screen, in the depth's unit, above 0 (default: a quarter "
        "of the disparities come before it).",
    )  # fmt: skip
    camera: Path | None = Field(
        None,
        description="File with the plate's own camera path: FILE is then in its world (default: FILE's poses "
        "are from the plate's camera on).",
    )
    format: Literal["png", "exr"] = Field(
        "png", description="Of the frames: 8-bit sRGB, or scene-linear half float with depth."
    )
    movie: bool = Field(
        True, description="An MP4 beside the frames.", json_schema_extra={"off": "No MP4 beside the frames."}
    )
    frames: str | None = Field(
        None,
        description="Frames A to B of the sequence (default: all).",
        json_schema_extra={"metavar": "A-B"},
    )

    @field_validator("frames")
    @classmethod
    def _is_range(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_range(value, 0)
            except UsageError as error:
                raise ValueError(error.message.removesuffix(".")) from error
        return value

    @classmethod
    def parse(cls, values: dict[str, Any]) -> ViewOptions:
        """The options of these values.

        Args:
            values: By the fields' names.

        Raises:
            UsageError: one is wrong, or makes no difference to the path.
        """
        try:
            options = cls.model_validate(values)
        except ValidationError as error:
            raise UsageError(sentence(error, cls), "See vdepth novel-view --help.") from error
        of_path = {
            "amount": ("dolly", "orbit"),
            "pivot": ("dolly", "orbit"),
            "layout": ("stereo",),
            "max_disparity": ("stereo",),
            "convergence": ("stereo",),
        }
        for name, paths in of_path.items():
            if name in values and options.path not in paths:
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(
                    f"{flag} makes no difference to the path {options.path}.",
                    f"It is for {' and '.join(paths)}.",
                )
        return options
