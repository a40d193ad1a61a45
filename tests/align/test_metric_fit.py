"""The line from relative to metric numbers: through noise and outliers, exact where points are exact."""

import numpy as np
import pytest

from vdepth_core.align.metric import fit_metric

SEEDS = range(12)


def scene(seed, shifted):
    """A shot's numbers, and what a metric model with 5 % of noise and 10 % of outliers says of them."""
    rng = np.random.default_rng(seed)
    metres = np.exp(rng.uniform(np.log(1.5), np.log(40), 6000))
    scale, shift = rng.uniform(0.2, 5), rng.uniform(-0.02, 0.05) if shifted else 0.0
    x = (1 / metres - shift) / scale
    said = metres * np.exp(rng.normal(0, 0.05, len(metres)))
    wrong = rng.random(len(metres)) < 0.1
    said[wrong] *= np.exp(rng.uniform(-2, 2, wrong.sum()))
    return metres, x, 1 / said, scale


@pytest.mark.parametrize("shifted", [False, True], ids=["scale", "scale and shift"])
@pytest.mark.parametrize("seed", SEEDS)
def test_noise_and_outliers_leave_the_scale_within_a_percent(seed, shifted):
    metres, x, target, scale = scene(seed, shifted)
    fit = fit_metric(x, target, shifted, float(np.ptp(x)))
    assert fit.line.scale == pytest.approx(scale, rel=0.01)
    assert np.abs(1 / fit.line(x) / metres - 1).mean() < 0.01
    assert fit.residual == pytest.approx(0.05, abs=0.015)
    assert 0.88 < fit.inliers < 0.95
    assert fit.points == len(x)


def test_forty_percent_of_outliers_to_one_side_are_not_believed():
    _, x, target, scale = scene(3, True)
    wrong = np.random.default_rng(0).random(len(x)) < 0.4
    target[wrong] = 1 / 3.0
    fit = fit_metric(x, target, True, float(np.ptp(x)))
    assert fit.line.scale == pytest.approx(scale, rel=0.02)


def test_few_points_are_met_exactly():
    one = fit_metric(np.array([0.4]), np.array([1 / 2.5]), False, 1.0)
    assert one.line(np.array([0.4]))[0] == pytest.approx(0.4, rel=1e-15)
    x, target = np.array([0.9, 0.1]), np.array([1 / 1.7, 1 / 31.0])
    two = fit_metric(x, target, True, 1.0)
    assert two.line(x) == pytest.approx(target, rel=1e-13)
    assert two.residual < 1e-12


def test_three_are_balanced_by_their_relative_errors():
    x, target = np.array([0.9, 0.5, 0.1]), np.array([1.0, 0.5, 0.1])
    off = np.abs(np.log(fit_metric(x, target, True, 1.0).line(x) / target))
    assert off.max() < 0.1
    assert off.max() < 3 * off.min() + 0.05


@pytest.mark.parametrize(
    ("x", "target", "shifted"),
    [
        ([], [], False),
        ([0.5], [0.5], True),  # one point, two unknowns
        ([0.5, 0.501], [0.5, 0.6], True),  # as good as one
        ([0.9, 0.1], [0.1, 0.9], True),  # falls
    ],
)
def test_what_determines_no_line_gives_none(x, target, shifted):
    assert fit_metric(np.array(x), np.array(target), shifted, 1.0) is None
