"""Fits of one pair: exact, robust, symmetric, and without the shrinking of least squares."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.align.scale_shift import fit_pair, fit_scale_shift


def test_least_squares_is_exact_and_masks() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 5, (30, 40)).astype(np.float32)
    y = 2.5 * x - 0.75
    mask = rng.uniform(size=x.shape) > 0.5
    y[~mask] = np.nan
    assert fit_scale_shift(x, y, mask) == pytest.approx((2.5, -0.75), abs=1e-5)
    assert fit_scale_shift(x, y, np.zeros_like(mask)) == (1.0, 0.0)
    assert fit_scale_shift(np.full(9, 4.0), np.arange(9.0)) == (0.0, 4.0)


def test_pair_fit_does_not_shrink_under_noise_on_both_sides() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 1, 20000)
    x = truth + rng.normal(0, 0.1, truth.size)
    y = 1.3 * (truth + rng.normal(0, 0.1, truth.size)) + 0.2
    assert fit_scale_shift(x, y)[0] < 1.3 * 0.92  # what least squares does
    fit = fit_pair(x, y)
    assert fit is not None
    assert fit.scale == pytest.approx(1.3, rel=0.01)
    assert fit.shift == pytest.approx(0.2, abs=0.01)


def test_pair_fit_resists_outliers() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(0, 1, 5000)
    y = 0.8 * x + 0.1 + rng.normal(0, 0.01, x.size)
    y[:1000] = rng.uniform(0, 3, 1000)  # a fifth lies on something else
    fit = fit_pair(x, y)
    assert fit is not None
    assert fit.scale == pytest.approx(0.8, rel=0.01)
    assert fit.shift == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("scale_only", [False, True])
def test_pair_fit_is_symmetric(scale_only: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(0.2, 1, 3000)
    y = 1.7 * x * np.exp(rng.normal(0, 0.1, x.size))
    one, other = fit_pair(x, y, scale_only=scale_only), fit_pair(y, x, scale_only=scale_only)
    assert one is not None
    assert other is not None
    assert one.log_scale == pytest.approx(-other.log_scale, abs=1e-6)


def test_flat_frames_say_nothing_about_scale_but_keep_their_level() -> None:
    fit = fit_pair(np.full(500, 0.3), np.full(500, 0.5))
    assert fit is not None
    assert fit.weight == 0
    assert fit.scale == 1
    assert fit.level_weight > 0
    assert fit.shift == pytest.approx(0.2)


def test_noise_has_less_weight_than_agreement() -> None:
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 1, 2000)
    good, poor = fit_pair(x, x + rng.normal(0, 0.01, 2000)), fit_pair(x, x + rng.normal(0, 0.2, 2000))
    assert good is not None
    assert poor is not None
    assert good.weight > 5 * poor.weight
    assert fit_pair(x[:20], x[:20]) is None
    assert fit_pair(-x, x, scale_only=True) is None
