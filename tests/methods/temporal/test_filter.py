"""The temporal filter against a slow restatement on a still shot, where flow is zero and all is seen."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from procedural_shots import corridor

from vdepth_core.align.pairs import Alignment
from vdepth_core.flow.guided import spread_by_guide
from vdepth_core.methods.temporal.filter import _difference, _residual, _Window, stabilize
from vdepth_core.methods.temporal.flows import Flows
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore

COUNT, SIZE = 11, (96, 160)


def still_alignment(count: int = COUNT) -> Alignment:
    zero = np.zeros(count)
    return Alignment(np.ones(count), zero, zero, zero, 0.0, np.zeros(count, bool))


@pytest.fixture(scope="module")
def maps() -> np.ndarray:
    """Noisy predictions (N, h, w) of one picture; a part of some of them is another surface."""
    rng = np.random.default_rng(2)
    _, truth = corridor(1.0)
    noise = [cv2.GaussianBlur(rng.normal(0, 1, SIZE), (0, 0), 3) * 0.1 for _ in range(COUNT)]
    maps = np.stack([truth + field for field in noise]).astype(np.float32)
    maps[3:5, 30:50, 40:80] += 1.0
    return maps


@pytest.fixture
def store(tmp_path: Path, maps: np.ndarray) -> DepthStore:
    luma, _ = corridor(1.0)
    store = DepthStore(tmp_path, COUNT, *SIZE)
    store.luma.write(0, np.repeat(luma[None], COUNT, 0))
    store.raw.write(0, maps)
    return store


def slow_difference(maps: np.ndarray, t: int, carry: tuple[float, float] = (1.0, 0.0)) -> np.ndarray:
    own = maps[t].astype(np.float64)
    low, high = np.quantile(own[::3, ::3], (0.05, 0.95))
    votes = []
    for offset in (1, 2, 3, 4):
        for other in (t - offset, t + offset):
            if 0 <= other < len(maps):
                difference = carry[0] * maps[other].astype(np.float64) + carry[1] - own
                spread = max(5 * 1.4826 * np.median(np.abs(difference[::3, ::3])), 0.015 * (high - low))
                votes.append((difference, np.exp(-0.5 * (offset / 3) ** 2), spread))
    mean, typical = np.zeros_like(own), 1 / np.sqrt(np.median([1 / spread**2 for *_, spread in votes]))
    for _ in range(2):
        weights = [kernel * np.exp(-0.5 * ((d - mean) / spread) ** 2) for d, kernel, spread in votes]
        voted = sum(weights)
        total = voted + np.exp(-0.5 * (mean / typical) ** 2)
        mean = sum(w * d for w, (d, *_) in zip(weights, votes, strict=True)) / total
    trust = voted / (2 * sum(np.exp(-0.5 * (offset / 3) ** 2) for offset in (1, 2, 3, 4)))
    parts = [part.astype(np.float32) for part in (own, mean, trust)]
    smooth = spread_by_guide(*parts, 5, 1e-4 * (high - low) ** 2)
    sure = cv2.blur(parts[2], (5, 5)) ** 2
    return smooth + (mean - smooth) * sure


@pytest.mark.parametrize("t", [0, 2, 5, 10])
def test_the_filter_agrees_with_a_slow_one(store: DepthStore, maps: np.ndarray, t: int) -> None:
    with store:
        window = _Window(Flows(store), lambda t: maps[t], lambda t: maps[t])
        np.testing.assert_array_equal(window.weight(t, (t + 1) % COUNT), 1)  # or nothing is compared here
        found = _difference(window, still_alignment(), t, COUNT)
    np.testing.assert_allclose(found, slow_difference(maps, t), atol=1e-5 * float(np.ptp(maps[t])))


def test_neighbours_are_carried_into_the_frames_chart(store: DepthStore, maps: np.ndarray) -> None:
    slow = np.where(np.arange(COUNT) == 5, np.log(0.5), 0.0)  # of the others: twice, about a centre of 0.1
    level = np.where(np.arange(COUNT) == 5, -0.02, 0.0)
    zero = np.zeros(COUNT)
    alignment = Alignment(np.ones(COUNT), zero, slow, level, 0.1, np.zeros(COUNT, bool))
    carry = alignment.carry(4, 5)
    assert carry == pytest.approx((2, 2 * (0.02 - 0.1) + 0.1))
    charted = maps.copy()
    charted[5] = 2 * maps[5] + carry[1]
    with store:
        window = _Window(Flows(store), lambda t: charted[t], lambda t: charted[t])
        found = _difference(window, alignment, 5, COUNT)
    np.testing.assert_allclose(found, slow_difference(charted, 5, carry), atol=2e-5 * float(np.ptp(maps[5])))


def test_a_frame_alone_stays_as_it_is(tmp_path: Path, maps: np.ndarray) -> None:
    with DepthStore(tmp_path, 1, *SIZE) as store:
        store.luma.write(0, np.zeros((1, *SIZE)))
        shown = (lambda t: maps[0],) * 2
        curves = stabilize(store, Flows(store), *shown, still_alignment(1), Progress(), "x")
        np.testing.assert_array_equal(store.final.read(0)[0], maps[0])
    assert np.isnan([curves.before[0], curves.after[0], curves.visible[0]]).all()


def test_curves_are_the_median_change_over_the_frames_range(store: DepthStore, maps: np.ndarray) -> None:
    aligned = [2 * values + 1 for values in maps]
    with store:
        shown = (lambda t: maps[t], lambda t: aligned[t])
        curves = stabilize(store, Flows(store), *shown, still_alignment(), Progress(), "x", smooth=False)
        np.testing.assert_array_equal(store.final.read(0, COUNT), np.stack(aligned))
    change = [
        np.median(np.abs(b - a)) / np.subtract(*np.quantile(a[::3, ::3], (0.95, 0.05)))
        for a, b in pairwise(maps)
    ]
    np.testing.assert_allclose(curves.before[:-1], change, rtol=1e-5)
    np.testing.assert_allclose(curves.after[:-1], change, rtol=1e-4)
    np.testing.assert_array_equal(curves.visible[:-1], 1)
    assert np.isnan([curves.before[-1], curves.after[-1], curves.visible[-1]]).all()


def test_a_residual_of_nothing_seen_is_none() -> None:
    a = np.arange(12.0).reshape(3, 4)
    assert np.isnan(_residual(a, a, np.zeros(a.shape, bool)))
    seen = a < 2
    assert _residual(a, a + np.where(seen, 2, 99), seen) == pytest.approx(
        2 / np.subtract(*np.quantile(a[::3, ::3], (0.95, 0.05)))
    )


def test_only_what_later_frames_need_is_kept(store: DepthStore, maps: np.ndarray) -> None:
    with store:
        flows = Flows(store)
        window = _Window(flows, lambda t: maps[t], lambda t: maps[t])
        for t in range(3):
            window.aligned(t)
        window.flow(0, 2)
        window.flow(2, 1)
        window.forget(1)
        kept = set(window._kept)
    assert {("aligned", 1, 1), ("aligned", 2, 2), ("flow", 2, 1)} == kept
    assert set(flows._lumas) == {1, 2}
