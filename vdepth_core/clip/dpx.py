"""What a DPX header says of time, where the picture lies in its place.

Film and television headers take bytes 1664 to 2047 (SMPTE 268M). FFmpeg writes pictures from byte 1664 on,
and readers take their pixels for time codes and rates: those are believed only where they behave like some.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ..errors import InputError
from .headers import Header
from .images import image_facts
from .smpte import read_timecode
from .timing import Timecode

_WHOLE = 2048  # bytes of a header with all its parts
_USUAL = frozenset(
    Fraction(base * 1000, per) for base in (12, 15, 24, 25, 30, 48, 50, 60, 120) for per in (1000, 1001)
)


def believed(header: Header, files: Sequence[Path], rate: Fraction | None) -> tuple[Header, bool]:
    """A sequence's header without what is no time, and whether the files' own time codes count.

    Args:
        header: Of its first file.
        files: The sequence.
        rate: Frames per second that the user says; None: the header's count.
    """
    if files[0].suffix.casefold() != ".dpx" or not _overlaps(files[0]):
        return header, True
    own = header.rate if header.rate in _USUAL else None
    settled = rate or own or Fraction(24)
    first, second = _code(header, settled), None
    if first is not None and len(files) > 1:
        with suppress(InputError):  # whoever reads the picture says so
            second = _code(image_facts(files[1]).header, settled)
    runs = first is not None and first.advance(1, settled) == second
    return replace(header, rate=own, timecode=header.timecode if runs else None), runs


def _code(header: Header, rate: Fraction) -> Timecode | None:
    return None if header.timecode is None else read_timecode(header.timecode, rate)


def _overlaps(path: Path) -> bool:
    """Whether the picture begins within the header."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError:
        return False  # whoever reads the picture says so
    if len(start) < 8:
        return False
    order = ">" if start[:4] == b"SDPX" else "<"
    return bool(struct.unpack(f"{order}I", start[4:])[0] < _WHOLE)
