"""Frame numbers: movies start at 1001, sequences keep their own, constant rates leave no gap."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from vdepth_core.errors import UsageError
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.numbering import Numbering
from vdepth_core.types import ClipInfo


def info(first_number=None, frames_declared=None):
    kind = "movie" if first_number is None else "sequence"
    return ClipInfo(Path("a"), kind, "a", 64, 64, Fraction(1), Fraction(24), first_number=first_number,
                    frames_declared=frames_declared)  # fmt: skip


def test_a_movie_starts_at_1001_and_its_ranges_count_from_0():
    numbering = Numbering.of(info(), EstimateConfig())
    assert numbering.indices("10-19") == (10, 20)
    assert list(numbering.numbers(10, Fraction(10, 24), Fraction(11, 24))) == [1011]


def test_a_sequence_keeps_its_numbers():
    numbering = Numbering.of(info(997), EstimateConfig())
    assert numbering.indices("1000-1000") == (3, 4)
    assert list(numbering.numbers(3, Fraction(0), Fraction(0))) == [1000]
    with pytest.raises(UsageError, match="997"):
        numbering.indices("10-20")


def test_only_numbers_a_movie_may_have_are_its_own():
    movie = info(frames_declared=24)
    kinds = ("depth",)

    def names(frames=None, clip=movie, **options):
        found = Numbering.of(clip, EstimateConfig.parse(**options)).names(clip, kinds, frames)
        return found.first, found.stop

    assert names() == (1001, 1025)
    assert names("10-99") == (1011, 1025)
    assert names("30-99") == (1031, 1101)  # what it declares is wrong
    assert names(cfr="12") == (1001, 1013)
    assert names("12-23", cfr="12") == (1007, 1013)
    assert names(clip=info()) == (1001, None)


def test_start_frame_wins():
    numbering = Numbering.of(info(997), EstimateConfig(start_frame=1))
    assert list(numbering.numbers(0, Fraction(0), Fraction(0))) == [1]


@pytest.mark.parametrize("rate", ["12", "24", "25", "60", "30000/1001"])
def test_a_constant_rate_numbers_every_output_frame_once(rate):
    numbering = Numbering.of(info(), EstimateConfig.parse(cfr=rate))
    times = [Fraction(0), Fraction(1, 30), Fraction(1, 10), Fraction(1, 2), Fraction(4, 5), Fraction(1)]
    numbers = [
        number
        for index, (time, until) in enumerate(pairwise(times))
        for number in numbering.numbers(index, time, until)
    ]
    assert numbers == list(range(1001, 1001 + len(numbers)))
    assert len(numbers) in (int(Fraction(rate)), int(Fraction(rate)) + 1)
