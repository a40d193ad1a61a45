"""Scale and shift between predicted disparity and a solve, on numbers one can check by hand."""

import random

import pytest

from blender_addon.result.align import MIN_POINTS, solve_alignment


def line(count: int, scale: float, shift: float, seed: int = 1) -> tuple[list[float], list[float]]:
    """Predicted disparities in [0.1, 1], and inverse depths that scale and shift explain exactly."""
    chance = random.Random(seed)
    predicted = [chance.uniform(0.1, 1) for _ in range(count)]
    return predicted, [(d + shift) / scale for d in predicted]


def test_numbers_done_by_hand():
    # z' = 2·z / (1 + 0.5·z): z = 1 -> 4/3, 2 -> 2, 4 -> 8/3, 5 -> 20/7, 8 -> 3.2, 10 -> 10/3
    depths = [1, 2, 4, 5, 8, 10]
    solved = [4 / 3, 2, 8 / 3, 20 / 7, 3.2, 10 / 3]
    found = solve_alignment([1 / z for z in depths], [1 / z for z in solved])
    assert (found.scale, found.shift) == pytest.approx((2, 0.5))
    assert (found.points, found.inliers, found.note) == (6, 6, "")
    assert found.error < 1e-9


@pytest.mark.parametrize(("scale", "shift"), [(0.01, 0.0), (3.7, 0.8), (250, -0.05)])
def test_exact_points_are_explained_exactly(scale, shift):
    found = solve_alignment(*line(40, scale, shift))
    assert found.scale == pytest.approx(scale, rel=1e-6)
    assert found.shift == pytest.approx(shift, abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", ["scattered", "on another line"])
def test_forty_five_in_a_hundred_tracks_may_be_wrong(seed, kind):
    predicted, solved = line(100, 3.0, 0.2, seed)
    chance = random.Random(seed)
    for i in range(45):
        solved[i] = chance.uniform(0.05, 2) if kind == "scattered" else predicted[i] * 0.9 + 0.5
    found = solve_alignment(predicted, solved)
    assert (found.scale, found.shift) == pytest.approx((3.0, 0.2), rel=1e-3)
    assert 55 <= found.inliers <= 62
    assert found.error < 1e-3


@pytest.mark.parametrize("seed", range(10))
def test_noise_and_wrong_tracks_together(seed):
    predicted, solved = line(300, 3.0, 0.2, seed)
    chance = random.Random(seed)
    solved = [y * chance.gauss(1, 0.02) for y in solved]
    for i in range(120):
        solved[i] = chance.uniform(0.05, 1)
    found = solve_alignment(predicted, solved)
    at = [abs((d + found.shift) / found.scale / ((d + 0.2) / 3.0) - 1) for d in (0.1, 0.3, 0.6, 1)]
    assert max(at) < 0.03
    assert found.error < 0.03


def test_few_points_give_a_scale_and_say_so():
    predicted, solved = line(MIN_POINTS - 1, 4.0, 0.0)
    found = solve_alignment(predicted, solved)
    assert (found.scale, found.shift) == pytest.approx((4.0, 0.0))
    assert "scale only" in found.note
    assert solve_alignment([0.5], [0.25]).scale == pytest.approx(2)


def test_points_at_one_distance_give_a_scale_and_say_so():
    predicted = [0.5 + 0.001 * i for i in range(12)]
    found = solve_alignment(predicted, [d / 3 for d in predicted])
    assert (found.scale, found.shift) == pytest.approx((3, 0))
    assert "equally far" in found.note


def test_depth_the_wrong_way_round_gives_a_scale():
    predicted = [0.1 * i for i in range(1, 11)]
    found = solve_alignment(predicted, [1.2 - d for d in predicted])
    assert found.scale > 0
    assert found.shift == 0
    assert "scale only" in found.note


def test_a_wall_the_depth_does_not_show_flat_does_not_decide():
    chance = random.Random(5)
    wall = [(chance.uniform(0.1, 0.3), 0.06 * chance.gauss(1, 0.03)) for _ in range(120)]
    near = [(d, 0.25 * d) for d in (chance.uniform(0.5, 1) for _ in range(60))]
    predicted, solved = zip(*wall, *near, strict=True)
    found = solve_alignment(predicted, solved)
    assert 0 < found.shift < 0.5  # 1/z' of the wall's middle and of the near end are then both about right
    assert (0.2 + found.shift) / found.scale == pytest.approx(0.06, rel=0.25)
    assert (1 + found.shift) / found.scale == pytest.approx(0.25, rel=0.25)


def test_unrelated_points_give_a_scale():
    chance = random.Random(3)
    found = solve_alignment(*[[chance.uniform(0.1, 1) for _ in range(60)] for _ in range(2)])
    assert found.scale > 0
    assert "scale only" in found.note


def test_the_far_end_stays_in_front_of_the_camera():
    # The points ask for shift −0.08, which would put disparity 0.05 behind the camera.
    predicted, solved = line(50, 2.0, -0.08)
    found = solve_alignment(predicted, solved, floor=0.05)
    assert found.shift == pytest.approx(-0.049)
    assert (0.05 + found.shift) / found.scale > 0
    assert found.note
    assert solve_alignment(predicted, solved, floor=0.1).shift == pytest.approx(-0.08)


def test_points_without_a_depth_are_left_out():
    predicted, solved = line(20, 2.0, 0.1)
    found = solve_alignment([*predicted, 0, 0.5], [*solved, 0.3, -1])
    assert found.points == 20
    with pytest.raises(ValueError, match="no point"):
        solve_alignment([0.0], [1.0])
