"""rTC and aTC against hand-computed cases, and what they reward."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.errors import InputError, UsageError
from vdepth_core.evaluation.accuracy import evaluate_clip
from vdepth_core.evaluation.temporal import RTC_THRESHOLDS, atc, consistency, rtc


def still(a: np.ndarray, _b: np.ndarray) -> np.ndarray:
    return np.zeros((*a.shape[:2], 2), np.float32)


def panned(count: int = 5, height: int = 24, width: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Depth (T, H, W) and pictures (T, H, W, 3) of a wall that slides two pixels to the left each frame."""
    rng = np.random.default_rng(2)
    wide = width + 2 * count
    picture = rng.integers(0, 256, (height, wide, 3), np.uint8)
    depth = rng.uniform(1, 5, (height, wide)).astype(np.float32)
    starts = [2 * i for i in range(count)]
    return (
        np.stack([depth[:, s : s + width] for s in starts]),
        np.stack([picture[:, s : s + width] for s in starts]),
    )


def left(a: np.ndarray, _b: np.ndarray) -> np.ndarray:
    return still(a, a) + np.float32([-2, 0])


def test_hand_computed_pair() -> None:
    first, second = np.array([[1.0, 2.0, 4.0, 1.0]]), np.array([[1.04, 2.0, 4.8, 1.0]])
    pictures = np.zeros((2, 1, 4, 3))
    pictures[1, 0, 3] = 0.5  # no longer the same thing: does not count
    result = consistency([first, second], pictures, still)
    assert result.rtc == pytest.approx({1.01: 1 / 3, 1.05: 2 / 3, 1.1: 2 / 3, 1.25: 1})
    assert result.atc == pytest.approx((0.04 + 0 + 0.2) / 3, rel=1e-5)
    assert (result.pairs, result.visible) == (1, 0.75)


def test_ratio_counts_both_ways() -> None:
    pictures = np.zeros((2, 1, 1, 3))
    for pair in ([np.array([[1.0]]), np.array([[1.2]])], [np.array([[1.2]]), np.array([[1.0]])]):
        assert rtc(pair, pictures, still, thresholds=(1.19, 1.21)) == {1.19: 0, 1.21: 1}


def test_depth_that_moves_with_the_picture_is_perfect() -> None:
    depth, pictures = panned()
    result = consistency(depth, pictures, left)
    assert result.rtc == dict.fromkeys(RTC_THRESHOLDS, 1.0)
    assert result.atc == pytest.approx(0, abs=1e-6)
    assert result.visible == pytest.approx(30 / 32)  # two columns have left the picture


def test_flow_is_used() -> None:
    depth, pictures = panned()
    flat = np.full_like(pictures, 90)  # without texture every pixel counts, so a wrong flow must show
    assert rtc(depth, flat, left)[1.01] == 1
    assert rtc(depth, flat, still)[1.25] < 0.6


def test_constant_video_scores_one_and_accuracy_tells() -> None:
    depth, pictures = panned()
    constant = np.ones_like(depth)
    assert rtc(constant, pictures, left) == dict.fromkeys(RTC_THRESHOLDS, 1.0)
    assert atc(constant, pictures, left) == 0
    assert evaluate_clip(constant, depth, max_depth=10).abs_rel > 0.2


def test_flicker_lowers_rtc_and_raises_atc() -> None:
    depth, pictures = panned()
    flicker = depth * np.array([1, 1.04, 1, 1.04, 1], np.float32)[:, None, None]
    result = consistency(flicker, pictures, left)
    assert result.rtc == {1.01: 0, 1.05: 1, 1.1: 1, 1.25: 1}
    assert result.atc == pytest.approx((0.04 + (1 - 1 / 1.04)) / 2, rel=1e-4)
    ladder = [
        rtc(depth ** (1 + k * (-1) ** np.arange(5)[:, None, None]), pictures, left)[1.05]
        for k in (0, 0.05, 0.2)
    ]
    assert ladder[0] > ladder[1] > ladder[2]


def test_scale_does_not_matter() -> None:
    depth, pictures = panned()
    noisy = depth * np.random.default_rng(0).uniform(0.95, 1.05, depth.shape).astype(np.float32)
    one, two = consistency(noisy, pictures, left), consistency(8 * noisy, pictures, left)
    assert one == two


def test_streams() -> None:
    depth, pictures = panned()
    assert consistency(iter(depth), iter(pictures), left) == consistency(depth, pictures, left)


def test_pairs_without_a_match_are_counted_not_scored() -> None:
    pictures = np.zeros((3, 2, 2, 3))
    pictures[2] = 1
    result = consistency(np.ones((3, 2, 2)), pictures, still)
    assert (result.pairs, result.pairs_without_match) == (1, 1)
    with pytest.raises(InputError, match="visible pixel"):
        consistency(np.ones((2, 2, 2)), pictures[1:], still)


@pytest.mark.parametrize(("step", "visible"), [(0.0570, True), (0.0585, False)])
def test_a_pixel_counts_while_its_colour_is_less_than_a_tenth_away(step: float, visible: bool) -> None:
    pictures = np.zeros((2, 2, 2, 3))
    pictures[1] = step  # in each channel: sqrt(3) times that
    pictures[1, 0, 0] = 0  # one pixel always counts
    assert consistency(np.ones((2, 2, 2)), pictures, still).visible == (1 if visible else 0.25)
    eight_bits = np.round(pictures * 255).astype(np.uint8)  # 15 of 255 three times is 0.1019
    assert consistency(np.ones((2, 2, 2)), eight_bits, still).visible == 0.25
    assert consistency(np.ones((2, 2, 2)), eight_bits, still, max_difference=0.103).visible == 1


def test_every_pair_counts_alike() -> None:
    """However many of its pixels are visible."""
    depth = np.array([[[1.0, 1.0]], [[2.0, 2.0]], [[2.0, 2.0]]])
    pictures = np.zeros((3, 1, 2, 3))
    pictures[0, 0, 0] = 1  # of the first pair only one pixel counts
    result = consistency(depth, pictures, still)
    assert result.atc == pytest.approx((1 + 0) / 2)
    assert result.visible == pytest.approx((0.5 + 1) / 2)
    assert result.rtc[1.25] == pytest.approx((0 + 1) / 2)


@pytest.mark.parametrize("flow", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_looking_outside_does_not_count_but_the_border_does(flow: tuple[int, int]) -> None:
    depth = np.ones((2, 4, 4))
    result = consistency(depth, np.zeros((2, 4, 4, 3)), lambda a, b: still(a, b) + np.float32(flow))
    assert result.visible == 12 / 16


def test_bilinear_half_pixel() -> None:
    depth = [np.array([[1.0, 3.0]]), np.array([[1.0, 3.0]])]
    pictures = np.zeros((2, 1, 2, 3))
    result = consistency(depth, pictures, lambda a, b: still(a, b) + np.float32([0.5, 0]))
    assert result.atc == pytest.approx(1)  # left pixel sees 2 m instead of 1 m, right pixel looks outside
    assert result.visible == 0.5


def test_unusable_input_is_named() -> None:
    depth, pictures = panned(3)
    with pytest.raises(InputError, match="Frame 2 has no depth"):
        consistency(depth[:2], pictures, left)
    with pytest.raises(InputError, match="frame 1 is not positive"):
        consistency(depth * np.array([1, 0, 1])[:, None, None], pictures, left)
    with pytest.raises(InputError, match="no two frames"):
        consistency(depth[:1], pictures[:1], left)
    with pytest.raises(InputError, match="picture"):
        consistency(depth[:, :-1], pictures, left)
    with pytest.raises(InputError, match="flow"):
        consistency(depth, pictures, lambda a, b: np.zeros((2, 2, 2)))
    with pytest.raises(UsageError, match="above 1"):
        consistency(depth, pictures, left, thresholds=(1.0,))
