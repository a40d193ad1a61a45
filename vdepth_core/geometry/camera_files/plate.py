"""The clip that a camera file is for: its frames, its picture, and what it calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from ...types import ClipInfo
from ..camera import Intrinsics


@dataclass(frozen=True)
class Plate:
    """A clip as camera files see it.

    Attributes:
        numbers: The frames' numbers, in the clip's own numbering: a sequence's of its files, 0 for a movie's
            first.
        rate: Frames a second.
        width, height: Of the picture in pixels.
        pixel_aspect: Width of a pixel over its height.
        lens: Taken where a file has none.
        movie: Whether it is one; other programs count a movie's frames from 1.
        names: File name to number, of a sequence.
        times: Seconds of each frame since the first, where they are not even.
        stem: What pictures of vdepth's exports are called before their number: ``<stem>.1001.png``.
        shift: What the numbers of vdepth's files of this clip have over the clip's own; None: not known.
    """

    numbers: range
    rate: Fraction
    width: int
    height: int
    pixel_aspect: Fraction
    lens: Intrinsics
    movie: bool = False
    names: Mapping[str, int] = field(default_factory=dict)
    times: Sequence[Fraction] | None = None
    stem: str = ""
    shift: int | None = None

    @classmethod
    def of(
        cls,
        info: ClipInfo,
        count: int,
        lens: Intrinsics,
        files: Sequence[Path] = (),
        times: Sequence[Fraction] | None = None,
    ) -> Plate:
        """The plate of an opened clip.

        Args:
            info: The clip's facts.
            count: Its frames, all of them.
            lens: Taken where a file has none, in pixels of the plate.
            files: Those of a sequence, in order.
            times: Seconds of each frame since the first; None: even.
        """
        first = info.first_number or 0
        movie = info.kind == "movie"
        names = {} if movie else {file.name: number for number, file in enumerate(files, first)}
        return cls(
            range(first, first + count), info.rate, info.width, info.height, info.pixel_aspect, lens,
            movie, names, times,
        )  # fmt: skip

    def time(self, number: int) -> Fraction:
        """Seconds of a frame since the clip's first.

        Args:
            number: In the clip's own numbering.
        """
        place = number - self.numbers.start
        return place / self.rate if self.times is None else self.times[place]

    def name(self, number: int) -> str:
        """What a frame's picture is called: the file of a sequence, else as FFmpeg numbers what it extracts.

        Args:
            number: In the clip's own numbering.
        """
        named = {at: name for name, at in self.names.items()}
        return named.get(number, f"frame_{number + self.movie:04d}.png")
