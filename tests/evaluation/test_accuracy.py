"""Accuracy protocols against hand-computed cases and properties."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from vdepth_core.errors import InputError, UsageError
from vdepth_core.evaluation.accuracy import evaluate_clip

PROTOCOLS = ["clip-lstsq", "first-frame", "per-frame", "median", "none"]


def scene(frames: int = 4, height: int = 12, width: int = 16) -> np.ndarray:
    """Depth (T, H, W) in 1..6 m that changes over time."""
    rng = np.random.default_rng(3)
    return rng.uniform(1, 6, (frames, height, width))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("quantity", ["disparity", "depth"])
def test_perfect_prediction_has_no_error(protocol: str, quantity: str) -> None:
    gt = scene()
    pred = 1 / gt if quantity == "disparity" else gt
    result = evaluate_clip(pred, gt, protocol=protocol, max_depth=10, quantity=quantity)
    assert result.protocol == protocol
    assert result.abs_rel == pytest.approx(0, abs=1e-12)
    assert result.rmse == pytest.approx(0, abs=1e-11)
    assert (result.delta1, result.delta2, result.delta3) == (1, 1, 1)
    assert (result.frames, result.frames_without_truth, result.pixels) == (4, 0, gt.size)


def test_hand_computed_errors_without_alignment() -> None:
    gt = np.array([[[2.0, 4.0, 0.0, np.inf]]])
    pred = np.array([[[3.0, 3.0, 9.0, 9.0]]])  # depth: errors 1 and -1, ratios 1.5 and 4/3
    result = evaluate_clip(pred, gt, protocol="none", quantity="depth", max_depth=80)
    assert result.abs_rel == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert result.sq_rel == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert result.rmse == pytest.approx(1)
    assert result.rmse_log == pytest.approx(math.sqrt((math.log(1.5) ** 2 + math.log(0.75) ** 2) / 2))
    assert (result.delta1, result.delta2, result.delta3) == (0, 1, 1)
    assert result.pixels == 2


@pytest.mark.parametrize("over", [True, False])
@pytest.mark.parametrize(
    ("ratio", "within"),
    [(1.249, (1, 1, 1)), (1.251, (0, 1, 1)), (1.562, (0, 1, 1)), (1.563, (0, 0, 1)), (1.953, (0, 0, 1)),
     (1.954, (0, 0, 0))],
)  # fmt: skip
def test_deltas_count_below_the_powers_of_five_quarters(
    ratio: float, within: tuple[int, int, int], over: bool
) -> None:
    gt = np.full((1, 2, 2), 4.0)
    result = evaluate_clip(gt * (ratio if over else 1 / ratio), gt, protocol="none", quantity="depth",
                           max_depth=80)  # fmt: skip
    assert (result.delta1, result.delta2, result.delta3) == within


def test_hand_computed_medians() -> None:
    gt = np.array([[[1.0, 2.0, 9.0]], [[2.0, 2.0, 2.0]]])
    pred = np.array([[[2.0, 4.0, 5.0]], [[0.5, 0.5, 1.0]]])  # depth; frame by frame times 1/2 and 4
    result = evaluate_clip(pred, gt, protocol="median", quantity="depth", max_depth=10)
    assert result.abs_rel == pytest.approx(((0 + 0 + 6.5 / 9) / 3 + (0 + 0 + 1) / 3) / 2)
    assert math.isnan(result.scale)
    assert math.isnan(result.shift)


def test_disparity_is_at_least_a_thousandth_before_and_after_alignment() -> None:
    gt = np.full((1, 1, 2), 2000.0)
    pred = np.array([[[0.0, 1e-3]]])
    result = evaluate_clip(pred, gt, protocol="none", max_depth=1e5)
    assert result.abs_rel == pytest.approx(0.5)  # both become 1000 m
    gt, pred = np.array([[[0.5, 100, 100]]]), np.array([[[1.0, 2.0, 3.0]]])
    result = evaluate_clip(pred, gt, protocol="first-frame", max_depth=1e5)
    line = result.scale * pred + result.shift
    assert line.min() < 1e-3  # else nothing is shown here
    assert result.abs_rel == pytest.approx(np.mean(np.abs(1 / np.maximum(line, 1e-3) - gt) / gt))


def test_truth_counts_strictly_between_the_ends_of_the_range() -> None:
    gt = np.array([[[1e-3, 1.1e-3, 1.0, 2.0]]])
    pred = np.ones_like(gt)
    assert evaluate_clip(pred, gt, protocol="none", quantity="depth", max_depth=2).pixels == 2
    assert evaluate_clip(pred, gt, protocol="none", quantity="depth", max_depth=2.1, min_depth=1).pixels == 1
    with pytest.raises(UsageError, match="empty"):
        evaluate_clip(pred, gt, max_depth=1, min_depth=1)


def test_an_infinite_depth_is_sky_and_an_infinite_disparity_is_broken() -> None:
    gt = np.full((1, 2, 2), 5.0)
    sky = np.full(gt.shape, np.inf)
    assert evaluate_clip(sky, gt, protocol="clip-lstsq", quantity="depth", max_depth=10).shift > 0
    with pytest.raises(InputError, match="not finite"):
        evaluate_clip(sky, gt, max_depth=10)
    with pytest.raises(InputError, match="one \\(height, width\\) map"):
        evaluate_clip(gt[..., None], gt[..., None], max_depth=10)


def test_large_values_that_vary_little_still_have_a_slope() -> None:
    gt = scene()
    pred = 1e6 + 1 / gt
    assert evaluate_clip(pred, gt, max_depth=10).scale == pytest.approx(1, rel=1e-4)


def test_hand_computed_least_squares_over_the_clip() -> None:
    # Points (x, 1/g): (1, 1), (2, 1), (3, 2) over two frames: line 1/g = 0.5 x + 1/3.
    pred = [np.array([[1.0, 2.0]]), np.array([[3.0, 7.0]])]
    gt = [np.array([[1.0, 1.0]]), np.array([[0.5, 0.0]])]
    result = evaluate_clip(pred, gt, max_depth=10)
    assert (result.scale, result.shift) == pytest.approx((0.5, 1 / 3))
    first = (abs(6 / 5 - 1) + abs(6 / 8 - 1)) / 2
    second = abs(6 / 11 - 0.5) / 0.5
    assert result.abs_rel == pytest.approx((first + second) / 2)  # mean of frames, not of pixels


def test_matches_a_plain_least_squares_over_all_pixels() -> None:
    rng = np.random.default_rng(0)
    gt = scene()
    pred = 1 / gt + rng.uniform(0, 0.2, gt.shape)
    gt[rng.random(gt.shape) < 0.2] = 0
    valid = gt > 1e-3
    design = np.stack([pred[valid], np.ones(valid.sum())], axis=1)
    scale, shift = np.linalg.lstsq(design, 1 / gt[valid], rcond=None)[0]
    result = evaluate_clip(pred, gt, max_depth=10)
    assert (result.scale, result.shift) == pytest.approx((scale, shift), rel=1e-10)


@pytest.mark.parametrize(("scale", "shift"), [(3.0, 2.0), (-1.0, 9.0), (1e-3, 1e4), (250.0, 17.0)])
def test_clip_lstsq_does_not_see_an_affine_change(scale: float, shift: float) -> None:
    rng = np.random.default_rng(1)
    gt = scene()
    pred = 1 / gt + rng.uniform(0, 0.1, gt.shape)
    one = evaluate_clip(pred, gt, max_depth=10)
    two = evaluate_clip(scale * pred + shift, gt, max_depth=10)
    assert two.abs_rel == pytest.approx(one.abs_rel, rel=1e-6)
    assert two.delta1 == pytest.approx(one.delta1)
    assert one.abs_rel > 0.01


def test_per_frame_fit_hides_a_scale_flicker_that_the_clip_fit_shows() -> None:
    gt = scene()
    flicker = np.array([1, 1.3, 0.8, 1.2])[:, None, None]
    scores = {p: evaluate_clip(flicker / gt, gt, protocol=p, max_depth=10).abs_rel for p in PROTOCOLS}
    assert scores["per-frame"] == pytest.approx(0, abs=1e-10)
    assert scores["median"] == pytest.approx(0, abs=1e-10)
    assert scores["clip-lstsq"] > 0.1
    assert scores["first-frame"] > 0.1


def test_first_frame_fit_shows_drift_and_waits_for_truth() -> None:
    gt = scene()
    gt[0] = 0
    drift = np.array([1, 1, 1, 2.0])[:, None, None]
    pred = drift / np.where(gt > 0, gt, 1)
    result = evaluate_clip(pred, gt, protocol="first-frame", max_depth=10)
    assert (result.frames, result.frames_without_truth) == (3, 1)
    assert result.abs_rel == pytest.approx(0.5 / 3)  # frames 1, 2 perfect, frame 3 at half its depth
    assert (result.scale, result.shift) == pytest.approx((1, 0), abs=1e-9)


def test_constant_prediction_gets_the_mean_disparity() -> None:
    gt = scene()
    result = evaluate_clip(np.full(gt.shape, 0.7), gt, max_depth=10)
    assert result.scale == 0
    assert result.shift == pytest.approx(np.mean(1 / gt))
    assert result.abs_rel > 0.2


def test_depth_is_clipped_to_the_range() -> None:
    gt = np.full((1, 2, 2), 5.0)
    far = evaluate_clip(np.full((1, 2, 2), np.inf), gt, protocol="none", quantity="depth", max_depth=10)
    assert far.abs_rel == pytest.approx(1)
    zero = evaluate_clip(np.zeros((1, 2, 2)), gt, protocol="none", max_depth=10)  # disparity 0 = far
    assert zero.abs_rel == pytest.approx(1)


def test_truth_outside_the_range_does_not_count() -> None:
    gt = np.array([[[0.0, np.nan, np.inf, 10.0, 5e-4, 2.0, -1.0]]])
    result = evaluate_clip(np.full(gt.shape, 0.5), gt, protocol="none", max_depth=10)
    assert result.pixels == 1
    assert result.abs_rel == pytest.approx(0)


def test_small_predictions_are_resized_bilinearly() -> None:
    ramp = np.linspace(0.2, 0.6, 8)
    fine = np.broadcast_to(ramp, (2, 6, 8))
    coarse = fine[:, ::2, :].reshape(2, 3, 4, 2).mean(-1)
    inner = np.zeros((2, 6, 8))
    inner[:, :, 1:-1] = 1 / fine[:, :, 1:-1]  # bilinear is exact on a ramp, except past the outermost centres
    assert evaluate_clip(coarse, inner, protocol="none", max_depth=10).abs_rel == pytest.approx(0, abs=1e-9)


def test_generators_and_functions() -> None:
    gt = scene()

    def fresh() -> Iterator[np.ndarray]:
        yield from 1 / gt

    assert evaluate_clip(fresh, lambda: iter(gt), max_depth=10).abs_rel == pytest.approx(0, abs=1e-12)
    assert evaluate_clip(fresh(), iter(gt), protocol="none", max_depth=10).frames == 4
    with pytest.raises(UsageError, match="only once"):
        evaluate_clip(fresh(), gt, max_depth=10)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_missing_prediction_is_an_error(protocol: str) -> None:
    gt = scene()
    with pytest.raises(InputError, match="frame 3 is missing"):
        evaluate_clip((1 / gt)[:3], gt, protocol=protocol, max_depth=10)
    with pytest.raises(InputError, match="frame 1 is missing"):
        evaluate_clip([1 / gt[0], None, 1 / gt[2], 1 / gt[3]], gt, protocol=protocol, max_depth=10)
    with pytest.raises(InputError, match="no ground truth for the prediction of frame 2"):
        evaluate_clip(1 / gt, gt[:2], protocol=protocol, max_depth=10)


def test_unusable_input_is_named() -> None:
    gt = scene()
    broken = 1 / gt
    broken[2, 0, 0] = np.nan
    with pytest.raises(InputError, match="frame 2 holds values that are not finite"):
        evaluate_clip(broken, gt, max_depth=10)
    with pytest.raises(InputError, match="no valid pixel"):
        evaluate_clip(1 / gt, np.zeros_like(gt), max_depth=10)
    with pytest.raises(UsageError, match="clip-lstsq, first-frame"):
        evaluate_clip(1 / gt, gt, protocol="best", max_depth=10)
    with pytest.raises(UsageError, match="empty"):
        evaluate_clip(1 / gt, gt, max_depth=0)
