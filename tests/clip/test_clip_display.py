from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.clip.display import (
    KEY,
    KNEE,
    ExposureMeter,
    linear_to_display,
    log_picture,
    shoulder,
    show,
    srgb_encode,
)


def test_mid_tones_are_plain_srgb() -> None:
    codes = np.arange(0, 188)
    encoded = codes / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    assert np.abs(linear_to_display(linear.astype(np.float32)).astype(int) - codes).max() <= 1
    assert srgb_encode(np.float64(1.0)) == pytest.approx(1)


def test_shoulder_is_smooth_and_never_clips() -> None:
    x = np.linspace(0, 60, 600_001)
    y = shoulder(x)
    slope = np.diff(y) / np.diff(x)
    assert (slope > 0).all()
    assert y.max() < 1
    assert np.abs(np.diff(slope)).max() < 1e-3
    assert shoulder(np.float64(KNEE)) == KNEE


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_table_agrees_with_the_formula(dtype: type) -> None:
    linear = np.geomspace(1e-4, 500, 3000).astype(dtype)
    slow = np.round(255 * srgb_encode(shoulder(linear.astype(np.float64) * 0.7)))
    assert np.abs(linear_to_display(linear, 0.7) - slow).max() <= 1


def test_bad_light_is_shown_sanely() -> None:
    light = np.array([np.nan, np.inf, -np.inf, -3, 1e30], np.float32)
    assert linear_to_display(light).tolist() == [0, 255, 0, 0, 255]


@pytest.mark.parametrize("gain", [0.01, 1.0, 37.0])
def test_exposure_undoes_the_camera(gain: float) -> None:
    rng = np.random.default_rng(1)
    scene = rng.lognormal(0, 1.5, (64, 64, 3)).astype(np.float32) * gain
    meter = ExposureMeter()
    meter.add(meter.measure(scene))
    luminance = scene @ np.array([0.2126, 0.7152, 0.0722])
    shown = np.exp(np.log(luminance * meter.exposure()).mean())
    assert shown == pytest.approx(KEY, rel=0.05)


def test_exposure_ignores_black_lamps_and_nonsense() -> None:
    scene = np.full((100, 100, 3), 0.12, np.float32)
    scene[:40] = 0
    scene[40:42] = 5e4
    scene[42, 0] = np.nan
    scene[42, 1] = np.inf
    meter = ExposureMeter()
    meter.add(meter.measure(scene))
    assert meter.exposure() == pytest.approx(KEY / 0.12, rel=0.03)
    assert ExposureMeter().exposure() == 1


def test_log_picture_sees_ratios_only() -> None:
    light = np.random.default_rng(2).uniform(0.05, 1, (32, 32, 3)).astype(np.float32)
    step = log_picture(light * 8).astype(int) - log_picture(light)
    assert np.abs(step - 3 * 255 / 24).max() <= 1


def test_strips_show_the_same_as_the_whole() -> None:
    light = np.random.default_rng(3).random((700, 300, 3), np.float32) * 3
    assert np.array_equal(show(light, lambda rows: rows * 2, 0.7), linear_to_display(light * 2, 0.7))
