"""ORD and D3R: the order of points by hand, by slow loops, and on pictures whose answer is known."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from vdepth_core.errors import InputError, UsageError
from vdepth_core.evaluation import ordinal
from vdepth_core.evaluation.ordinal import mean_ordinal, order, ordinal_errors, touching

KNOWN = np.ones((40, 60), bool)


def halves(left: float = 2.0, right: float = 5.0) -> np.ndarray:
    """Two planes, each with a little slope so that all points have an order."""
    depth = np.where(np.arange(60) < 30, left, right)[None].repeat(40, 0)
    return depth * (1 + 0.02 * np.arange(40)[:, None] / 40)


def tiles(disparity: np.ndarray) -> np.ndarray:
    """Superpixels that everybody can count: 5 x 5 squares."""
    y, x = np.indices(disparity.shape)
    return y // 5 * (disparity.shape[1] // 5) + x // 5


def test_order_beyond_a_ratio() -> None:
    a, b = np.array([1.0, 1.02, 1.04, 2.0, 1.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0, 2.0, 0.0])
    assert order(a, b, 1.03).tolist() == [0, 0, 1, 1, -1, 0]
    assert order(b, a, 1.03).tolist() == [0, 0, -1, -1, 1, 0]


def test_touching_labels_are_paired_once() -> None:
    labels = np.array([[0, 0, 1], [2, 2, 1], [3, 2, 2]])
    assert touching(labels).tolist() == [[0, 1], [0, 2], [1, 2], [2, 3]]


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (7.0, 0.0), (0.5, 0.25)])
def test_the_truth_itself_makes_no_error(scale: float, shift: float) -> None:
    found = ordinal_errors(1 / (scale / halves() + shift), halves(), KNOWN)
    assert found is not None
    assert (found.ord, found.d3r) == (0, 0)
    assert found.pairs > 1000
    assert found.jumps >= 40


def test_a_wrong_order_counts_two_and_a_missed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinal, "superpixels", tiles)
    step = np.where(np.arange(60) < 30, 2.0, 5.0)[None].repeat(40, 0)
    flipped = ordinal_errors(np.fliplr(step), step, KNOWN)
    flat = ordinal_errors(np.ones((40, 60)), step, KNOWN)
    assert flipped is not None
    assert flat is not None
    assert (flipped.ord, flipped.d3r, flipped.jumps) == (2, 2, 8)  # eight tiles on each side of the step
    assert (flat.ord, flat.d3r, flat.jumps) == (1, 1, 8)
    assert flat.pairs == flipped.pairs == pytest.approx(96 * 3 / 2, abs=30)


def slow(depth: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> tuple[float, int]:
    """D3R as the text says it, of 5 x 5 tiles."""
    g = np.where(valid, 1 / truth, 0)
    g /= g.max()
    e = 1 / depth
    e = g[valid].min() + (1 - g[valid].min()) * (e - e[valid].min()) / np.ptp(e[valid])
    both = [1 / np.maximum(d, 1e-12) for d in (g, e)]
    scaled = [(d - d[valid].min()) / np.ptp(d[valid]) for d in both]
    errors = []
    rows, columns = truth.shape[0] // 5, truth.shape[1] // 5
    for y in range(rows):
        for x in range(columns):
            for v, u in ((y, x + 1), (y + 1, x)):
                if v >= rows or u >= columns:
                    continue
                p, q = (5 * y + 2, 5 * x + 2), (5 * v + 2, 5 * u + 2)
                if valid[p] and valid[q] and order(scaled[0][p], scaled[0][q], 1.1):
                    orders = [int(order(d[p], d[q], 1.01)) for d in scaled]
                    errors.append(abs(orders[0] - orders[1]))
    return float(np.mean(errors)), len(errors)


def test_fast_and_slow_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinal, "superpixels", tiles)
    rng = np.random.default_rng(4)
    truth = rng.uniform(1, 4, (40, 60))
    depth, valid = truth * rng.uniform(0.5, 2, truth.shape), rng.random(truth.shape) < 0.9
    found = ordinal_errors(depth, truth, valid)
    assert found is not None
    assert (found.d3r, found.jumps) == pytest.approx(slow(depth, truth, valid))
    assert 0.1 < found.d3r < 1


def test_nothing_to_order_has_no_error() -> None:
    assert ordinal_errors(halves(), np.ones((40, 60)), KNOWN) is None
    assert ordinal_errors(halves(), halves(), ~KNOWN) is None
    frames = [(halves(), halves(), KNOWN), (halves(), np.ones((40, 60)), KNOWN)]
    found = mean_ordinal(iter(frames))
    assert found is not None
    assert found.ord == 0
    assert mean_ordinal(iter(frames[1:])) is None
    with pytest.raises(InputError, match="one size"):
        ordinal_errors(halves()[1:], halves(), KNOWN)


def test_large_truth_is_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(disparity: np.ndarray) -> np.ndarray:
        seen.append(disparity.shape)
        return np.zeros(disparity.shape, np.int64)

    monkeypatch.setattr(ordinal, "superpixels", look)
    truth = np.linspace(1, 2, 2000 * 10).reshape(10, 2000)
    ordinal_errors(truth, truth, np.ones(truth.shape, bool))
    assert seen == [(5, 1000)]


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("skimage"):
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"scikit-image.*vdepth\[evaluation\]"):
        ordinal_errors(halves(), halves(), KNOWN)
