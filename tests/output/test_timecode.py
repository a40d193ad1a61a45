"""Time codes count like a deck does."""

from fractions import Fraction

import pytest

from vdepth_core.clip.smpte import TimeCode
from vdepth_core.output.timecode import timecode_at

NTSC, NTSC60 = Fraction(30000, 1001), Fraction(60000, 1001)


def counted(base, drop, frames):
    """Time codes one after the other, skipping dropped numbers the slow and obvious way."""
    h = m = s = f = 0
    for _ in range(frames):
        yield h, m, s, f
        f += 1
        if f == base:
            f, s = 0, s + 1
        if s == 60:
            s, m = 0, m + 1
            if m % 10:
                f = drop
        if m == 60:
            m, h = 0, h + 1


@pytest.mark.parametrize(
    ("rate", "start", "base", "drop"),
    [
        (NTSC, "00:00:00;00", 30, 2),
        (NTSC60, "00:00:00;00", 60, 4),
        (NTSC, "00:00:00:00", 30, 0),
        (Fraction(24000, 1001), "00:00:00:00", 24, 0),
        (Fraction(25), "00:00:00:00", 25, 0),
        (Fraction(50), "00:00:00:00", 50, 0),
    ],
)
def test_every_frame_of_twenty_one_minutes(rate, start, base, drop):
    pairs = 2 if base > 30 else 1
    for index, (h, m, s, f) in enumerate(counted(base, drop, 21 * 60 * base)):
        if index % 7 and s not in (0, 59):
            continue
        wanted = TimeCode(h, m, s, f // pairs, bool(drop), bool(pairs == 2 and f % 2))
        assert timecode_at(start, rate, index) == wanted


def test_starts_in_mid_minute_and_wraps_at_midnight():
    assert str(timecode_at("00:00:59;29", NTSC, 1)) == "00:01:00;02"
    assert str(timecode_at("00:09:59;29", NTSC, 1)) == "00:10:00;00"
    assert str(timecode_at("23:59:59:23", Fraction(24), 1)) == "00:00:00:00"
    assert str(timecode_at("23:59:59;29", NTSC, 1)) == "00:00:00;00"
    assert str(timecode_at("10:00:00:00", Fraction(24), 24 * 3600 * 2)) == "12:00:00:00"


@pytest.mark.parametrize("start", ["", "abc", "1:2:3", "01:00:00"])
def test_no_time_code_is_none(start):
    assert timecode_at(start, Fraction(24), 0) is None


@pytest.mark.parametrize(
    ("rate", "has"),
    [
        (Fraction(1, 3), False),
        (Fraction(1), True),
        (Fraction(60), True),
        (NTSC60, True),
        (Fraction(61), False),
    ],
)
def test_rates_without_time_code(rate, has):
    assert (timecode_at("01:00:00:00", rate, 0) is not None) is has


def test_a_frames_own_code_stays_as_it_is():
    assert timecode_at("23:59:59;29", NTSC, None) == TimeCode(23, 59, 59, 29, drop_frame=True)
    assert timecode_at("01:00:00;10", Fraction(24), None) == TimeCode(1, 0, 0, 10, drop_frame=True)
    assert timecode_at("01:00:00:39", Fraction(24), None) == TimeCode(1, 0, 0, 39)
    assert timecode_at("01:00:00:40", Fraction(24), None) is None  # the field has two digits up to 39
    assert timecode_at("01:00:00:59", Fraction(60), None) == TimeCode(1, 0, 0, 29, field=True)


def test_a_separator_for_drop_frame_means_nothing_at_other_rates():
    assert timecode_at("01:00:00;00", Fraction(25), 0) == TimeCode(1, 0, 0, 0)
