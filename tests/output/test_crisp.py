"""Steps of a full-size map become one pixel wide where they are; slopes, noise and holes stay."""

import tracemalloc

import numpy as np
import pytest

from vdepth_core.output.crisp import REACH, crisped, reach_of

SPAN = 10.0


def ramp(width, low=2.0, high=5.0, size=(40, 60), at=30):
    """A soft step, ``width`` pixels wide."""
    share = np.clip((np.arange(size[1]) - at) / width + 0.5, 0, 1)
    return (low + (high - low) * share)[None].repeat(size[0], 0).astype(np.float32)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", [3, 5])
def test_a_soft_step_becomes_steep_and_stays_where_it_is(width, turned):
    soft = ramp(width)
    found = crisped(np.ascontiguousarray(soft.T), SPAN).T if turned else crisped(soft, SPAN)
    between = (found > 2.05) & (found < 4.95)
    assert between.sum(axis=1).max() <= width - 2
    assert abs(found.mean() - soft.mean()) < 0.02
    np.testing.assert_array_equal(found[:, :20], 2)
    np.testing.assert_array_equal(found[:, 40:], 5)


def test_what_is_soft_over_more_than_the_pixels_of_the_map_stays_soft():
    assert [reach_of(grain) for grain in (0.5, 1, 1.4, 2, 4)] == [1, 2, 2, 3, 4]
    wide, narrow = ramp(9), ramp(3)
    near = reach_of(1.4)
    assert np.abs(crisped(wide, SPAN, near) - wide).max() < 0.2 < np.abs(crisped(wide, SPAN) - wide).max()
    between = (crisped(narrow, SPAN, near) > 2.05) & (crisped(narrow, SPAN, near) < 4.95)
    assert between.sum(axis=1).max() <= 1


def test_a_small_step_counts_as_a_large_one_but_noise_does_not():
    small = crisped(ramp(4, 2, 2.1), SPAN)
    large = crisped(ramp(4, 2, 8), SPAN)
    np.testing.assert_allclose((small - 2) / 0.1, (large - 2) / 6, atol=1e-4)
    noise = np.random.default_rng(0).normal(3, 0.002, (40, 60)).astype(np.float32)
    np.testing.assert_array_equal(crisped(noise, SPAN), noise)


@pytest.mark.parametrize("axis", [0, 1])
def test_slopes_stay_to_the_border(axis):
    slope = np.linspace(1, 9, 60, dtype=np.float32)
    slope = np.ascontiguousarray(np.broadcast_to(slope if axis else slope[:, None], (60, 60)))
    np.testing.assert_allclose(crisped(slope, SPAN), slope, atol=1e-4)


def test_no_value_leaves_its_surroundings():
    rng = np.random.default_rng(1)
    values = rng.uniform(0, SPAN, (50, 70)).astype(np.float32)
    found = crisped(values, SPAN)
    for y, x in rng.integers(0, 50, (200, 2)):
        around = values[max(0, y - REACH) : y + REACH + 1, max(0, x - REACH) : x + REACH + 1]
        assert around.min() - 1e-4 <= found[y, x] <= around.max() + 1e-4


def test_strips_do_not_show(monkeypatch):
    values = np.random.default_rng(2).uniform(0, SPAN, (300, 40)).astype(np.float32)
    whole = crisped(values, SPAN)
    monkeypatch.setattr("vdepth_core.output.crisp._ROWS", 17)
    np.testing.assert_array_equal(crisped(values, SPAN), whole)


def test_holes_stay_holes():
    values = ramp(4)
    values[10:14, 28:33] = np.nan
    found = crisped(values, SPAN)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    np.testing.assert_array_equal(found[30:], crisped(ramp(4), SPAN)[30:])
    assert np.isnan(crisped(np.full((9, 9), np.nan, np.float32), SPAN)).all()


def test_a_large_map_takes_little_beside_the_result():
    values = np.random.default_rng(3).uniform(0, SPAN, (4000, 400)).astype(np.float32)
    tracemalloc.start()
    try:
        found = crisped(values, SPAN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.8 * found.nbytes
