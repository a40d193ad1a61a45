"""The Eigen protocol against a slow reference, known crops and cases made by hand."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from vdepth_core.errors import InputError, UsageError
from vdepth_core.evaluation.accuracy import Accuracy, evaluate_clip
from vdepth_core.evaluation.eigen import garg_crop
from vdepth_core.evaluation.evaluate import evaluate


def score(pred: list[np.ndarray], truth: list[np.ndarray], quantity: str = "disparity") -> Accuracy:
    return evaluate_clip(pred, truth, protocol="eigen", max_depth=80, quantity=quantity)


def laser(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Disparity (h, w) of a quarter of the truth's size, and truth (H, W), one pixel in five known."""
    rng = np.random.default_rng(seed)
    truth = np.geomspace(90, 3, height)[:, None] * rng.uniform(0.7, 1.4, (height, width))
    truth[rng.random(truth.shape) > 0.2] = 0
    return rng.uniform(0.011, 0.6, (height // 4, width // 4)), truth


def reference(pred: list[np.ndarray], truth: list[np.ndarray]) -> list[float]:
    """The protocol pixel by pixel, as its description reads; only the resizing is OpenCV's."""
    pictures = []
    for disparity, gt in zip(pred, truth, strict=True):
        height, width = gt.shape
        resized = cv2.resize(disparity, (width, height), interpolation=cv2.INTER_LINEAR)
        known, found = [], []
        for row in range(height):
            for column in range(width):
                inside = math.floor(0.40810811 * height) <= row < math.floor(
                    0.99189189 * height
                ) and math.floor(0.03594771 * width) <= column < math.floor(0.96405229 * width)
                if inside and 1e-3 < gt[row, column] < 80:
                    known.append(gt[row, column])
                    found.append(1 / resized[row, column])
        ratio = np.median(known) / np.median(found)
        sums = [0.0] * 7
        for g, d in zip(known, found, strict=True):
            scaled = min(max(d * ratio, 1e-3), 80)
            sums[0] += abs(scaled - g) / g
            sums[1] += (scaled - g) ** 2 / g
            sums[2] += (scaled - g) ** 2
            sums[3] += (math.log(scaled) - math.log(g)) ** 2
            for power in (1, 2, 3):
                sums[3 + power] += max(scaled / g, g / scaled) < 1.25**power
        means = [total / len(known) for total in sums]
        pictures.append([*means[:2], math.sqrt(means[2]), math.sqrt(means[3]), *means[4:]])
    return np.mean(pictures, axis=0).tolist()


@pytest.mark.parametrize("quantity", ["disparity", "depth"])
def test_agrees_with_the_slow_reference_on_pictures_of_several_sizes(quantity: str) -> None:
    pairs = [laser(96, 310, 0), laser(92, 306, 1), laser(94, 309, 2)]
    pred, truth = [p for p, _ in pairs], [g for _, g in pairs]
    a = score(pred if quantity == "disparity" else [1 / p for p in pred], truth, quantity)
    ours = [a.abs_rel, a.sq_rel, a.rmse, a.rmse_log, a.delta1, a.delta2, a.delta3]
    assert ours == pytest.approx(reference(pred, truth), rel=1e-12)
    assert (a.protocol, a.frames) == ("eigen", 3)
    assert a.abs_rel > 0.1
    assert math.isnan(a.scale)
    assert math.isnan(a.shift)


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (375, 1242, (153, 371), (44, 1197)),
        (370, 1226, (151, 366), (44, 1181)),  # .99189189 * 370 is 366.9999993: cut, not rounded
        (370, 1224, (151, 366), (43, 1180)),  # .03594771 * 1224 is 43.999997
        (374, 1238, (152, 370), (44, 1193)),
        (376, 1241, (153, 372), (44, 1196)),
        (192, 640, (78, 190), (23, 616)),
        (1, 1, (0, 0), (0, 0)),
    ],
)
def test_crop_is_exact(height: int, width: int, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    assert garg_crop(height, width) == (slice(*rows), slice(*columns))


def test_truth_counts_just_inside_the_crop_and_not_just_outside() -> None:
    flat = np.ones((375, 1242))
    for row, column in [(153, 44), (153, 1196), (370, 44), (370, 1196)]:
        truth = np.zeros((375, 1242))
        truth[row, column] = 5
        assert score([flat], [truth]).pixels == 1
    truth = np.full((375, 1242), 5.0)
    truth[153:371, 44:1197] = 0
    with pytest.raises(InputError, match="in the Garg crop"):
        score([flat], [truth])
    truth[200, 300] = 7
    assert score([flat], [truth]).abs_rel == pytest.approx(0)  # 5 m outside moves no median


def in_crop(values: list[float]) -> np.ndarray:
    """A picture of 50 x 100 whose first known pixels are these; the crop is rows 20:49, columns 3:96."""
    picture = np.zeros((50, 100))
    picture[30, 10 : 10 + len(values)] = values
    return picture


def test_each_picture_has_a_median_of_its_own_over_what_counts() -> None:
    assert garg_crop(50, 100) == (slice(20, 49), slice(3, 96))
    truth = [in_crop([1, 2, 9]), in_crop([2, 2, 2]), in_crop([])]
    pred = [in_crop([2, 4, 5]), in_crop([0.5, 0.5, 1]), in_crop([])]  # depth: times 1/2, times 4, no truth
    for p in pred:
        p[p == 0] = 1000  # would move the median if all pixels had a say
    a = score(pred, truth, "depth")
    assert a.abs_rel == pytest.approx(((0 + 0 + 6.5 / 9) / 3 + (0 + 0 + 1) / 3) / 2)
    assert (a.frames, a.frames_without_truth, a.pixels) == (2, 1, 6)


def test_depth_is_clipped_after_it_was_scaled() -> None:
    # Medians 10 and 1000: scaled 1, 10, 1000, the last is clipped to 80. Clipped first, all would be 10.
    a = score([in_crop([100, 1000, 1e5])], [in_crop([1, 10, 40])], "depth")
    assert a.abs_rel == pytest.approx((0 + 0 + 1) / 3)
    near = score([in_crop([1e-9, 1, 1])], [in_crop([2e-3, 1, 1])], "depth")
    assert near.abs_rel == pytest.approx(0.5 / 3)  # clipped to 1e-3
    sky = score([in_crop([1, 1, 0])], [in_crop([5, 5, 40])])
    assert sky.abs_rel == pytest.approx(1 / 3)  # no disparity: 80 m


def test_the_ends_of_the_range_do_not_count_and_another_range_is_refused() -> None:
    assert score([np.ones((50, 100))], [in_crop([1e-3, 80, 5, np.nan, np.inf, -1])]).pixels == 1
    for low, high in [(1e-3, 50), (0.5, 80)]:
        with pytest.raises(UsageError, match=r"from 0\.001 to 80 m, not"):
            evaluate_clip(
                [np.ones((50, 100))], [in_crop([5])], protocol="eigen", min_depth=low, max_depth=high
            )


def test_scale_is_forgiven_to_the_picture_and_shift_is_not() -> None:
    pred, truth = laser(96, 310, 3)
    whole = score([pred], [truth])
    assert score([pred * 1e-5], [truth]).abs_rel == pytest.approx(whole.abs_rel, rel=1e-9)  # no floor bites
    assert score([pred + 0.5], [truth]).abs_rel != pytest.approx(whole.abs_rel, rel=1e-2)


def test_a_folder_of_pictures_of_several_sizes(tmp_path: Path) -> None:
    for name in ("pred", "truth"):
        (tmp_path / name).mkdir()
    for index, shape in enumerate([(96, 310), (92, 306)]):
        pred, truth = laser(*shape, seed=index)
        np.save(tmp_path / "pred" / f"{index}.npy", pred)
        cv2.imwrite(str(tmp_path / "truth" / f"{index}.png"), np.round(truth * 256).astype(np.uint16))
    found = evaluate(
        tmp_path / "pred", tmp_path / "truth", protocol="eigen", quantity="disparity", gt_scale=256
    )
    assert found.accuracy.frames == 2
    assert {score.protocol for score in found.baselines.values()} == {"eigen"}
    assert found.alignment == "clip-lstsq"
    assert found.tgm is None
    assert "nothing is said about time" in found.notes[0]
    assert found.to_dict()["accuracy"]["scale"] is None
