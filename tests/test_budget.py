from __future__ import annotations

import pytest

from vdepth_core.budget import MB, at_most, give_back


@pytest.mark.parametrize(
    ("count", "each", "budget", "expected"),
    [(4, 6 * MB, 128 * MB, 4), (4, 40 * MB, 128 * MB, 3), (4, 500 * MB, 128 * MB, 1), (4, 0, 128 * MB, 4)],
)
def test_bytes_bound_a_count_and_one_always_fits(count: int, each: int, budget: int, expected: int) -> None:
    assert at_most(count, each, budget) == expected


def test_giving_back_leaves_what_is_in_use() -> None:
    kept = bytes(range(256)) * 1000
    give_back()
    assert kept == bytes(range(256)) * 1000
