"""A part of a job: some of its shots, for one of several processes or machines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..types import Shot

_NUMBERS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_SHARE = re.compile(r"(\d{1,6})/(\d{1,6})")


@dataclass(frozen=True)
class Part:
    """Which shots to do.

    Attributes:
        numbers: Shots [start, stop), by number.
        share: Number, from 1, and count of about equal shares, by frames; shots stay whole.
    """

    numbers: tuple[int, int] | None = None
    share: tuple[int, int] | None = None

    @classmethod
    def parse(cls, shots: str | None, shard: str | None) -> Part | None:
        """The part that ``--shots A-B`` or ``--shard K/N`` name; None without either.

        Args:
            shots: ``A-B`` or ``A``, from 0.
            shard: ``K/N``, K from 1.

        Raises:
            UsageError: one is malformed, or both are given.
        """
        if shots is not None and shard is not None:
            raise UsageError("--shots and --shard both say which shots to do.", "Give one of them.")
        if shots is not None:
            found = _NUMBERS.fullmatch(shots)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
            if first > last:
                raise UsageError(
                    f"--shots {shots} is no range of shots.", "Write FIRST-LAST, from 0, for example 0-3."
                )
            return cls(numbers=(first, last + 1))
        if shard is not None:
            found = _SHARE.fullmatch(shard)
            share, count = (int(found[1]), int(found[2])) if found else (0, 0)
            if not 1 <= share <= count:
                raise UsageError(
                    f"--shard {shard} is no share of a job.", "Write K/N with K from 1 to N, for example 2/3."
                )
            return cls(share=(share, count))
        return None

    def shots(self, shots: Sequence[Shot]) -> range:
        """Numbers of the shots to do; empty where there are more shares than shots.

        Args:
            shots: All of the job.

        Raises:
            UsageError: the clip has no such shot.
        """
        if self.numbers is not None:
            first, stop = self.numbers
            if stop > len(shots):
                raise UsageError(
                    f"The frames asked for lie in shots 0 to {len(shots) - 1}; there is no shot {stop - 1}.",
                    "Choose shots there are; vdepth inspect lists those of the whole clip.",
                )
            return range(first, stop)
        assert self.share is not None
        share, count = self.share
        return shares(shots, count).get(share, range(0))


def shares(shots: Sequence[Shot], count: int) -> dict[int, range]:
    """Number of a share, from 1 -> the shots that are its own; shares without any are left out.

    Args:
        shots: All of the job.
        count: Into how many about equal shares its frames are cut; shots stay whole.
    """
    begin, total = shots[0].start, sum(map(len, shots))
    found: dict[int, range] = {}
    for shot in shots:
        middle = 2 * (shot.start - begin) + len(shot)  # in half frames: the share it lies in gets the shot
        share = middle * count // (2 * total) + 1
        found[share] = range(found[share].start if share in found else shot.index, shot.index + 1)
    return found
