"""Boundary F1 and recall: hand-made edges with exact answers, and slow loops that say the same."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.evaluation.boundaries import (
    THRESHOLDS,
    boundary_f1,
    boundary_recall,
    mean_boundaries,
    steepest,
)
from vdepth_core.evaluation.undefined import UndefinedMeasure

WEIGHTS = THRESHOLDS / THRESHOLDS.sum()
NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def box(left: int = 4, near: float = 2.0) -> np.ndarray:
    """A near square before a far wall: jumps in all four directions."""
    depth = np.full((12, 16), 6.0)
    depth[3:9, left : left + 6] = near
    return depth


def relations(depth: np.ndarray, valid: np.ndarray, step: tuple[int, int], t: float) -> set[tuple[int, int]]:
    found = set()
    d = 1 / np.maximum(depth, 1e-6)
    for y, x in np.ndindex(depth.shape):
        v, u = y + step[0], x + step[1]
        inside = 0 <= v < depth.shape[0] and 0 <= u < depth.shape[1]
        if inside and valid[y, x] and valid[v, u] and d[y, x] / d[v, u] > t:
            found.add((y, x))
    return found


def slow_f1(depth: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> tuple[float, float, float]:
    total = np.zeros(3)
    for t, w in zip(THRESHOLDS, WEIGHTS, strict=True):
        precision = recall = 0.0
        for step in NEIGHBOURS:
            said, true = (relations(a, valid, step, t) for a in (depth, truth))
            precision += len(said & true) / max(len(said), 1) / 4
            recall += len(said & true) / max(len(true), 1) / 4
        both = precision + recall
        total += w * np.array([2 * precision * recall / both if both else 0.0, precision, recall])
    return tuple(total)


def test_thresholds_are_the_published_ones() -> None:
    np.testing.assert_allclose(np.diff(THRESHOLDS), 0.2 / 9)
    assert (len(THRESHOLDS), THRESHOLDS[0], THRESHOLDS[-1]) == (10, 1.05, 1.25)


@pytest.mark.parametrize("scale", [1.0, 0.01, 300.0])
def test_the_truth_itself_is_perfect_at_any_scale(scale: float) -> None:
    found = boundary_f1(box() * scale, box())
    assert (found.f1, found.precision, found.recall) == pytest.approx((1, 1, 1))


def test_a_direction_without_jumps_scores_nothing_as_published() -> None:
    edge = np.where(np.arange(10) < 4, 2.0, 5.0)[None].repeat(6, 0)
    assert boundary_f1(edge, edge).f1 == pytest.approx(1 / 4)
    assert boundary_f1(np.ones((6, 10)), np.ones((6, 10))).f1 == 0
    assert boundary_f1(np.ones((6, 10)), edge).f1 == 0


def test_an_edge_one_pixel_aside_is_missed_and_false() -> None:
    found = boundary_f1(box(left=5), box())
    # Left and right are all wrong; above and below five of six columns agree.
    assert (found.precision, found.recall) == pytest.approx((5 / 12, 5 / 12))
    edge = np.where(np.arange(10) < 4, 2.0, 5.0)[None].repeat(6, 0)
    assert boundary_f1(np.roll(edge, 1, axis=1)[:, 1:], edge[:, 1:]).recall == 0


def test_an_edge_spread_over_pixels_counts_where_it_is_still_steep() -> None:
    """Inverse depth 4 to 1 in equal ratios: 1.32 a step over five pixels, 1.04 over thirty-six."""
    for steps, recall, precision in ((1, 1.0, 1.0), (5, 1.0, 1 / 5), (36, 0.0, 0.0)):
        slope = 4 ** np.clip((np.arange(60) - 20) / steps, 0, 1)
        truth = np.where(np.arange(60) < 20 + (steps + 1) // 2, 1.0, 4.0)
        found = boundary_f1(slope[None].repeat(3, 0), truth[None].repeat(3, 0))
        assert (found.recall, found.precision) == pytest.approx((recall / 4, precision / 4))


def test_a_weak_jump_counts_at_the_thresholds_below_it() -> None:
    weak = box(near=6 / 1.1)
    found = boundary_f1(weak, box())
    expected = WEIGHTS[THRESHOLDS < 1.1].sum()
    assert np.count_nonzero(THRESHOLDS < 1.1) == 3
    assert (found.f1, found.recall, found.precision) == pytest.approx((expected,) * 3)


def test_relations_with_unknown_pixels_do_not_count() -> None:
    depth, valid = box(), np.ones((12, 16), bool)
    depth[0, 0] = 0.01
    assert boundary_f1(depth, box()).precision < 1
    valid[0, 0] = False
    assert boundary_f1(depth, box(), valid).f1 == pytest.approx(1)
    depth[0, 0] = np.nan
    assert boundary_f1(depth, box(), valid).f1 == pytest.approx(1)


def test_fast_and_slow_agree() -> None:
    rng = np.random.default_rng(1)
    for _ in range(4):
        truth = rng.uniform(1, 1.5, (9, 11))
        depth = truth * rng.uniform(0.9, 1.1, truth.shape)
        valid = rng.random(truth.shape) < 0.8
        found = boundary_f1(depth, truth, valid)
        assert (found.f1, found.precision, found.recall) == pytest.approx(slow_f1(depth, truth, valid))
        assert 0.1 < found.f1 < 0.9


def test_infinitely_far_is_a_sky_behind_everything() -> None:
    sky = box()
    sky[sky == 6] = np.inf
    assert boundary_f1(sky, box()).f1 == pytest.approx(1)


def slow_steepest(row: np.ndarray, t: float) -> list[bool]:
    kept, index = [False] * len(row), 0
    while index < len(row):
        if row[index] <= t:
            index += 1
            continue
        end = index
        while end < len(row) and row[end] > t:
            end += 1
        kept[index + int(np.argmax(row[index:end]))] = True
        index = end
    return kept


def test_of_a_run_only_the_steepest_stays() -> None:
    rows = np.array([[1, 2, 3, 3, 1, 2, 1], [2, 2, 1, 1, 1, 1, 9], [1, 1, 1, 1, 1, 1, 1.0]])
    assert steepest(rows, 1.5).astype(int).tolist() == [
        [0, 0, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0]]  # fmt: skip
    many = np.round(np.random.default_rng(2).uniform(1, 1.4, (40, 23)), 1)  # with equal values
    for t in (0.9, 1.05, 1.2, 2.0):
        assert steepest(many, t).tolist() == [slow_steepest(row, t) for row in many]


def test_recall_of_a_matte() -> None:
    matte = box() < 6
    assert boundary_recall(box(), matte) == pytest.approx(1)
    assert boundary_recall(np.ones((12, 16)), matte) == 0
    assert boundary_recall(box(), ~matte) == 0  # what is in front is behind
    # A slope over many pixels has one relation left in each row, and not on the outline.
    wide = 1 / np.interp(np.hypot(*np.mgrid[-5.5:6, -6.5:9]), [0, 9], [8, 0.2])
    assert boundary_recall(wide, matte) < 0.2
    upright, lying = np.zeros((2, 8, 8), bool)
    upright[:, 3], lying[3] = True, True
    for thin in (upright, lying):
        assert boundary_recall(np.where(thin, 1.0, 1.12), thin) == pytest.approx(
            WEIGHTS[THRESHOLDS < 1.12].sum() / 2
        )


def test_frames_without_truth_do_not_count() -> None:
    all_, none = np.ones((12, 16), bool), np.zeros((12, 16), bool)
    frames = [(box(), box(), all_), (box(), box(), none), (np.ones((12, 16)), box(), all_)]
    assert mean_boundaries(iter(frames)).f1 == pytest.approx(0.5)
    with pytest.raises(UndefinedMeasure, match="no frame has truth"):
        mean_boundaries(iter(frames[1:2]))
    with pytest.raises(InputError, match="one size"):
        boundary_f1(box(), box()[1:])
    with pytest.raises(InputError, match="one size"):
        boundary_recall(box(), box()[1:] > 2)
