"""Up-sampling moves depth edges onto picture edges, and leaves everything else alone."""

import tracemalloc

import cv2
import numpy as np
import pytest
from PIL import Image

from vdepth_core.output.upsample import (
    _LINEAR,
    Upsampler,
    _apply,
    _linear_model,
    _smooth_resize,
    _spans,
    beyond,
    resize_surface,
    smoothed,
    smoothstep,
)

LINEAR = cv2.INTER_LINEAR


def texture(height, width, seed=0, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (height, width, 3)).astype(np.uint8)


def card(height=180, width=320, left=101, top=47):
    """A plate with a card whose edges lie off the map's grid, and the true disparity."""
    rgb = texture(height, width, 1, 40, 70)
    rgb[top:150, left:243] = texture(150 - top, 243 - left, 2, 150, 190)
    truth = np.full((height, width), 0.2, np.float32)
    truth[top:150, left:243] = 0.8
    return rgb, truth


def seen(truth, shift=0):
    """What a network makes of it: low resolution, blurred, a little misplaced."""
    moved = np.roll(truth, shift, axis=1)
    return cv2.GaussianBlur(cv2.resize(moved, (80, 45), interpolation=cv2.INTER_AREA), (0, 0), 1.0)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_plane_stays_a_plane_up_to_the_border_whatever_the_texture(axis):
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    p = np.tile(ramp, (48, 1)) if axis else np.tile(ramp[:48, None], (1, 64))
    out = Upsampler(1.0)(p, texture(192, 256))
    # pixel centres at +0.5: the middle of a plane stays where it is, and it goes on straight beyond the map
    step = ramp[1] / 4
    profile = (np.arange(256 if axis else 192) + 0.5) * step - ramp[1] / 2
    plane = np.broadcast_to(profile if axis else profile[:, None], (192, 256))
    np.testing.assert_allclose(out, plane, atol=1e-5)
    # not even a picture that brightens along the slope makes stairs of it
    shaded = np.repeat((np.clip(plane, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    np.testing.assert_allclose(Upsampler(1.0)(p, shaded)[16:-16, 16:-16], plane[16:-16, 16:-16], atol=2e-3)


def test_a_curved_surface_has_no_grid():
    """Bilinear interpolation bends at every pixel of the map, and nowhere between."""
    y, x = np.mgrid[0:60, 0:80].astype(np.float32)
    p = 0.5 + 0.02 * np.sin(x / 9) + 0.02 * np.cos(y / 7)
    out = Upsampler(1.0)(p, texture(240, 320))
    bends = np.abs(np.diff(out[120].astype(np.float64), 2))[8:-8]
    linear = cv2.resize(p, (320, 240), interpolation=LINEAR)
    facets = np.abs(np.diff(linear[120].astype(np.float64), 2))[8:-8]
    assert bends.max() < 0.6 * facets.max()


@pytest.mark.parametrize("shift", [0, 3, -3])
def test_edges_snap_to_the_picture(shift):
    rgb, truth = card()
    p = seen(truth, shift)
    out = Upsampler(0.6)(p, rgb)
    linear = cv2.resize(p, (320, 180), interpolation=LINEAR)
    near_edge = cv2.dilate(cv2.Laplacian(truth, cv2.CV_32F).__abs__(), np.ones((17, 17))) > 0.1
    ours, theirs = np.abs(out - truth)[near_edge].mean(), np.abs(linear - truth)[near_edge].mean()
    assert ours < 0.3 * theirs
    # the transition itself is sharp: two pixels around the card's left edge
    assert out[90:110, 98].max() < 0.35
    assert out[90:110, 104].min() > 0.65


def test_texture_away_from_steps_is_not_copied():
    rgb, truth = card()
    p = seen(truth)
    out = Upsampler(0.6)(p, rgb)
    linear = cv2.resize(p, (320, 180), interpolation=LINEAR)
    away = cv2.dilate(cv2.morphologyEx(truth, cv2.MORPH_GRADIENT, np.ones((3, 3))), np.ones((41, 41))) == 0
    assert away.sum() > 5000
    np.testing.assert_allclose(out[away], linear[away], atol=2e-6)  # the blur's tail, cubic against linear


def test_without_an_edge_in_the_picture_the_map_decides():
    _, truth = card()
    grey = np.full((180, 320, 3), 128, np.uint8)
    p = seen(truth)
    linear = cv2.resize(p, (320, 180), interpolation=LINEAR)
    np.testing.assert_allclose(Upsampler(0.6)(p, grey), linear, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_leaves_the_local_range(seed):
    p = np.random.default_rng(seed).random((20, 30), np.float32)
    out = Upsampler(0.5)(p, texture(73, 111, seed))
    envelope = [
        cv2.resize(f(p, np.ones((7, 7), np.uint8)), (111, 73), interpolation=cv2.INTER_NEAREST)
        for f in (cv2.erode, cv2.dilate)
    ]
    assert (out >= envelope[0] - 1e-6).all()
    assert (out <= envelope[1] + 1e-6).all()


@pytest.mark.parametrize("small", [(1, 1), (1, 7), (7, 1), (5, 9), (32, 57)])
@pytest.mark.parametrize("large", [(1, 1), (1, 33), (33, 1), (31, 57), (101, 77)])
def test_any_size_to_any_size(small, large):
    p = np.random.default_rng(0).random(small, np.float32)
    out = Upsampler(1.0)(p, texture(*large))
    assert out.shape == large
    assert out.dtype == np.float32
    assert p.min() - 1e-6 <= out.min() <= out.max() <= p.max() + 1e-6


def test_a_smaller_plate_gets_area_averages_and_the_same_size_the_same_values():
    p = np.random.default_rng(0).random((60, 80), np.float32)
    out = Upsampler(1.0)(p, texture(30, 40))
    np.testing.assert_allclose(out, p.reshape(30, 2, 40, 2).mean((1, 3)), rtol=1e-5)
    low, narrow = Upsampler(1.0)(p, texture(30, 80)), Upsampler(1.0)(p, texture(60, 40))
    np.testing.assert_allclose(low, p.reshape(30, 2, 80).mean(1), rtol=1e-5)
    np.testing.assert_allclose(narrow, p.reshape(60, 40, 2).mean(2), rtol=1e-5)
    same = Upsampler(1.0)(p, texture(60, 80))
    np.testing.assert_array_equal(same, p)
    assert same is not p


def test_holes_stay_holes_and_do_not_spread():
    rgb, truth = card()
    p = seen(truth)
    whole = Upsampler(0.6)(p, rgb)
    p[:6, 60:] = np.nan
    p[0, 0] = np.inf
    out = Upsampler(0.6)(p, rgb)
    hole = ~np.isfinite(out)
    assert hole[:24, 240:].all()
    assert hole.sum() == 24 * 80 + 16
    np.testing.assert_allclose(out[60:], whole[60:], atol=1e-6)


def test_the_colour_model_agrees_with_least_squares_window_by_window():
    """He 2013, eq. 19: ridge regression in every window of 9 x 9, coefficients averaged over the windows."""
    rng = np.random.default_rng(3)
    guide = rng.integers(0, 256, (14, 16, 3)).astype(np.uint8)
    p = (guide @ [0.001, 0.002, -0.001] + rng.normal(0, 0.03, (14, 16))).astype(np.float32)
    colour = np.pad(guide / 255, ((4, 4), (4, 4), (0, 0)), mode="symmetric")
    value = np.pad(p.astype(np.float64), 4, mode="symmetric")
    slopes, offsets, explained = np.empty((14, 16, 3)), np.empty((14, 16)), np.empty((14, 16))
    for y in range(14):
        for x in range(16):
            c, v = colour[y : y + 9, x : x + 9].reshape(-1, 3), value[y : y + 9, x : x + 9].ravel()
            covariance = np.cov(c.T, bias=True) + 1e-3 * np.eye(3)
            with_value = (c - c.mean(axis=0)).T @ (v - v.mean()) / 81
            slopes[y, x] = np.linalg.solve(covariance, with_value)
            offsets[y, x] = v.mean() - slopes[y, x] @ c.mean(axis=0)
            explained[y, x] = slopes[y, x] @ with_value / (v.var() + 1e-7)

    def mean(of):
        return cv2.boxFilter(of.astype(np.float32), -1, (9, 9), borderType=cv2.BORDER_REFLECT)

    a, b, trust = _linear_model(guide, p)
    for channel in range(3):
        np.testing.assert_allclose(a[channel], mean(slopes[..., channel]) / 255, atol=2e-6)
    np.testing.assert_allclose(b, mean(offsets), atol=2e-4)
    np.testing.assert_allclose(trust, mean(explained), atol=1e-3)
    model = np.dstack([*a, b]).astype(np.float32)
    wanted = (model[..., :3] * guide).sum(axis=2) + b
    np.testing.assert_allclose(_apply([*np.moveaxis(model, 2, 0)], guide), wanted, atol=1e-5)


def test_a_smooth_step_is_the_cubic_one():
    values = np.float32([[0, 0.25, 0.375, 0.5, 0.75, 1]])
    t = np.clip((values - 0.25) / 0.5, 0, 1)
    np.testing.assert_allclose(smoothstep(values, 0.25, 0.75), 3 * t**2 - 2 * t**3, atol=1e-6)


def test_beyond_its_border_a_map_goes_on_straight():
    p = np.float32([[1, 2, 4], [1, 3, 9]])
    out = beyond(p, 2)
    assert out.shape == (6, 7)
    np.testing.assert_array_equal(out[2:4, 2:5], p)
    np.testing.assert_array_equal(out[2], [-1, 0, 1, 2, 4, 6, 8])
    np.testing.assert_array_equal(out[:, 4], [-6, -1, 4, 9, 14, 19])
    np.testing.assert_array_equal(beyond(p[:1, :1], 1), np.ones((3, 3)))


@pytest.mark.parametrize("size", [(160, 96), (61, 53), (100, 7)])
def test_surfaces_are_resized_by_keys_cubic(size):
    """a = -1/2 at pixel centres: exact for planes and for parabolas inside, which OpenCV's cubic is not."""
    y, x = np.mgrid[0:24, 0:40].astype(np.float32)
    out = resize_surface(0.1 * x - 0.2 * y + 1, size)
    to_x = (np.arange(size[0]) + 0.5) * (40 / size[0]) - 0.5
    to_y = (np.arange(size[1]) + 0.5) * (24 / size[1]) - 0.5
    if size[1] >= 24:
        np.testing.assert_allclose(out, 0.1 * to_x - 0.2 * to_y[:, None] + 1, atol=1e-4)
        bent = resize_surface(0.01 * x**2 + 0.02 * y**2, size)
        parabola = 0.01 * to_x**2 + 0.02 * to_y[:, None] ** 2
        inside = (slice(size[1] // 6, -size[1] // 6), slice(size[0] // 6, -size[0] // 6))
        np.testing.assert_allclose(bent[inside], parabola[inside], atol=1e-4)


@pytest.mark.parametrize("unit", [0.01, 1000.0])
def test_the_unit_of_disparity_does_not_matter(unit):
    """What is a step is told by the shot's span, whatever that is."""
    rgb, truth = card()
    p = seen(truth)
    whole = Upsampler(0.6)(p, rgb)
    other = Upsampler(0.6 * unit)(np.float32(unit) * p, rgb)
    np.testing.assert_allclose(other / unit, whole, atol=2e-3)
    assert np.abs(other / unit - cv2.resize(p, (320, 180))).max() > 0.1  # or nothing has snapped


def test_span_must_be_positive():
    with pytest.raises(ValueError, match="span"):
        Upsampler(0.0)


@pytest.mark.parametrize("size", [(640, 360), (601, 333), (97, 61)])
def test_tiles_are_what_enlarging_all_at_once_gives(size):
    rng = np.random.default_rng(4)
    small = rng.random((60, 96), dtype=np.float32)
    whole = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    plate = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    blurred, covered = cv2.GaussianBlur(plate, (3, 3), 0), np.zeros(whole.shape, int)
    for rows in _spans(60, size[1], 32, _LINEAR):
        for columns in _spans(96, size[0], 50, _LINEAR):
            here = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
            tile = rows.weights @ small[rows.low : rows.high, columns.low : columns.high] @ columns.weights.T
            assert np.abs(tile - whole[here]).max() < 1e-4
            part = smoothed(plate, rows.start, rows.stop, columns.start, columns.stop)
            assert np.array_equal(part, blurred[here])
            covered[here] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("size", [(640, 360), (601, 333), (97, 61)])
def test_the_smooth_resize_is_the_cubic_of_keys(size):
    """Against Pillow's, an independent one of the same kernel, away from the border, which goes on here."""
    small = np.random.default_rng(5).random((60, 96), dtype=np.float32)
    other = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))
    inside = (
        slice(3 * size[1] // 60 + 1, -3 * size[1] // 60 - 1),
        slice(3 * size[0] // 96 + 1, -3 * size[0] // 96 - 1),
    )
    np.testing.assert_allclose(_smooth_resize(small, size)[inside], other[inside], atol=2e-6)


def test_where_nothing_steps_the_tiles_leave_the_smooth_resize_alone():
    rgb, truth = card()
    p = seen(truth)
    out, smooth = Upsampler(0.6)(p, rgb), _smooth_resize(p, (320, 180))
    assert np.array_equal(out[:16, 288:], smooth[:16, 288:])
    assert not np.array_equal(out, smooth)


@pytest.mark.parametrize("rows", [1, 12, 60])
def test_bands_do_not_show(monkeypatch, rows):
    rgb, truth = card()
    p = seen(truth)
    whole = Upsampler(0.6)(p, rgb)
    monkeypatch.setattr("vdepth_core.output.upsample._BAND", rows * p.shape[1])
    np.testing.assert_allclose(Upsampler(0.6)(p, rgb), whole, atol=1e-6)


def test_a_large_map_takes_little_beside_the_result(monkeypatch):
    monkeypatch.setattr("vdepth_core.output.upsample._BAND", 1 << 14)
    rgb = texture(1040, 1040)
    p = cv2.resize(rgb[..., 0], (512, 512), interpolation=cv2.INTER_AREA).astype(np.float32)
    tracemalloc.start()
    try:
        out = Upsampler(255.0)(p, rgb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * out.nbytes  # all at once took 11
