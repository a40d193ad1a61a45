"""Steps of a full-size map become steep on the plate's edges; slopes, noise, surfaces and holes stay."""

import tracemalloc

import cv2
import numpy as np
import pytest

from vdepth_core.output.sharpen import REACH, reach_of, sharpened

SPAN = 10.0


def crisped(values, span, reach=REACH):
    """In front of a plate of one colour."""
    return sharpened(values, np.full((*values.shape, 3), 128, np.uint8), span, reach)


def ramp(width, low=2.0, high=5.0, size=(40, 60), at=30):
    """A soft step, ``width`` pixels wide."""
    share = np.clip((np.arange(size[1]) - at) / width + 0.5, 0, 1)
    return (low + (high - low) * share)[None].repeat(size[0], 0).astype(np.float32)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", [3, 5])
def test_a_soft_step_becomes_steep_and_stays_where_it_is(width, turned):
    soft = ramp(width)
    found = crisped(np.ascontiguousarray(soft.T), SPAN).T if turned else crisped(soft, SPAN)
    between = (found > 2.2) & (found < 4.8)
    assert between.sum(axis=1).max() <= width - 2
    assert abs(found.mean() - soft.mean()) < 0.02
    np.testing.assert_array_equal(found[:, :20], 2)
    np.testing.assert_array_equal(found[:, 40:], 5)


def test_what_is_soft_over_more_than_the_pixels_of_the_map_stays_soft():
    assert [reach_of(grain) for grain in (0.5, 1, 1.4, 2, 4)] == [1, 2, 3, 4, 9]
    wide, narrow = ramp(9), ramp(3)
    near = reach_of(0.7)
    assert np.abs(crisped(wide, SPAN, near) - wide).max() < 0.2 < np.abs(crisped(wide, SPAN) - wide).max()
    between = (crisped(narrow, SPAN, near) > 2.2) & (crisped(narrow, SPAN, near) < 4.8)
    assert between.sum(axis=1).max() <= 1


def test_a_small_step_counts_as_a_large_one_but_noise_does_not():
    small = crisped(ramp(4, 2, 2.3), SPAN)
    large = crisped(ramp(4, 2, 8), SPAN)
    np.testing.assert_allclose((small - 2) / 0.3, (large - 2) / 6, atol=1e-4)
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
    monkeypatch.setattr("vdepth_core.output.sharpen._ROWS", 17)
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
    rgb = np.full((4000, 400, 3), 128, np.uint8)
    tracemalloc.start()
    try:
        found = sharpened(values, rgb, SPAN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.8 * found.nbytes


def plate(at, size=(80, 120), grain=0, seed=0):
    """Dark and textured left of column ``at``, bright and textured right of it."""
    rng = np.random.default_rng(seed)
    dark, bright = rng.integers(30, 80, (*size, 3)), rng.integers(150, 200, (*size, 3))
    picture = np.where(np.arange(size[1])[None, :, None] < at, dark, bright)
    return np.clip(picture + rng.normal(0, grain, picture.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("off", [-4, 0, 4])
def test_a_soft_step_beside_an_edge_of_the_plate_moves_onto_it(off, turned):
    soft, rgb = ramp(12, size=(80, 120), at=60 + off), plate(60)
    if turned:
        found = sharpened(np.ascontiguousarray(soft.T), rgb.transpose(1, 0, 2).copy(), SPAN).T
    else:
        found = sharpened(soft, rgb, SPAN)
    before, after = soft[20:60], found[20:60]
    truth = np.where(np.arange(120) < 60, 2, 5)
    assert np.abs(after - truth).mean() < 0.35 * np.abs(before - truth).mean()
    assert ((after > 2.6) & (after < 4.4)).sum(axis=1).mean() <= 2
    assert (after[:, :59] < 2.6).mean() > 0.98
    assert (after[:, 61:] > 4.4).mean() > 0.98


@pytest.mark.parametrize("slope", [0.02, 0.05])
def test_the_surfaces_beside_a_step_keep_their_slope(slope):
    """The least value around would be a dark seam on the far side, the largest a bright one on the near."""
    x = np.arange(120, dtype=np.float32)
    soft = ramp(8, size=(80, 120), at=60) + slope * x
    found = sharpened(soft, plate(60), SPAN)
    beside = np.r_[40:52, 69:80]
    assert np.abs(found - soft)[20:60, beside].max() < 0.3 * REACH * slope


def test_texture_is_not_copied_on_a_surface():
    """However strong: on slopes and curves, and beside a step beyond its reach."""
    y, x = np.mgrid[0:90, 0:140].astype(np.float32)
    rgb = np.random.default_rng(4).integers(0, 256, (90, 140, 3)).astype(np.uint8)
    rgb[:, 50:70] = 255
    plane = 2 + 0.03 * x + 0.01 * y
    np.testing.assert_allclose(sharpened(plane, rgb, SPAN), plane, atol=1e-4)
    curved = 4 + 2 * np.sin(x / 40) + np.cos(y / 30)
    np.testing.assert_allclose(sharpened(curved, rgb, SPAN), curved, atol=1e-4)
    stepped = plane + 3 * (x > 100)
    away = np.abs(x - 100.5) > 2 * REACH + 1
    np.testing.assert_allclose(sharpened(stepped, rgb, SPAN)[away], stepped[away], atol=1e-4)


def test_no_value_leaves_its_surroundings_whatever_the_plate():
    rng = np.random.default_rng(5)
    values = cv2.resize(rng.uniform(0, SPAN, (9, 12)).astype(np.float32), (80, 60))
    rgb = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    found, window = sharpened(values, rgb, SPAN), np.ones((2 * REACH + 1,) * 2, np.uint8)
    assert (found >= cv2.erode(values, window) - 1e-4).all()
    assert (found <= cv2.dilate(values, window) + 1e-4).all()


def test_strips_and_portions_do_not_show_before_a_plate(monkeypatch):
    soft, rgb = ramp(16, size=(200, 120), at=57), plate(60, size=(200, 120))
    whole = sharpened(soft, rgb, SPAN)
    monkeypatch.setattr("vdepth_core.output.sharpen._ROWS", 13)
    monkeypatch.setattr("vdepth_core.output.sharpen._PIXELS", 999)
    np.testing.assert_array_equal(sharpened(soft, rgb, SPAN), whole)


def test_grain_of_the_plate_does_not_move_edges():
    """A still camera, every frame with grain and an estimate of its own: no more flicker than before."""
    before, after = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        soft = ramp(16, size=(80, 120), at=57)
        soft += cv2.GaussianBlur(rng.normal(0, 0.3, soft.shape).astype(np.float32), (0, 0), 4)
        rgb = np.clip(plate(60).astype(float) + rng.normal(0, 6, (80, 120, 3)), 0, 255).astype(np.uint8)
        before.append(soft)
        after.append(sharpened(soft, rgb, SPAN))
    was, now = (np.abs(np.diff(frames, axis=0)).mean() for frames in (before, after))
    assert now <= was


def test_the_unit_of_disparity_does_not_matter():
    soft, rgb = ramp(16, size=(80, 120), at=57), plate(60)
    whole = sharpened(soft, rgb, SPAN)
    np.testing.assert_allclose(sharpened(1000 * soft, rgb, 1000 * SPAN) / 1000, whole, atol=1e-3)
