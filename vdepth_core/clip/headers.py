"""What an image's header says about time, pixels and colour, whichever format's words it uses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .timing import nominal_rate

_RATES = ("framesPerSecond", "FramesPerSecond", "dpx:FrameRate", "dpx:TemporalFrameRate", "cineon:FrameRate")
_ASPECT_FORMATS = frozenset({"openexr", "dpx", "cineon"})  # elsewhere it is made up from print resolutions
# What scanners and film recorders call densities; the name in a DPX header's field for it.
_LOG = {"logarithmic": "log100", "printing density": "log100", "kodaklog": "log100"}
_AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)  # SMPTE ST 2065-1


@dataclass(frozen=True)
class Header:
    """The facts; None where the header does not say.

    Attributes:
        pixel_aspect: Width of a pixel over its height.
        rate: Frames per second.
        timecode: Packed as in SMPTE 12M; `smpte.read_timecode` reads it.
        transfer: In FFmpeg's words, empty where it is what is usual.
        chromaticities: x, y of red, green, blue and white; None: Rec. 709's.
    """

    pixel_aspect: Fraction | None = None
    rate: Fraction | None = None
    timecode: int | None = None
    transfer: str = ""
    chromaticities: tuple[float, ...] | None = None

    def or_else(self, other: Header) -> Header:
        """This one, with ``other`` where it says nothing."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Header(**{name: value or getattr(other, name) for name, value in values.items()})


def read_header(spec: Any, form: str = "") -> Header:
    """The facts of an OpenImageIO spec of a file in format ``form``."""
    code = spec.getattribute("smpte:TimeCode")
    return Header(
        pixel_aspect=_aspect(spec) if form in _ASPECT_FORMATS else None,
        rate=next(filter(None, (_rate(spec.getattribute(name)) for name in _RATES)), None),
        timecode=code[0] & 0xFFFFFFFF if code else None,
        transfer=_transfer(spec, form),
        chromaticities=_chromaticities(spec),
    )


def _aspect(spec: Any) -> Fraction | None:
    value = spec.get_float_attribute("PixelAspectRatio")
    if not math.isfinite(value) or not 0.1 <= value <= 10:
        return None
    return Fraction(value).limit_denominator(1000)


def _rate(value: Any) -> Fraction | None:
    try:
        rate = Fraction(*value) if isinstance(value, tuple) else Fraction(value).limit_denominator(1001)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return nominal_rate(rate) if Fraction(1, 1000) <= rate <= 1000 else None


def _transfer(spec: Any, form: str) -> str:
    if form == "cineon":
        return "log100"
    if form != "dpx":
        return ""
    return _LOG.get(spec.get_string_attribute("dpx:Transfer").casefold(), "")


def _chromaticities(spec: Any) -> tuple[float, ...] | None:
    found = spec.getattribute("chromaticities")
    if found is not None:
        return tuple(float(value) for value in found)
    return _AP0 if spec.get_int_attribute("acesImageContainerFlag") == 1 else None
