"""The trend that is handed back: lines exactly, the window by the flicker, steps by how the camera moved."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.align.trend import WINDOWS, _local_linear, _trend, without_trend


def slow_local_linear(time: np.ndarray, values: np.ndarray, window: float) -> np.ndarray:
    out = []
    for centre in time:
        weight = np.where(
            np.abs(time - centre) <= 4 * window, np.exp(-0.5 * ((time - centre) / window) ** 2), 0
        )
        out.append(np.polyfit(time - centre, values, 1, w=np.sqrt(weight))[1])
    return np.array(out)


@pytest.mark.parametrize("window", WINDOWS)
def test_local_lines_agree_with_weighted_least_squares(window: float) -> None:
    rng = np.random.default_rng(0)
    time = np.sort(rng.choice(90, 60, replace=False)).astype(float)  # with gaps
    values = rng.normal(size=60)
    np.testing.assert_allclose(
        _local_linear(time, values, window), slow_local_linear(time, values, window), atol=1e-9
    )
    np.testing.assert_allclose(_local_linear(time, 3 - 0.7 * time, window), 3 - 0.7 * time, atol=1e-9)


def test_one_frame_alone_is_its_own_trend() -> None:
    np.testing.assert_allclose(_local_linear(np.array([5.0, 500.0]), np.array([2.0, 7.0]), 3), [2, 7])


def test_the_longest_window_whose_rest_is_flicker() -> None:
    time, rng = np.arange(200.0), np.random.default_rng(1)
    white = rng.normal(0, 0.1, 200)
    np.testing.assert_array_equal(
        _trend(time, 0.05 * time + white, WINDOWS), _local_linear(time, 0.05 * time + white, 12.0)
    )
    # a bend that six frames can follow and twelve cannot, then one that only the shortest window tries to
    for period, window in ((190, 6.0), (75, 3.0)):
        bent = np.sin(2 * np.pi * time / period) + 0.25 * white
        np.testing.assert_array_equal(_trend(time, bent, WINDOWS), _local_linear(time, bent, window))
    short = np.array([0.0, 1.0, 0.0, 3.0])
    np.testing.assert_array_equal(_trend(time[:4], short, WINDOWS), _local_linear(time[:4], short, 3.0))


def test_what_moves_with_the_camera_is_handed_back_and_what_does_not_is_taken_out() -> None:
    slope = 0.2 * np.arange(40.0)
    parts = np.zeros(40, np.int64)
    np.testing.assert_allclose(without_trend(slope, parts, np.ones(39)), 0, atol=1e-9)
    np.testing.assert_allclose(without_trend(slope, parts, np.zeros(39)), slope - slope.mean(), atol=1e-9)
    half = np.where(np.arange(39) < 20, 1.0, 0.0)
    rest = np.concatenate([np.zeros(20), 0.2 * np.arange(20)])
    np.testing.assert_allclose(without_trend(slope, parts, half), rest - rest.mean(), atol=1e-9)
    np.testing.assert_allclose(
        without_trend(slope, parts, np.full(39, 0.25)), 0.75 * (slope - slope.mean()), atol=1e-9
    )


def test_parts_have_mean_zero_each_and_the_unknown_is_between_its_neighbours() -> None:
    chart = np.array([5.0, 6, 7, 9, 9, 9, 20, 30, 40, 1])
    parts = np.array([0, 0, 0, -1, -1, -1, 1, 1, 1, -1])
    found = without_trend(chart, parts, np.zeros(9))
    np.testing.assert_allclose(found, [-1, 0, 1, -1.75, -4.5, -7.25, -10, 0, 10, 10], atol=1e-9)
    assert without_trend(chart, np.full(10, -1), np.zeros(9)).tolist() == [0] * 10
