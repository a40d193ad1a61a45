"""Frame ranges, timecodes and constant-rate resampling: rational arithmetic, no decoding.

A clip's times are the presentation times of its frames in seconds from its first frame, strictly increasing.
A constant rate shows at output frame k the last picture whose time is <= k / rate, which is what Blender
plays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from ..errors import UsageError

# Rates whose printed form is rounded: 29.97 in a container means 30000/1001 (SMPTE 12M).
_NTSC = tuple(Fraction(base * 1000, 1001) for base in (24, 30, 48, 60, 120, 240))
_RATE = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,9}/\d{1,9}")
_FASTEST = 1000
_NTSC_TOLERANCE = Fraction(2, 100_000)


def parse_range(text: str, first_number: int = 0, frames: int | None = None) -> tuple[int, int]:
    """Reads ``A-B`` or ``A``, inclusive, in the clip's own numbering.

    Args:
        text: What the user typed.
        first_number: Number of the clip's first frame: a sequence's own, 0 for a movie.
        frames: Number of frames in the clip when known; the range must then lie inside.

    Returns:
        The half-open range (start, stop) of clip frame indices, counted from 0.

    Raises:
        UsageError: the text is no range, runs backwards, or lies outside the clip.
    """
    match = re.fullmatch(r"\s*(-?\d+)\s*(?:(?:-|\.\.)\s*(-?\d+)\s*)?", text)
    if match is None:
        raise UsageError(f"'{text}' is not a frame range.", "Write it as FIRST-LAST, for example 10-49.")
    first = int(match[1])
    last = int(match[2]) if match[2] is not None else first
    if last < first:
        raise UsageError(f"The frame range {text} runs backwards.", f"Write it as {last}-{first}.")
    if first < first_number:
        raise UsageError(
            f"The frame range {text} starts before the clip's first frame, {first_number}.",
            "Frames are counted in the clip's own numbers: an image sequence's file numbers, a movie from 0.",
        )
    if frames is not None and last >= first_number + frames:
        raise UsageError(
            f"The frame range {text} goes beyond the clip's last frame, {first_number + frames - 1}."
        )
    return first - first_number, last + 1 - first_number


def parse_rate(text: str) -> Fraction:
    """The frame rate a user wrote: ``24``, ``23.976`` or ``24000/1001``.

    Args:
        text: As the user wrote it.

    Raises:
        UsageError: it is none.
    """
    plain = text.strip()
    rate = Fraction(plain) if _RATE.fullmatch(plain) and not re.search(r"/0+$", plain) else Fraction(0)
    if not 0 < rate <= _FASTEST:
        raise UsageError(
            f"'{text}' is no frame rate.",
            f"It must be frames per second above 0 and up to {_FASTEST}, such as 24, 23.976 or 24000/1001.",
        )
    return rate


def nominal_rate(rate: Fraction) -> Fraction:
    """The exact rate behind a rounded one: 2997/100 becomes 30000/1001; others stay as they are.

    Args:
        rate: Frames per second, perhaps rounded.
    """
    for exact in _NTSC:
        if abs(rate / exact - 1) < _NTSC_TOLERANCE:
            return exact
    return rate


def can_drop(rate: Fraction) -> bool:
    """Whether drop-frame counting is defined for the rate: at multiples of 30000/1001 only.

    Args:
        rate: Frames per second.
    """
    return math.ceil(rate - Fraction(1, 2)) % 30 == 0 and rate.denominator == 1001


def parse_timecode(text: str) -> Timecode:
    """The time code a user wrote.

    Args:
        text: As the user wrote it.

    Raises:
        UsageError: it is none.
    """
    try:
        return Timecode.parse(text)
    except ValueError as error:
        raise UsageError(f"{error}.", "Write it as 01:00:00:00, or 01:00:00;00 for drop-frame.") from error


@dataclass(frozen=True)
class Timecode:
    """SMPTE 12M timecode; ``frame`` counts within the second, ``drop_frame`` says how numbers are skipped."""

    hours: int
    minutes: int
    seconds: int
    frame: int
    drop_frame: bool = False

    def __str__(self) -> str:
        mark = ";" if self.drop_frame else ":"
        return f"{self.hours:02d}:{self.minutes:02d}:{self.seconds:02d}{mark}{self.frame:02d}"

    @classmethod
    def parse(cls, text: str) -> Timecode:
        """Reads ``hh:mm:ss:ff``; ``;`` (or ``.``) before the frames means drop frame.

        Args:
            text: With two or three digits for the frame.

        Raises:
            ValueError: the text is no timecode.
        """
        match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})[:;](\d{2})([:;.])(\d{2,3})\s*", text)
        if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3]) > 59:
            raise ValueError(f"'{text}' is not a timecode of the form hh:mm:ss:ff")
        return cls(int(match[1]), int(match[2]), int(match[3]), int(match[5]), match[4] != ":")

    def advance(self, frames: int, rate: Fraction) -> Timecode:
        """The timecode ``frames`` later at ``rate`` frames per second; wraps at midnight.

        Drop-frame counting applies only where it is defined, at multiples of 30000/1001; it skips the first
        two (at 59.94 four) numbers of every minute but each tenth (SMPTE 12M-1, 8.2).

        Args:
            frames: How many; negative: earlier.
            rate: Frames per second.
        """
        base = max(1, math.ceil(rate - Fraction(1, 2)))
        dropped = base // 15 if self.drop_frame and can_drop(rate) else 0
        return _from_count(self._count(base, dropped) + frames, base, dropped, self.drop_frame)

    def count_every_frame(self, base: int, rate: Fraction) -> Timecode:
        """The same code counting every frame, where a counter of ``base`` numbers a second counts the pairs
        (or fours) of a clip at ``rate``, as SMPTE 12M does above 30 frames per second.

        Args:
            base: Numbers a second that the counter has.
            rate: Frames per second of the clip.
        """
        group = round(rate / base)
        return replace(self, frame=self.frame * group) if group > 1 else self

    def _count(self, base: int, dropped: int) -> int:
        minutes = 60 * self.hours + self.minutes
        frame = min(self.frame, base - 1)
        return (60 * minutes + self.seconds) * base + frame - dropped * (minutes - minutes // 10)


def _from_count(count: int, base: int, dropped: int, drop_frame: bool) -> Timecode:
    count %= 24 * (3600 * base - 54 * dropped)
    if dropped:
        ten_minutes = 600 * base - 9 * dropped
        tens, rest = divmod(count, ten_minutes)
        # The first minute of ten keeps all its numbers; each of the nine others skips `dropped` of them.
        later = max(0, rest - 60 * base) // (60 * base - dropped) + (rest >= 60 * base)
        count += dropped * (9 * tens + later)
    seconds, frame = divmod(count, base)
    return Timecode(seconds // 3600, seconds // 60 % 60, seconds % 60, frame, drop_frame)


def cfr_span(time: Fraction, next_time: Fraction, rate: Fraction) -> range:
    """Output frames k that show a picture lasting from ``time`` to ``next_time`` at constant ``rate``.

    Empty when a faster picture falls between two output frames. Spans of consecutive frames adjoin exactly.

    Args:
        time, next_time: Seconds, the second not before the first.
        rate: Frames per second of the output.
    """
    return range(math.ceil(time * rate), math.ceil(next_time * rate))


def cfr_numbers(times: Sequence[Fraction], rate: Fraction) -> list[int]:
    """Source index shown at each output frame of constant ``rate``: the last picture with time <= k / rate.

    The last picture lasts as long as `last_duration` says.

    Args:
        times: Seconds at which each picture appears, rising.
        rate: Frames per second of the output.
    """
    ends = [*times[1:], times[-1] + last_duration(times, 1 / rate)] if times else []
    spans = zip(times, ends, strict=True)
    return [index for index, (time, end) in enumerate(spans) for _ in cfr_span(time, end, rate)]


def last_duration(times: Sequence[Fraction], default: Fraction) -> Fraction:
    """How long the last frame is shown: the median gap between frames, ``default`` for a single frame.

    Args:
        times: Seconds at which each frame appears, rising.
        default: Seconds.
    """
    if len(times) < 2:
        return default
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    return gaps[len(gaps) // 2]


def is_regular(times: Sequence[Fraction], rate: Fraction, tolerance: Fraction = Fraction(1, 900)) -> bool:
    """Whether frames follow each other at a constant rate, up to ``tolerance`` seconds (rounded timestamps).

    Args:
        times: Seconds from the first frame.
        rate: Nominal frames per second.
        tolerance: Allowed distance of any gap from 1 / rate, in seconds.
    """
    return all(abs(later - earlier - 1 / rate) <= tolerance for earlier, later in pairwise(times))


class Timeline:
    """Turns a decoder's timestamps, as they come, into strictly increasing times from the first frame.

    A missing timestamp, or one that does not go forward, is replaced by the previous time plus one nominal
    frame: the order of decoding is the order of presentation, so only the number is wrong.
    """

    def __init__(self, time_base: Fraction, rate: Fraction) -> None:
        self.repaired = 0
        self._time_base, self._step = time_base, 1 / rate
        self._origin: int | None = None
        self._last: Fraction | None = None

    @property
    def origin(self) -> int:
        """Timestamp of the first frame, 0 before there is one."""
        return self._origin or 0

    def go_on_after(self, origin: int, last: Fraction) -> None:
        """Continues behind a frame at ``last`` seconds of a clip whose first timestamp is ``origin``.

        Args:
            origin: In ticks of the stream's time base.
            last: Seconds since the clip's first frame.
        """
        self._origin, self._last = origin, last

    def place(self, pts: int | None) -> tuple[Fraction, int]:
        """Time in seconds and timestamp of the next frame; ``pts`` is the container's, or None.

        Args:
            pts: In ticks of the stream's time base.
        """
        if self._last is None or self._origin is None:
            self._origin, self._last = pts or 0, Fraction(0)
            self.repaired += pts is None
            return self._last, self._origin
        time = None if pts is None else (pts - self._origin) * self._time_base
        if time is None or time <= self._last:
            self.repaired += 1
            time = self._last + self._step
        self._last = time
        return time, pts if pts is not None else self._origin + round(time / self._time_base)
