"""The EXR form of a frame's SMPTE time code; the counting itself is `clip.timing.Timecode`'s."""

from __future__ import annotations

from fractions import Fraction

from ..clip.smpte import TimeCode, pack_frame
from ..clip.timing import Timecode, can_drop

_LARGEST_RATE = 60  # SMPTE ST 12-1 has no time code above
_MOST_FRAMES = 39  # what the two digits of the frame field hold


def timecode_at(start: str, rate: Fraction, frames: int | None) -> TimeCode | None:
    """The time code ``frames`` frames after ``start``.

    Args:
        start: As in the container: ``01:00:00:00``, with ``;`` before the frames for drop frame.
        rate: Nominal frames per second.
        frames: Frames since the start, ≥ 0; None: ``start`` is the frame's own, and stays as it is.

    Returns:
        The time code, past midnight starting again at 0; None where ``start`` is no time code or SMPTE has
        none for the rate.
    """
    try:
        code = Timecode.parse(start)
    except ValueError:
        return None
    if frames is not None:
        code = code.advance(frames, rate)
    frame, field = pack_frame(code.frame, rate)
    if not 1 <= round(rate) <= _LARGEST_RATE or frame > _MOST_FRAMES:
        return None
    drop = code.drop_frame and (frames is None or can_drop(rate))  # whatever the separator says
    return TimeCode(code.hours, code.minutes, code.seconds, frame, drop, field)
