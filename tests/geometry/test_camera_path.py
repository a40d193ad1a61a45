"""The path's value type: motions between frames, and what is no path."""

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_path import CameraPath, inverse_pose

QUARTER = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])  # about y


def path(**changes):
    poses = np.stack([np.eye(4), QUARTER, QUARTER @ QUARTER])
    poses[:, :3, 3] = [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    parts = {
        "numbers": (7, 8, 12),
        "poses": poses,
        "intrinsics": (Intrinsics(100, 100, 32, 18),),
        "width": 64,
        "height": 36,
        "unit": "metres",
    }
    return CameraPath(**(parts | changes))


def test_relative_carries_points_from_target_to_source():
    cameras, point = path(), np.array([0.3, -0.2, 2, 1])
    world = cameras.pose(8) @ point
    assert np.allclose(cameras.pose(12) @ (cameras.relative(8, 12) @ point), world, atol=1e-12)
    assert np.allclose(cameras.relative(8, 12) @ cameras.relative(12, 8), np.eye(4), atol=1e-12)
    assert np.allclose(inverse_pose(cameras.poses) @ cameras.poses, np.eye(4), atol=1e-12)


def test_a_missing_frame_is_named():
    with pytest.raises(InputError, match="no frame 9: its 3 frames run from 7 to 12"):
        path().pose(9)


def test_lens_is_one_for_all_or_one_a_frame():
    assert path().lens(12).fx == 100
    lenses = tuple(Intrinsics(fx, fx, 32, 18) for fx in (100, 110, 120))
    assert path(intrinsics=lenses).lens(8).fx == 110
    half = path(intrinsics=lenses).resized(32, 18)
    assert (half.width, half.lens(8)) == (32, Intrinsics(55, 55, 16, 9))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"numbers": (7, 7, 8)}, "ascend"),
        ({"numbers": (7, 8)}, "shape"),
        ({"intrinsics": (Intrinsics(1, 1, 0, 0),) * 2}, "one lens or 3"),
        ({"unit": "feet"}, "unit"),
        ({"width": 0}, "pixels"),
        ({"poses": np.stack([np.eye(4)] * 2 + [np.diag([2.0, 2, 2, 1])])}, "frame 12 is scaled"),
        ({"poses": np.stack([np.diag([1.0, 1, -1, 1])] * 3)}, "frame 7 mirrors"),
        ({"poses": np.stack([np.full((4, 4), np.nan)] * 3)}, "not finite"),
        ({"poses": np.stack([np.ones((4, 4))] * 3)}, "0 0 0 1"),
    ],
)
def test_what_is_no_path_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        path(**changes)
