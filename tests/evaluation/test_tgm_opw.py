"""TGM and OPW against hand-computed cases, and what they reward."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.evaluation.accuracy import evaluate_clip
from vdepth_core.evaluation.temporal import consistency
from vdepth_core.evaluation.tgm import gradient_matching
from vdepth_core.evaluation.undefined import UndefinedMeasure


def still(a: np.ndarray, _b: np.ndarray) -> np.ndarray:
    return np.zeros((*a.shape[:2], 2), np.float32)


def test_tgm_by_hand() -> None:
    truth = np.array([[[2.0, 4.0, 0.0]], [[3.0, 4.0, 5.0]]])
    depth = np.array([[[2.0, 4.0, 9.0]], [[2.5, 6.0, 1.0]]])
    # changes 0.5 and 2 against 1 and 0; the last pixel has truth only once
    assert gradient_matching(depth, truth, max_depth=10) == pytest.approx((0.5 + 2) / 2)
    assert gradient_matching(truth, truth, max_depth=10) == 0


def test_tgm_is_a_mean_of_pairs_over_truth_strictly_within_the_range() -> None:
    truth = np.array([[[1.0, 9.0]], [[2.0, 10.0]], [[2.0, 5.0]], [[2.0, 6.0]]])
    depth = np.array([[[1.0, 9.0]], [[1.0, 10.0]], [[1.0, 5.0]], [[1.0, 7.0]]])
    # pairs: |0 − 1|; 0; (0 + |2 − 1|) / 2 – truth of 10 is outside
    assert gradient_matching(depth, truth, max_depth=10) == pytest.approx((1 + 0 + 0.5) / 3)
    assert gradient_matching(depth, truth, max_depth=10, min_depth=2.5) == pytest.approx(1)
    tiny = np.array([[[1e-3, 1.5e-3]], [[1e-3, 1.5e-3]]])
    assert gradient_matching(tiny * [1, 1], tiny, max_depth=1) == 0
    with pytest.raises(UndefinedMeasure):
        gradient_matching(tiny[..., :1], tiny[..., :1], max_depth=1)


def test_tgm_does_not_care_which_way_but_how_far() -> None:
    truth = np.array([[[2.0]], [[3.0]]])
    assert gradient_matching(truth[::-1], truth, max_depth=10) == 0


def test_tgm_unusable_input_is_named() -> None:
    truth = np.ones((3, 2, 2))
    with pytest.raises(InputError, match="Frame 2 has no depth"):
        gradient_matching(truth[:2], truth, max_depth=10)
    with pytest.raises(InputError, match="Frame 0 has another size"):
        gradient_matching(truth[:, :1], truth, max_depth=10)
    with pytest.raises(UndefinedMeasure, match="truth"):
        gradient_matching(truth, np.zeros((3, 2, 2)), max_depth=10)


def test_opw_by_hand() -> None:
    depth = [np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 2.5, 5.0]])]
    pictures = np.zeros((2, 1, 3, 3))
    pictures[1, 0, 2] = (0.1, 0, 0)
    doubtful = math.exp(-50 * 0.01)  # Wang 2022
    spread = np.abs(np.array([1, 2, 3, 1, 2.5, 5]) - 2.25).mean()
    expected = (0.5 + doubtful * 2) / (2 + doubtful) / spread
    assert consistency(depth, pictures, still).opw == pytest.approx(expected, rel=1e-5)


def test_opw_does_not_see_scale_and_shift_of_the_clip_but_of_a_frame() -> None:
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 5, (4, 16, 16)) + rng.uniform(0, 0.2, (4, 16, 16))
    pictures = np.zeros((4, 16, 16, 3))
    one = consistency(depth, pictures, still).opw
    assert consistency(3 * depth + 7, pictures, still).opw == pytest.approx(one, rel=1e-4)
    flicker = depth[:1] * np.array([1, 1.2, 1, 1.2])[:, None, None]
    assert consistency(np.repeat(depth[:1], 4, 0), pictures, still).opw == 0
    assert consistency(flicker, pictures, still).opw > 0.1


def test_a_constant_video_is_perfect_and_accuracy_tells() -> None:
    rng = np.random.default_rng(1)
    truth = np.repeat(rng.uniform(1, 6, (1, 16, 16)), 3, 0)
    constant = np.full(truth.shape, 2.0)
    assert consistency(constant, np.zeros((*truth.shape, 3)), still).opw == 0
    assert gradient_matching(constant, truth, max_depth=10) == 0
    assert evaluate_clip(1 / constant, truth, max_depth=10).abs_rel > 0.2
