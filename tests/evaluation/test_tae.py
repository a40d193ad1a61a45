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
    with pytest.raises(UndefinedMeasure, match="no two frames"):
        alignment_error(wall(1), moved((0, 0, 0)), CAMERA)
    with pytest.raises(UndefinedMeasure, match="overlap"):
        alignment_error(wall(1, 1), moved((0, 0, 0), (99, 0, 0)), CAMERA)
