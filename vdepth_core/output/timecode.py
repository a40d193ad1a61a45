"""The EXR form of a frame's SMPTE time code; the counting itself is `clip.timing.Timecode`'s."""

from __future__ import annotations

from fractions import Fraction

from ..clip.timing import Timecode
from .exr_header import TimeCode

_LARGEST_RATE = 60  # SMPTE ST 12-1 has no time code above
# The frame field holds two decimal digits up to 39: faster rates count pairs and a field flag.
_PAIRS_ABOVE = 30


def timecode_at(start: str, rate: Fraction, frames: int) -> TimeCode | None:
    """The time code ``frames`` frames after ``start``.

    Args:
        start: As in the container: ``01:00:00:00``, with ``;`` before the frames for drop frame.
        rate: Nominal frames per second.
        frames: Frames since the start, ≥ 0.

    Returns:
        The time code, past midnight starting again at 0; None where ``start`` is no time code or SMPTE has
        none for the rate.
    """
    base = round(rate)
    try:
        code = Timecode.parse(start).advance(frames, rate)
    except ValueError:
        return None
    if not 1 <= base <= _LARGEST_RATE:
        return None
    # Only 29.97 and 59.94 drop numbers, whatever the separator says.
    drop = code.drop_frame and base % 30 == 0 and rate.denominator == 1001
    frame, field = divmod(code.frame, 2) if base > _PAIRS_ABOVE else (code.frame, 0)
    return TimeCode(code.hours, code.minutes, code.seconds, frame, drop, bool(field))
