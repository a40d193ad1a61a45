"""What an image's header says about time, pixels and colour, whichever format's words it uses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .colour import named_by_image
from .primaries import PRIMARIES
from .timing import nominal_rate
from .transfer import TRANSFERS, Curve

_RATES = ("framesPerSecond", "FramesPerSecond", "dpx:FrameRate", "dpx:TemporalFrameRate", "cineon:FrameRate")
_ASPECT_FORMATS = frozenset({"openexr", "dpx", "cineon"})  # elsewhere it is made up from print resolutions


@dataclass(frozen=True)
class Header:
    """The facts; None where the header does not say.

    Attributes:
        pixel_aspect: Width of a pixel over its height.
        rate: Frames per second.
        timecode: Packed as in SMPTE 12M; `smpte.read_timecode` reads it.
        transfer: In FFmpeg's words, empty where it is what is usual.
        colorspace: A colour space it names, empty where it is what is usual.
        chromaticities: x, y of red, green, blue and white; None: Rec. 709's.
    """

    pixel_aspect: Fraction | None = None
    rate: Fraction | None = None
    timecode: int | None = None
    transfer: str = ""
    colorspace: str = ""
    chromaticities: tuple[float, ...] | None = None

    def or_else(self, other: Header) -> Header:
        """This one, with ``other`` where it says nothing.

        Args:
            other: Of another file of the same sequence.
        """
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Header(**{name: value or getattr(other, name) for name, value in values.items()})


def read_header(spec: Any, form: str = "") -> Header:
    """The facts of an OpenImageIO spec of a file in format ``form``.

    Args:
        spec: An ``ImageSpec``.
        form: OpenImageIO's name of the format; empty: unknown.
    """
    code, chromaticities = spec.getattribute("smpte:TimeCode"), spec.getattribute("chromaticities")
    transfer, primaries = _coded(spec, form)
    keys = ["colorInteropID", "dpx:Transfer"]
    if chromaticities is None:  # the library's own reading of the header; numbers say more
        keys.append("oiio:ColorSpace")
    said = {key: spec.get_string_attribute(key) for key in keys}
    return Header(
        pixel_aspect=_aspect(spec) if form in _ASPECT_FORMATS else None,
        rate=next(filter(None, (_rate(spec.getattribute(name)) for name in _RATES)), None),
        timecode=code[0] & 0xFFFFFFFF if code else None,
        transfer=transfer,
        colorspace="Cineon" if form == "cineon" else named_by_image(said),
        chromaticities=primaries
        if chromaticities is None
        else tuple(float(value) for value in chromaticities),
    )


def _coded(spec: Any, form: str) -> tuple[str, tuple[float, ...] | None]:
    """A transfer, empty where a picture is for a display, and with it primaries, by code points (H.273).

    PNG's gAMA of 1 says linear, too. DPX writers put "linear" there whatever the picture is.
    """
    if spec.get_string_attribute("dpx:Transfer").casefold() == "logarithmic":
        return "log100", None
    code = spec.getattribute("CICP")
    if code is not None:
        transfer = TRANSFERS.get(code[1], "")
        return (transfer, PRIMARIES.get(code[0], PRIMARIES[1])[1]) if Curve.knows(transfer) else ("", None)
    linear = form == "png" and spec.get_string_attribute("oiio:ColorSpace").startswith("lin_")
    return "linear" if linear else "", None


def is_aspect(value: float | Fraction) -> bool:
    """Whether pixels may be that many times as wide as they are high; damaged headers say anything.

    Args:
        value: What the file says.
    """
    return math.isfinite(value) and 0.1 <= value <= 10


def _aspect(spec: Any) -> Fraction | None:
    value = spec.get_float_attribute("PixelAspectRatio")
    return Fraction(value).limit_denominator(1000) if is_aspect(value) else None


def _rate(value: Any) -> Fraction | None:
    try:
        rate = Fraction(*value) if isinstance(value, tuple) else Fraction(value).limit_denominator(1001)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return nominal_rate(rate) if Fraction(1, 1000) <= rate <= 1000 else None
