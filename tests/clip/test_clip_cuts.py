from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from clip_media import HEIGHT, WIDTH, numbered

from vdepth_core.clip.cuts import CutDetector

WHITE = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)


def scene(seed: int, count: int, speed: float = 1.0) -> list[np.ndarray]:
    return [numbered(0, seed, shift=speed * k) for k in range(count)]


def cuts(
    pictures: Iterable[np.ndarray], rate: Fraction = Fraction(24), times: Sequence[Fraction] | None = None
) -> list[int]:
    detector = CutDetector(rate)
    found: list[int] = []
    for index, picture in enumerate(pictures):
        settled = detector.settled
        new = detector.push(index, times[index] if times else index / rate, picture)
        assert all(cut >= settled for cut in new)
        found += new
    return found + detector.flush()


@pytest.mark.parametrize("rate", [24, 25, Fraction(30000, 1001), 50, 60, 120])
def test_a_flash_shorter_than_a_quarter_second_is_no_shot_at_any_rate(rate: Fraction) -> None:
    rate = Fraction(rate)
    longest, around = int(rate / 4), scene(1, int(rate), 24 / rate)
    for length in {1, 2, 3, 6, longest // 2, longest - 1, longest} - {0}:
        if length <= longest:
            assert cuts([*around, *[WHITE] * length, *around], rate) == [], length


@pytest.mark.parametrize("rate", [24, 60])
def test_what_lasts_longer_is_a_shot(rate: int) -> None:
    length, around = rate // 4 + 2, scene(1, rate)
    for middle in ([WHITE] * length, scene(3, length)):
        found = cuts([*around, *middle, *around], Fraction(rate))
        assert found == [rate, rate + length]


def test_flashes_that_follow_each_other_and_moving_ones_are_no_cuts() -> None:
    strobe = [WHITE, WHITE, *scene(1, 3)] * 6
    assert cuts([*scene(1, 24), *strobe, *scene(1, 24)]) == []
    moving = scene(5, 60, 2.0)
    for index in range(24, 29):  # a photographer's flash over a pan
        moving[index] = np.clip(moving[index].astype(int) // 4 + 190, 0, 255).astype(np.uint8)
    assert cuts(moving) == []


def test_time_counts_where_the_rate_varies() -> None:
    pictures = [*scene(1, 20, 0), WHITE, WHITE, *scene(1, 20, 0)]
    slow = [Fraction(k, 24) for k in range(20)]
    slow += [slow[-1] + Fraction(k, 2) for k in range(1, 3)]  # each white frame stands half a second
    slow += [slow[-1] + Fraction(1, 2) + Fraction(k, 24) for k in range(20)]
    assert cuts(pictures) == []
    assert 20 in cuts(pictures, times=slow)


def test_pans_and_steady_pictures_are_no_cuts() -> None:
    assert cuts(scene(4, 60, speed=6.0)) == []
    assert cuts([*scene(1, 20, 0.5), *scene(1, 20, 6.0)]) == []


def test_cut_after_a_flash_is_still_found() -> None:
    assert cuts([*scene(1, 20, 0), WHITE, *scene(1, 9, 0), *scene(2, 20, 0)]) == [30]


def test_cuts_near_the_end_and_quick_cutting_are_found() -> None:
    assert cuts([*scene(1, 20), *scene(2, 3)]) == [20]
    assert cuts([*scene(1, 20), *scene(2, 8), *scene(3, 8), *scene(4, 20)]) == [20, 28, 36]


def test_slow_rates_keep_their_shots() -> None:
    assert cuts([*scene(1, 5, 0), *scene(2, 5, 0), *scene(1, 5, 0)], Fraction(2)) == [5, 10]
    assert cuts([*scene(1, 5, 0), WHITE, *scene(1, 5, 0)], Fraction(2)) == []
