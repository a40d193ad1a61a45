"""Fits of one pair: exact, robust, symmetric, and without the shrinking of least squares."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.align.scale_shift import fit_pair, fit_scale_shift


def tukey(u: np.ndarray) -> np.ndarray:
    return np.where(np.abs(u) < 4.685, (1 - (u / 4.685) ** 2) ** 2, 0)


def slow_line(x: np.ndarray, y: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """Reduced major axis with Tukey's biweight, re-weighted six times, by NumPy's own statistics."""
    weight, sigma = base, np.inf
    for _ in range(7):
        used = weight
        (vx, vxy), (_, vy) = np.cov(x, y, aweights=used, bias=True)
        mx, my = np.average(x, weights=used), np.average(y, weights=used)
        like = vxy / np.sqrt(vx * vy)
        scale = np.clip(np.sqrt(vy / vx), 1 / 8, 8) if like > 0.05 else 1.0
        residual = (y - my) / np.sqrt(scale) - (x - mx) * np.sqrt(scale)
        sigma = min(sigma, 1.4826 * np.median(np.abs(residual)))
        weight = base * tukey(residual / sigma)
        if weight.sum() < 0.1 * base.sum():
            weight = base
    share, rho2 = used.sum() / len(x), max(like, 0) ** 2
    level = share / (1 - rho2 + 0.01)
    found = {"log_scale": np.log(scale), "x": mx, "y": my, "level_weight": level}
    return found | {"weight": level * rho2 if like > 0.05 else 0.0, "residual": sigma / np.sqrt(scale)}


def slow_ratio(x: np.ndarray, y: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """The same for y ≈ s x, in logarithms."""
    ratio = np.log(y / x)
    centre = np.median(ratio)
    for _ in range(6):
        sigma = 1.4826 * np.median(np.abs(ratio - centre))
        weight = base * tukey((ratio - centre) / sigma)
        if weight.sum() < 0.1 * base.sum():
            weight = base
        centre = np.average(ratio, weights=weight)
    centre = np.clip(centre, -np.log(8), np.log(8))
    mx, sure = np.average(x, weights=weight), weight.sum() / len(x) / (sigma**2 + 0.01)
    found = {"log_scale": centre, "x": mx, "y": mx * np.exp(centre), "weight": sure, "level_weight": sure}
    return found | {"residual": sigma * mx}


CASES = {
    "noise": lambda x, rng: 1.3 * x + 0.2 + rng.normal(0, 0.05, x.size),
    "outliers": lambda x, rng: (
        np.where(np.arange(x.size) % 4, 0.7 * x + 0.1, rng.uniform(0, 4, x.size))
        + rng.normal(0, 0.01, x.size)
    ),
    "unlike": lambda x, rng: rng.uniform(1, 2, x.size),
    "opposite": lambda x, rng: 3 - x + rng.normal(0, 0.05, x.size),
    "steep": lambda x, rng: 20 * x + rng.normal(0, 0.1, x.size),
    "shallow": lambda x, rng: 0.05 * x + 1 + rng.normal(0, 0.001, x.size),
}


@pytest.mark.parametrize("scale_only", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_pair_fit_agrees_with_a_slow_one(case: str, scale_only: bool) -> None:
    rng = np.random.default_rng(6)
    x = rng.uniform(0.5, 1.5, 400)
    y = CASES[case](x, rng)
    seen = rng.uniform(0.1, 1, 400)
    fit = fit_pair(x, y, seen, scale_only=scale_only)
    assert fit is not None
    usable = (x > 0) & (y > 0) if scale_only else np.ones(400, bool)
    slow = (slow_ratio if scale_only else slow_line)(x[usable], y[usable], seen[usable])
    for name, value in slow.items():
        assert getattr(fit, name) == pytest.approx(value, rel=2e-4, abs=1e-9), name
    assert fit.shift == pytest.approx(fit.y - np.exp(fit.log_scale) * fit.x)


@pytest.mark.parametrize("scale_only", [False, True])
def test_pair_fit_needs_thirty_two_matches_that_are_seen(scale_only: bool) -> None:
    x = np.random.default_rng(7).uniform(1, 2, 40)
    seen = np.where(np.arange(40) < 32, 0.06, 0.05)
    assert fit_pair(x, 2 * x, seen, scale_only=scale_only) is not None
    seen[0] = 0.05
    assert fit_pair(x, 2 * x, seen, scale_only=scale_only) is None
    x[32:] = 0
    assert fit_pair(x, 2 * x, scale_only=scale_only) is not None
    x[31] = 0
    assert (fit_pair(x, 2 * x, scale_only=scale_only) is None) is scale_only


def test_what_varies_by_rounding_only_is_flat() -> None:
    line = np.arange(9.0)
    for level in (0.0, 1.0, 1e6):
        size = max(1.0, level)
        assert fit_scale_shift(level + 1e-13 * size * line, line) == (0.0, 4.0)
        scale, _ = fit_scale_shift(level + 1e-6 * size * line, line)
        assert scale == pytest.approx(1e6 / size, rel=1e-3)


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
