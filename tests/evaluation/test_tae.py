"""TAE against hand-computed cases, exact truth of a procedural clip, and what it rewards."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.evaluation.accuracy import evaluate_clip
from vdepth_core.evaluation.tae import alignment_error, splat
from vdepth_core.evaluation.undefined import UndefinedMeasure
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.scenes.clip import render_clip

CAMERA = Intrinsics(20.0, 20.0, 16.0, 12.0)
SHAPE = (24, 32)


def moved(*steps: tuple[float, float, float]) -> list[np.ndarray]:
    """Poses of a camera at these places, looking ahead."""
    poses = [np.eye(4) for _ in steps]
    for pose, step in zip(poses, steps, strict=True):
        pose[:3, 3] = step
    return poses


def wall(*depths: float) -> list[np.ndarray]:
    return [np.full(SHAPE, float(depth)) for depth in depths]


def test_a_wall_that_comes_nearer_as_the_camera_goes_has_no_error() -> None:
    result = alignment_error(wall(10, 9, 8), moved((0, 0, 0), (0, 0, 1), (0, 0, 2)), CAMERA)
    assert result.tae == pytest.approx(0, abs=1e-6)
    assert (result.pairs, result.pairs_without_overlap) == (2, 0)
    assert 0.5 < result.overlap <= 1


def test_hand_computed_wall_that_stays_away() -> None:
    # forward: 10 m becomes 9 m where 10 m is predicted: 0.1; back: 10 m becomes 11 m: 0.1
    result = alignment_error(wall(10, 10), moved((0, 0, 0), (0, 0, 1)), CAMERA)
    assert result.tae == pytest.approx(10)
    # forward: 10 becomes 9 against 5: 0.8; back: 5 becomes 6 against 10: 0.4
    result = alignment_error(wall(10, 5), moved((0, 0, 0), (0, 0, 1)), CAMERA)
    assert result.tae == pytest.approx(60)


def test_both_ways_count_alike_and_so_does_every_pair() -> None:
    # a step of 1 m over 10, 5: 80 % and 40 %; no step over 5, 5 after that: 0
    poses = moved((0, 0, 0), (0, 0, 1), (0, 0, 1))
    result = alignment_error(wall(10, 5, 5), poses, CAMERA)
    assert (result.tae, result.pairs) == (pytest.approx(30), 2)
    still = alignment_error(wall(3, 3), moved((0, 0, 0), (0, 0, 0)), CAMERA)
    assert still.overlap == 1
    half = [np.where(np.arange(32) < 16, depth, 0) for depth in wall(3, 3)]
    assert alignment_error(half, moved((0, 0, 0), (0, 0, 0)), CAMERA).overlap == 0.5


def test_a_turned_camera_is_turned_back() -> None:
    """A camera that turns about its axis sees the same wall at the same distance, and a tilted one."""
    angle = np.radians(30)
    roll, turn = np.eye(4), np.eye(4)
    roll[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert alignment_error(wall(4, 4), [np.eye(4), roll], CAMERA).tae == pytest.approx(0, abs=1e-9)
    turn[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    # the ray through the middle of a pixel (x, 0, 1) meets the wall z = 4 of camera 0, seen from the other
    x = (np.arange(32) + 0.5 - 16) / 20
    ahead = -np.sin(angle) * x + np.cos(angle)
    other = np.broadcast_to(4 / ahead, SHAPE)
    assert alignment_error([*wall(4), other], [np.eye(4), turn], CAMERA).tae < 4  # splatting to whole pixels
    assert alignment_error([*wall(4), other], [turn, np.eye(4)], CAMERA).tae > 20


def test_points_on_the_border_pixels_are_kept_and_beyond_dropped() -> None:
    corners = [(0.01, 0.01), (31.99, 0.01), (0.01, 23.99), (31.99, 23.99)]
    outside = [(-0.01, 5), (32.01, 5), (5, -0.01), (5, 24.01)]
    points = np.array([[(x - 16) / 20, (y - 12) / 20, 1.0] for x, y in corners + outside])
    image = splat(points, CAMERA, *SHAPE)
    assert np.count_nonzero(image) == 4
    assert (image[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()


def test_the_nearest_point_wins_and_points_behind_are_dropped() -> None:
    points = np.array([[0.0, 0, 4], [0, 0, 2], [0, 0, 3], [0, 0, -1], [1, 0, 10], [99, 0, 1]])
    image = splat(points, CAMERA, *SHAPE)
    assert image[12, 16] == 2
    assert image[12, 18] == 10  # 20 * 1 / 10 = 2 pixels to the right
    assert np.count_nonzero(image) == 2


def test_pixels_without_depth_do_not_count() -> None:
    poses = moved((0, 0, 0), (0, 0, 1))
    depth = wall(10, 9)
    depth[1][:, :16] = 3  # wrong, but masked
    masks = [np.ones(SHAPE, bool), np.ones(SHAPE, bool)]
    masks[1][:, :16] = False
    assert alignment_error(depth, poses, CAMERA, masks).tae == pytest.approx(0, abs=1e-6)
    depth[1][:, :16] = np.nan
    assert alignment_error(depth, poses, CAMERA).tae == pytest.approx(0, abs=1e-6)


def test_truth_of_a_rendered_clip_is_best_and_flicker_shows() -> None:
    clip = render_clip(7, 3, 96, 128)
    k = Intrinsics(clip.K[0, 0], clip.K[1, 1], clip.K[0, 2], clip.K[1, 2])
    poses = list(clip.poses)
    scores = [
        alignment_error(clip.depth * (1 + a * np.array([0, 1, 0]))[:, None, None], poses, k).tae
        for a in (0, 0.1, 0.3)
    ]
    assert scores[0] < 5  # splatting to whole pixels
    assert scores[0] + 5 < scores[1] < scores[2]


def test_a_constant_video_is_perfect_sideways_and_accuracy_tells() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 6, (3, *SHAPE))
    poses = moved((0, 0, 0), (0.1, 0, 0), (0.2, 0, 0))
    assert alignment_error(np.full(truth.shape, 3.0), poses, CAMERA).tae == pytest.approx(0, abs=1e-6)
    assert evaluate_clip(np.full(truth.shape, 1 / 3), truth, max_depth=10).abs_rel > 0.2


def test_unusable_input_is_named() -> None:
    with pytest.raises(InputError, match="Frame 2 has no pose"):
        alignment_error(wall(1, 1, 1), moved((0, 0, 0), (0, 0, 0)), CAMERA)
    with pytest.raises(InputError, match="Frame 1 has no mask"):
        alignment_error(wall(1, 1), moved((0, 0, 0), (0, 0, 0)), CAMERA, [np.ones(SHAPE, bool)])
    with pytest.raises(InputError, match="Frame 1 has no depth"):
        alignment_error(wall(1), moved((0, 0, 0), (0, 0, 0)), CAMERA)
    with pytest.raises(UndefinedMeasure, match="no two frames"):
        alignment_error(wall(1), moved((0, 0, 0)), CAMERA)
    with pytest.raises(UndefinedMeasure, match="overlap"):
        alignment_error(wall(1, 1), moved((0, 0, 0), (99, 0, 0)), CAMERA)
