"""SMPTE 12M time code as EXR and DPX headers pack it into one 32-bit word."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from .timing import Timecode

PAIRS_ABOVE = 30
"""Frames a second above which the frame field, two digits up to 39, counts pairs and a field mark."""


class TimeCode(NamedTuple):
    """A time code as headers store it.

    ``frame`` is 0..29: above 30 frames a second SMPTE 12M-1 counts pairs of frames, and ``field`` marks the
    second one.
    """

    hours: int
    minutes: int
    seconds: int
    frame: int
    drop_frame: bool = False
    field: bool = False

    def __str__(self) -> str:
        separator = ";" if self.drop_frame else ":"
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{separator}{self.frame:02}"


def unpack(word: int) -> TimeCode:
    """BCD: frame in bits 0-5, drop 6, seconds 8-14, field mark 15, minutes 16-22, hours 24-29.

    Args:
        word: 32 bits, as SMPTE 12M and a header's ``smpte:TimeCode`` have them.
    """

    def digits(shift: int, bits: int) -> int:
        return (word >> shift & 15) + 10 * (word >> shift + 4 & (1 << bits - 4) - 1)

    return TimeCode(
        digits(24, 6), digits(16, 7), digits(8, 7), digits(0, 6), bool(word >> 6 & 1), bool(word >> 15 & 1)
    )


def pack_frame(frame: int, rate: Fraction) -> tuple[int, bool]:
    """The frame field and the field mark of a time code that counts every frame.

    Args:
        frame: Within its second, from 0.
        rate: Frames per second.
    """
    if round(rate) <= PAIRS_ABOVE:
        return frame, False
    pair, second = divmod(frame, 2)
    return pair, bool(second)


def read_timecode(word: int, rate: Fraction) -> Timecode | None:
    """The time code, counting every frame, in a header's word; None where the word holds none.

    Above 30 frames a second the word counts pairs, unless its number is one that no pair has.

    Args:
        word: 32 bits, see `unpack`.
        rate: Frames per second of the clip.
    """
    code = unpack(word)
    if code.hours > 23 or code.minutes > 59 or code.seconds > 59 or word & 0xFFFFFFFF == 0xFFFFFFFF:
        return None
    frame = code.frame
    base = round(rate)
    if base > PAIRS_ABOVE and 2 * frame < base:
        frame = 2 * frame + code.field
    return Timecode(code.hours, code.minutes, code.seconds, frame, code.drop_frame)
