"""Which number a frame has: in ``--frames``, in file names, and at a constant output rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..clip import ClipScan, cfr_span, parse_range
from ..clip.numbers import MOVIE_START
from ..clip.timing import last_duration
from ..errors import UsageError
from ..output.channels import SequenceKind
from ..output.naming import JobNames
from ..types import ClipInfo
from .config import EstimateConfig


@dataclass(frozen=True)
class Numbering:
    """Frame numbers of one clip.

    Attributes:
        source_first: The clip's own number of its first frame: a sequence's file number, 0 for a movie.
        output_first: The number of that frame in file names.
        rate: Rate of the output, frames per second.
        constant: Whether frames are resampled in time to ``rate``.
    """

    source_first: int
    output_first: int
    rate: Fraction
    constant: bool

    @classmethod
    def of(cls, info: ClipInfo, config: EstimateConfig) -> Numbering:
        """The numbering a clip gets under a configuration.

        Args:
            info: The clip.
            config: With the first number and the rate that the user asked for, if any.
        """
        own = info.first_number
        first = config.start_frame
        if first is None:
            first = MOVIE_START if own is None else own
        rate = Fraction(config.cfr) if config.cfr else info.rate
        return cls(own or 0, first, rate, config.cfr is not None)

    def indices(self, frames: str | None) -> tuple[int, int | None]:
        """Clip frame indices [start, stop) of ``A-B``; everything for None.

        Args:
            frames: As the user wrote it, in the clip's own numbering.

        Raises:
            UsageError: the range is malformed or begins before the clip.
        """
        return (0, None) if frames is None else parse_range(frames, self.source_first)

    def names(self, info: ClipInfo, kinds: tuple[SequenceKind, ...], frames: str | None) -> JobNames:
        """Names of the files a job writes, as far as the clip says how long it is; see `shown`.

        Args:
            info: The clip.
            kinds: The sequences.
            frames: ``A-B``; None: all.

        Args:
            info: The clip.
            kinds: The sequences that are written.
            frames: As of `indices`.

        Raises:
            UsageError: see `indices`.
        """
        start, stop = self.indices(frames)
        declared = info.frames_declared or 0
        if declared > start:  # else it is wrong
            stop = min(stop or declared, declared)
        first, last = self.output_first + start, None if stop is None else self.output_first + stop
        if self.constant:
            span = cfr_span(start / info.rate, (stop or start + 1) / info.rate, self.rate)
            first = self.output_first + span.start
            last = None if stop is None else self.output_first + span.stop
        still = info.kind == "sequence" and not self.constant and stop == start + 1
        return JobNames(info.name, kinds, first, last, still)

    def shown(self, scan: ClipScan, rate: Fraction) -> range:
        """Numbers of all files of a sequence that a job writes of a clip which was passed over.

        Args:
            scan: What the pass found.
            rate: The clip's frames per second.
        """
        first, stop = scan.shots[0].start, scan.shots[-1].stop
        if not self.constant:
            return range(self.output_first + first, self.output_first + stop)
        return self.numbers(first, scan.times[first], end_of(scan, rate))

    def numbers(self, index: int, time: Fraction, next_time: Fraction) -> range:
        """Output frame numbers that show clip frame ``index``, on screen in [time, next_time) seconds.

        Args:
            index: Of the frame in the clip, from 0.
            time, next_time: Seconds since the clip's first frame.
        """
        if not self.constant:
            return range(self.output_first + index, self.output_first + index + 1)
        span = cfr_span(time, next_time, self.rate)
        return range(self.output_first + span.start, self.output_first + span.stop)

    def check_shown(self, begin: Fraction, end: Fraction) -> None:
        """Refuses a constant rate so low that nothing on screen in [begin, end) seconds would be written.

        Args:
            begin, end: Seconds since the clip's first frame.

        Raises:
            UsageError: no output frame falls into that time.
        """
        if self.constant and not self.numbers(0, begin, end):
            raise UsageError(
                f"At a constant rate of {self.rate} frames per second none falls into the range of frames, "
                f"{float(begin):.2f} to {float(end):.2f} seconds.",
                "Choose a higher --cfr, or more frames.",
            )


def end_of(scan: ClipScan, rate: Fraction) -> Fraction:
    """The second at which the last frame that was passed over leaves the screen.

    Args:
        scan: What the pass found.
        rate: The clip's frames per second.
    """
    return scan.times[-1] + last_duration(scan.times, 1 / rate)
