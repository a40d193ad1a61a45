from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from vdepth_core.clip.timing import (
    Timecode,
    Timeline,
    can_drop,
    cfr_numbers,
    cfr_span,
    is_regular,
    last_duration,
    nominal_rate,
    parse_range,
    parse_rate,
    parse_timecode,
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


@pytest.mark.parametrize("base", [24, 30, 48, 60, 120, 240])
def test_ntsc_rates_are_a_thousandth_slow(base: int) -> None:
    exact = Fraction(base * 1000, 1001)
    assert nominal_rate(Fraction(round(exact * 1000), 1000)) == exact  # as containers print it: 23.976
    assert nominal_rate(Fraction(base)) == base
    for error, known in ((19, True), (21, False)):
        for sign in (1, -1):
            rate = exact * (1 + sign * Fraction(error, 1_000_000))
            assert nominal_rate(rate) == (exact if known else rate)


@pytest.mark.parametrize(("rate", "defined"), [(24, False), (30, True), (48, False), (60, True), (120, True)])
def test_drop_frame_is_defined_for_multiples_of_thirty_thousand_and_one(rate: int, defined: bool) -> None:
    assert can_drop(Fraction(rate * 1000, 1001)) is defined
    assert not can_drop(Fraction(rate))
    one_minute = Timecode(0, 0, 0, 0, True).advance(60 * rate, Fraction(rate * 1000, 1001))
    assert one_minute == Timecode(0, 1, 0, rate // 15 if defined else 0, True)
    assert Timecode(0, 0, 59, rate - 1).advance(1, Fraction(rate * 1000, 1001)) == Timecode(0, 1, 0, 0)


@pytest.mark.parametrize(
    ("text", "rate"),
    [(" 24 ", 24), ("23.976", Fraction(23976, 1000)), ("24000/1001", Fraction(24000, 1001)), ("1000", 1000)],
)
def test_rates_as_users_write_them(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-24", "1000.001", "24/0", "24/1001/2", "1e3", "fast", "1" * 10])
def test_not_a_rate(text: str) -> None:
    with pytest.raises(UsageError, match="no frame rate"):
        parse_rate(text)


def test_limits_of_a_timecode() -> None:
    assert parse_timecode("23:59:59:29") == Timecode(23, 59, 59, 29)
    assert parse_timecode("23:59:59.29").drop_frame
    assert parse_timecode("1:00:00;00") == Timecode(1, 0, 0, 0, True)
    assert not parse_timecode("01:00:00:00").drop_frame
    for text in ("24:00:00:00", "00:60:00:00", "00:00:60:00"):
        with pytest.raises(UsageError, match="not a timecode"):
            parse_timecode(text)
    # a frame that the rate does not have counts as the last one
    assert Timecode(0, 0, 0, 99).advance(1, Fraction(24)) == Timecode(0, 0, 1, 0)


def test_a_day_of_drop_frame_is_exactly_as_long_as_its_numbers() -> None:
    for rate, base, dropped in ((NTSC, 30, 2), (2 * NTSC, 60, 4), (4 * NTSC, 120, 8)):
        day = 24 * 6 * (600 * base - 9 * dropped)
        start = Timecode(13, 37, 5, 7, True)
        assert start.advance(day, rate) == start
        assert start.advance(day - 1, rate).advance(1, rate) == start
        assert Timecode(0, 0, 0, 0, True).advance(day - 1, rate) == Timecode(23, 59, 59, base - 1, True)


def test_pairs_are_counted_where_the_counter_is_slower_than_the_clip() -> None:
    code = Timecode(1, 2, 3, 14)
    assert code.count_every_frame(30, Fraction(60)) == Timecode(1, 2, 3, 28)
    assert code.count_every_frame(30, 4 * NTSC) == Timecode(1, 2, 3, 56)
    assert code.count_every_frame(30, NTSC) == code
    assert code.count_every_frame(25, Fraction(12)) == code


def test_ranges_touch_both_ends_of_the_clip() -> None:
    assert parse_range("10-29", first_number=10, frames=20) == (0, 20)
    assert parse_range("-3--1", first_number=-3, frames=3) == (0, 3)
    assert parse_range("5") == (5, 6)
    with pytest.raises(UsageError, match="last frame, 29"):
        parse_range("30", first_number=10, frames=20)
    with pytest.raises(UsageError, match="first frame, 0"):
        parse_range("-1")


def test_the_last_picture_lasts_as_long_as_the_middle_gap() -> None:
    times = [Fraction(0), Fraction(1), Fraction(3), Fraction(7)]  # gaps 1, 2, 4
    assert last_duration(times, Fraction(9)) == 2
    assert last_duration(times[:3], Fraction(9)) == 2  # of two the longer
    assert last_duration(times[:2], Fraction(9)) == 1
    assert last_duration(times[:1], Fraction(9)) == 9
    assert cfr_numbers(times[:2], Fraction(2)) == [0, 0, 1, 1]
    assert cfr_numbers(times[:1], Fraction(2)) == [0]


def test_regular_up_to_a_nine_hundredth_of_a_second() -> None:
    for error, regular in ((Fraction(1, 900), True), (Fraction(1, 899), False)):
        for sign in (1, -1):
            times = [Fraction(0), Fraction(1, 25), Fraction(2, 25) + sign * error]
            assert is_regular(times, Fraction(25)) is regular
    assert is_regular([Fraction(0), Fraction(1)], Fraction(2), tolerance=Fraction(1, 2))


def test_a_timeline_goes_on_where_another_ended() -> None:
    whole = Timeline(Fraction(1, 100), Fraction(25))
    assert whole.origin == 0
    placed = [whole.place(pts) for pts in (10, 14, None, 22)]
    assert placed == [(0, 10), (Fraction(4, 100), 14), (Fraction(8, 100), 18), (Fraction(12, 100), 22)]
    assert whole.origin == 10
    rest = Timeline(Fraction(1, 100), Fraction(25))
    rest.go_on_after(10, Fraction(4, 100))
    assert [rest.place(pts) for pts in (None, 22)] == placed[2:]
    assert (rest.repaired, rest.origin) == (1, 10)
    nameless = Timeline(Fraction(1, 100), Fraction(25))
    assert nameless.place(None) == (0, 0)
    assert nameless.repaired == 1
    assert nameless.place(8) == (Fraction(8, 100), 8)


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
