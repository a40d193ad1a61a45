"""The joint solution: recovery, no drift, islands, long shots."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.align.pairs import Alignment, Pair, solve
from vdepth_core.align.scale_shift import PairFit


def pairs_of(
    scale: np.ndarray,
    shift: np.ndarray,
    growth: float = 0.0,
    noise: float = 0.0,
    gone: frozenset[int] = frozenset(),
) -> list[Pair]:
    """Pairs of raw = scale · D + shift, where tracked D grow by ``growth`` a frame (in the logarithm)."""
    rng = np.random.default_rng(9)
    out = []
    for offset in (1, 2, 4, 8, 16):
        for i in range(0, len(scale) - offset, max(1, offset // 2)):
            j = i + offset
            if i in gone or j in gone:
                continue
            log_scale = float(np.log(scale[j] / scale[i]) + growth * offset + rng.normal(0, noise))
            here, there = 0.5, 0.5 * np.exp(growth * offset)
            x, y = scale[i] * here + shift[i], scale[j] * there + shift[j]
            out.append(Pair(i, j, PairFit(log_scale, float(x), float(y), 10.0, 10.0, 0.01)))
    return out


def jitter(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.7, 1.4, count), rng.uniform(-0.2, 0.2, count)


def corrected(
    scale: np.ndarray, shift: np.ndarray, pairs: list[Pair], still: np.ndarray | None = None
) -> np.ndarray:
    """What true values 0.2 and 0.8 become, (N, 2)."""
    result = solve(len(scale), pairs, still)
    raw = scale[:, None] * np.array([0.2, 0.8]) + shift[:, None]
    return result.scale[:, None] * raw + result.shift[:, None]


def test_still_camera_recovers_scale_and_shift_exactly() -> None:
    scale, shift = jitter(80)
    out = corrected(scale, shift, pairs_of(scale, shift), np.ones(79))
    assert np.ptp(out, axis=0).max() < 1e-4
    drifting = np.linspace(0.8, 1.3, 80)
    out = corrected(drifting, shift, pairs_of(drifting, shift), np.ones(79))
    assert np.ptp(out, axis=0).max() < 1e-4


def test_moving_camera_takes_out_the_jitter() -> None:
    scale, shift = jitter(300)
    out = corrected(scale, shift, pairs_of(scale, shift))
    raw = scale[:, None] * np.array([0.2, 0.8]) + shift[:, None]
    assert (out.std(axis=0) < 0.3 * raw.std(axis=0)).all()
    assert (np.diff(out, axis=0).std(axis=0) < 0.1 * np.diff(raw, axis=0).std(axis=0)).all()


def test_steady_approach_does_not_drift_nor_bend_at_the_ends() -> None:
    one, zero = np.ones(400), np.zeros(400)
    result = solve(400, pairs_of(one, zero, growth=0.02))  # tracked values grow e^8-fold over the shot
    np.testing.assert_allclose(result.scale, 1, atol=1e-3)
    np.testing.assert_allclose(result.shift, 0, atol=1e-3)
    # … and a filter still knows what to expect of the next frame
    s, t = result.carry(11, 10)
    assert s * (0.5 * np.exp(0.02)) + t == pytest.approx(0.5, abs=2e-3)


def test_carry_is_the_chart_in_which_a_tracked_point_keeps_its_value() -> None:
    rng = np.random.default_rng(2)
    slow, level = rng.normal(size=(2, 5))
    alignment = Alignment(np.ones(5), np.zeros(5), slow, level, 0.7, np.zeros(5, bool))

    for source, to in ((0, 3), (4, 1), (2, 2)):
        scale, shift = alignment.carry(source, to)
        for value in (0.2, 0.7, 3.0):
            expected = np.exp(slow[source] - slow[to]) * (value - 0.7 + level[source] - level[to]) + 0.7
            assert scale * value + shift == pytest.approx(expected)
    assert alignment.carry(2, 2) == pytest.approx((1, 0))


def test_no_pairs_change_nothing() -> None:
    result = solve(3, [])
    assert (result.scale.tolist(), result.shift.tolist()) == ([1] * 3, [0] * 3)
    assert result.alone.all()
    assert result.carry(0, 2) == (1, 0)


def test_scale_only_has_no_shift_whatever_the_levels_say() -> None:
    scale, _ = jitter(40)
    result = solve(40, pairs_of(scale, np.zeros(40)), np.ones(39), scale_only=True)
    assert np.ptp(result.scale * scale) < 1e-4
    assert result.shift.tolist() == [0] * 40
    assert not result.alone.any()
    assert result.carry(3, 17)[1] == pytest.approx(0, abs=1e-12)


def test_frames_whose_pairs_are_worthless_are_alone() -> None:
    scale, shift = jitter(30)
    pairs = pairs_of(scale, shift)
    for index, pair in enumerate(pairs):
        if 12 in (pair.i, pair.j):
            fit = pair.fit
            pairs[index] = Pair(pair.i, pair.j, PairFit(5.0, fit.x, fit.y, 0.0, 0.0, 0.01))
    for only in (False, True):
        result = solve(30, pairs, np.ones(29), scale_only=only)
        assert result.alone.nonzero()[0].tolist() == [12]
        assert result.scale[12] == pytest.approx(np.sqrt(result.scale[11] * result.scale[13]))


def test_gauge_keeps_mean_scale_and_level() -> None:
    scale, shift = jitter(50)
    result = solve(50, pairs_of(scale, shift), np.ones(49))
    assert np.log(result.scale).mean() == pytest.approx(0, abs=1e-9)


def test_islands_and_black_frames() -> None:
    scale, shift = jitter(90)
    gone = frozenset(range(35, 55))  # longer than the longest pair: two islands
    result = solve(90, pairs_of(scale, shift, gone=gone), np.ones(89))
    assert result.alone.nonzero()[0].tolist() == sorted(gone)
    for island in (slice(0, 35), slice(55, 90)):
        assert np.ptp(result.scale[island] * scale[island]) < 1e-4
        assert np.log(result.scale[island]).mean() == pytest.approx(0, abs=1e-6)
    assert np.isfinite(result.scale).all()
    assert np.isfinite(result.shift).all()


def test_wrong_pairs_are_outvoted() -> None:
    scale, shift = jitter(60)
    pairs = pairs_of(scale, shift)
    for index in range(0, len(pairs), 9):
        pair = pairs[index]
        pairs[index] = Pair(pair.i, pair.j, PairFit(1.5, pair.fit.x, pair.fit.y, 10.0, 0.0, 0.01))
    result = solve(60, pairs, np.ones(59))
    assert np.std(np.log(result.scale * scale)) < 0.01


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_shots(count: int) -> None:
    scale, shift = jitter(count)
    result = solve(count, pairs_of(scale, shift), np.ones(count - 1))
    assert np.ptp(result.scale * scale) < (1e-5 if count > 1 else 1)
    assert result.scale.shape == (count,)


def test_five_thousand_frames() -> None:
    scale, shift = jitter(5000)
    result = solve(5000, pairs_of(scale, shift, growth=0.01, noise=0.01))
    assert np.isfinite(result.scale).all()
    assert np.log(result.scale * scale).std() < 0.3 * np.log(scale).std()
