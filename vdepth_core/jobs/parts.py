"""A part of a job, for one of several processes or machines: some of its shots, or a range of a long one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ..errors import UsageError
from ..types import Shot

_NUMBERS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_SHARE = re.compile(r"(\d{1,6})/(\d{1,6})")
_LEAST = 8  # frames: a smaller range is not worth its start


class Piece(NamedTuple):
    """A shot, or a range of one: frames [start, stop) of it."""

    shot: Shot
    start: int
    stop: int

    @property
    def whole(self) -> bool:
        """Whether it is all of the shot."""
        return self.stop - self.start == len(self.shot)


@dataclass(frozen=True)
class Part:
    """Which shots to do.

    Attributes:
        numbers: Shots [start, stop), by number.
        frames: Of the one shot, frames [start, stop), from 0, predicted and no more; None: all.
        share: Number, from 1, and count of about equal shares, by frames.
    """

    numbers: tuple[int, int] | None = None
    share: tuple[int, int] | None = None
    frames: tuple[int, int] | None = None

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

    def pieces(self, shots: Sequence[Shot], step: int = 0) -> list[Piece]:
        """What there is to do, in order; nothing where there are more shares than pieces.

        Args:
            shots: All of the job.
            step: As of `shares`.

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
            if self.frames is not None:
                return [Piece(shots[first], *self.frames)]
            return [Piece(shot, 0, len(shot)) for shot in shots[first:stop]]
        assert self.share is not None
        share, count = self.share
        return shares(shots, count, step).get(share, [])


def shares(shots: Sequence[Shot], count: int, step: int = 0, longest: int = 0) -> dict[int, list[Piece]]:
    """Number of a share, from 1 -> what is its own, in order; shares of nothing are left out.

    Shots stay whole, but for those worth more than a share where the method allows it.

    Args:
        shots: All of the job.
        count: Into how many about equal shares its frames are cut.
        step: A shot may be cut at multiples of so many frames; 0: nowhere.
        longest: Frames up to which a shot stays whole.
    """
    begin, total = shots[0].start, sum(map(len, shots))
    found: dict[int, list[Piece]] = {}
    for shot in shots:
        for piece in _cut(shot, count, total, step if len(shot) > longest else 0):
            # In half frames: the share that its middle lies in gets the piece.
            middle = 2 * (shot.start - begin) + piece.start + piece.stop
            found.setdefault(middle * count // (2 * total) + 1, []).append(piece)
    return found


def _cut(shot: Shot, count: int, total: int, step: int) -> list[Piece]:
    """A shot as the pieces that shares are made of."""
    length = len(shot)
    worth = (2 * length * count + total) // (2 * total)  # shares, rounded
    parts = max(1, min(worth, length // max(step, _LEAST))) if step else 1
    starts = [length * part // parts // max(step, 1) * step for part in range(parts)]
    return [Piece(shot, start, stop) for start, stop in pairwise([*starts, length])]
