"""Moments of a frame's rows against a slow, readable restatement: loops over rows, nothing shared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vdepth_core.align.moments import measure, spread


def lower_median(values: np.ndarray) -> float:
    return float(np.sort(values)[(len(values) - 1) // 2])


def slow_frame(y: np.ndarray, known: np.ndarray, trust: np.ndarray) -> dict[str, np.ndarray]:
    """Of one frame, rows (C, P): Cauchy weights of 3 standard deviations, twice."""
    base = trust[:, None] * known
    mean = (base * y).sum(axis=0) / np.maximum(base.sum(axis=0), 1e-30)
    least = max(1e-3 * mean.std(), 1e-9 * np.abs(mean).mean(), 1e-15)
    for _ in range(2):
        size = np.abs(y - mean)[base > 0]
        sigma = max(1.4826 * lower_median(size), least)
        weight = base / (1 + ((y - mean) / (3 * sigma)) ** 2)
        mean = (weight * y).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-30)
    rows = []
    for row, w in zip(y, weight, strict=True):
        if not w.any():
            rows.append((0.0, float(mean.mean()), 0.0, 0.0, 0.0, 0.0))
            continue
        both = np.cov(row, mean, aweights=w, bias=True)
        level = np.average(mean, weights=w)
        rows.append((w.mean(), level, np.average(row, weights=w) - level, both[0, 0], both[1, 1], both[0, 1]))
    share, level, offset, own, of_mean, both_ = np.array(rows).T
    found = {"share": share, "level": level, "offset": offset, "row": own, "mean": of_mean, "both": both_}
    return found | {"misfit": np.mean(size) / np.abs(mean).mean(), "contrast": mean.std()}


@pytest.mark.parametrize("holes", [False, True])
def test_moments_agree_with_slow_ones(holes: bool) -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(1, 3, (2, 1, 30))
    scale, level = rng.uniform(0.5, 2, (2, 4)), rng.uniform(-0.3, 0.3, (2, 4))
    y = truth + rng.normal(0, 0.05, (2, 4, 30)) + 2 * (rng.uniform(size=(2, 4, 30)) < 0.1)
    values = (y - level[..., None]) / scale[..., None]
    known = rng.uniform(size=values.shape) < 0.8 if holes else np.ones(values.shape, bool)
    trust = np.array([[1.0, 2.0, 0.5, 1.0], [1.0, 1.0, 1.0, 0.0]])
    values = np.where(known, values, 0)
    arrays = [torch.from_numpy(part) for part in (values, known.astype(float), scale, level, trust)]
    arrays[1] = arrays[1] if holes else None
    found = measure(*arrays)
    seen_y = scale[..., None] * values + level[..., None]
    for frame in range(2):
        for name, wanted in slow_frame(seen_y[frame], known[frame], trust[frame]).items():
            np.testing.assert_allclose(getattr(found, name)[frame], wanted, atol=1e-9, err_msg=name)


def test_exact_rows_have_no_misfit_and_full_weight() -> None:
    truth = torch.linspace(1, 2, 50, dtype=torch.float64).repeat(1, 3, 1)
    ones = torch.ones(1, 3, dtype=torch.float64)
    found = measure(truth, None, ones, 0 * ones, ones)
    np.testing.assert_allclose(found.share, 1)
    np.testing.assert_allclose(found.misfit, 0, atol=1e-12)
    np.testing.assert_allclose(found.level, 1.5)
    np.testing.assert_allclose(found.offset, 0, atol=1e-12)
    for name in ("row", "mean", "both"):
        np.testing.assert_allclose(getattr(found, name), truth[0, 0].numpy().var())
    assert found.contrast[0] == pytest.approx(truth[0, 0].numpy().std())


def test_large_frames_are_sampled_for_their_noise_only() -> None:
    """Every few residuals tell the noise of thousands about as well."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(1, 3, (1, 1, 4000))
    y = truth + rng.normal(0, 0.1, (1, 3, 4000))
    ones = torch.ones(1, 3, dtype=torch.float64)
    found = measure(torch.from_numpy(y), None, ones, 0 * ones, ones)
    wanted = slow_frame(y[0], np.ones(y[0].shape), np.ones(3))
    np.testing.assert_allclose(found.share[0], wanted["share"], rtol=0.03)
    np.testing.assert_allclose(found.misfit[0], wanted["misfit"], rtol=0.15)


def test_spread_is_the_median_and_the_mean_distance_from_it() -> None:
    values = torch.tensor([[[1.0, 2.0, 4.0, 9.0, 5.0], [3.0, 3.0, 3.0, 3.0, 3.0]]], dtype=torch.float64)
    median, deviation = spread(values, None)
    assert median.tolist() == [[4, 3]]
    assert deviation[0].tolist() == pytest.approx([(3 + 2 + 0 + 5 + 1) / 5, 0])
    known = torch.tensor([[[1.0, 1.0, 0.0, 0.0, 1.0], [0.0] * 5]], dtype=torch.float64)
    median, deviation = spread(values, known)
    assert median[0, 0] == 2
    assert deviation[0, 0] == pytest.approx((1 + 0 + 3) / 3)
    assert np.isnan(median[0, 1])
