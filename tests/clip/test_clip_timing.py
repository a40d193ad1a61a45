from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from vdepth_core.clip.timing import (
    Timecode,
    Timeline,
    cfr_numbers,
    cfr_span,
    is_regular,
    last_duration,
    nominal_rate,
    parse_range,
)
from vdepth_core.errors import UsageError

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("text", "first", "expected"),
    [
        ("0-9", 0, (0, 10)),
        ("7", 0, (7, 8)),
        ("1001-1010", 1001, (0, 10)),
        (" 5 - 6 ", 5, (0, 2)),
        ("2..4", 0, (2, 5)),
    ],
)
def test_range_is_inclusive_in_the_clips_own_numbers(
    text: str, first: int, expected: tuple[int, int]
) -> None:
    assert parse_range(text, first) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a-b", "not a frame range"),
        ("9-3", "runs backwards"),
        ("0-5", "first frame, 10"),
        ("10-99", "last frame, 29"),
    ],
)
def test_bad_ranges_are_explained(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_range(text, first_number=10, frames=20)


@pytest.mark.parametrize(("rate", "base", "dropped"), [(NTSC, 30, 2), (2 * NTSC, 60, 4)])
def test_drop_frame_agrees_with_counting_every_frame(rate: Fraction, base: int, dropped: int) -> None:
    # The slow reference: run through 21 minutes of numbers and leave out those SMPTE 12M leaves out.
    numbers = [
        (minute, second, frame)
        for minute in range(21)
        for second in range(60)
        for frame in range(base)
        if not (minute % 10 and second == 0 and frame < dropped)
    ]
    start = Timecode(1, 0, 0, 0, drop_frame=True)
    for count in [*range(0, len(numbers), 97), *range(base * 60 - 3, base * 60 + 3), len(numbers) - 1]:
        code = start.advance(count, rate)
        assert (code.minutes, code.seconds, code.frame) == numbers[count]
        assert code.drop_frame


def test_timecode_known_values() -> None:
    assert str(Timecode.parse("00:00:59;29").advance(1, NTSC)) == "00:01:00;02"
    assert str(Timecode.parse("00:09:59;29").advance(1, NTSC)) == "00:10:00;00"
    assert str(Timecode.parse("00:00:59:29").advance(1, NTSC)) == "00:01:00:00"
    assert str(Timecode.parse("23:59:59:23").advance(1, Fraction(24000, 1001))) == "00:00:00:00"
    assert str(Timecode.parse("23:59:59;29").advance(1, NTSC)) == "00:00:00;00"
    assert Timecode.parse("01:02:03:04").advance(0, Fraction(25)) == Timecode(1, 2, 3, 4)


@pytest.mark.parametrize("text", ["", "1:2", "25:00:00:00", "00:61:00:00", "tomorrow"])
def test_not_a_timecode(text: str) -> None:
    with pytest.raises(ValueError, match="not a timecode"):
        Timecode.parse(text)


@pytest.mark.parametrize("rate", [Fraction(24), NTSC, Fraction(12), Fraction(120)])
def test_constant_rate_shows_the_last_picture_not_later(rate: Fraction) -> None:
    gaps = [Fraction(k, 1000) for k in (33, 34, 100, 5, 5, 5, 66, 167, 33, 1, 40)]
    times = [sum(gaps[:k], Fraction(0)) for k in range(len(gaps) + 1)]
    numbers = cfr_numbers(times, rate)
    for k, shown in enumerate(numbers):
        assert shown == max(index for index, time in enumerate(times) if time <= k / rate)
    assert len(numbers) == len(range(len(numbers)))
    assert len(numbers) / rate >= times[-1] + last_duration(times, 1 / rate) - 1 / rate


def test_spans_adjoin_without_hole_or_overlap() -> None:
    times = [Fraction(k * k, 700) for k in range(30)]
    spans = [cfr_span(a, b, NTSC) for a, b in pairwise(times)]
    assert [k for span in spans for k in span] == list(range(spans[-1].stop))


def test_constant_rate_of_a_constant_rate_is_identity() -> None:
    times = [k / NTSC for k in range(100)]
    assert cfr_numbers(times, NTSC) == list(range(100))
    assert cfr_numbers([Fraction(0)], NTSC) == [0]
    assert cfr_numbers([], NTSC) == []


def test_regularity_allows_rounded_timestamps_only() -> None:
    rounded = [Fraction(round(1000 * k / NTSC), 1000) for k in range(50)]
    assert is_regular(rounded, NTSC)
    assert not is_regular([*rounded[:10], *rounded[11:]], NTSC)


def test_rounded_rates_become_exact() -> None:
    assert nominal_rate(Fraction(2997, 100)) == NTSC
    assert nominal_rate(Fraction(23976, 1000)) == Fraction(24000, 1001)
    assert nominal_rate(Fraction(25)) == 25
    assert nominal_rate(Fraction(30)) == 30


def test_timeline_repairs_only_what_is_wrong() -> None:
    timeline = Timeline(Fraction(1, 100), Fraction(25))
    placed = [timeline.place(pts)[0] for pts in (10, 14, 14, None, 30, 20, 50)]
    expected = [
        0,
        Fraction(4, 100),
        Fraction(8, 100),
        Fraction(12, 100),
        Fraction(20, 100),
        Fraction(24, 100),
    ]
    assert placed == [*expected, Fraction(40, 100)]
    assert timeline.repaired == 3
    assert all(one < other for one, other in pairwise(placed))
