"""What moves by itself is found whatever its depth; a still scene is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from layered import K, footage_of, pictures, travelling

from vdepth_core.adaptation.moving import find_moving, moving_confidence, open_static
from vdepth_core.progress import Progress


def test_moving_thing_is_found_and_still_ones_are_not(tmp_path: Path) -> None:
    cameras = travelling(9)
    frames, _, things = pictures(cameras, shift=(-0.01, 0.07))  # not along the epipolar lines
    with footage_of(tmp_path, frames) as footage, open_static(tmp_path, footage) as static:
        find_moving(footage, static, K, cameras, [range(9)], [4], Progress())
        found = static.read(4)[0] < 128
        assert static.missing() == []
    moves = things[4] == 2
    shared = (found & moves).sum() / (found | moves).sum()
    assert shared > 0.5
    still = pictures(cameras)[0]
    with footage_of(tmp_path / "still", still) as footage, open_static(tmp_path / "still", footage) as static:
        find_moving(footage, static, K, cameras, [range(9)], [4], Progress())
        assert (static.read(4)[0] < 128).mean() < 0.03


def test_frames_without_a_camera_count_as_still(tmp_path: Path) -> None:
    cameras = travelling(5)
    with footage_of(tmp_path, pictures(cameras)[0]) as footage, open_static(tmp_path, footage) as static:
        find_moving(footage, static, K, cameras, [range(3)], [1], Progress())
        assert (static.read(4) == 255).all()


@pytest.mark.parametrize("known", [0.0, 1.0])
def test_confidence_of_exact_flow(known: float) -> None:
    """Flow of a plane seen by a camera that goes aside; and of nothing that is known."""
    pose = np.eye(4)
    pose[0, 3] = 0.1
    flow = np.zeros((2, 64, 96, 2))
    flow[..., 0] = K[0, 0] * 0.1 / 4
    flow[1] *= -1
    flow[:, 20:50, 30:60, 1] = 6
    poses = np.stack((pose, np.linalg.inv(pose)))
    confidence = moving_confidence(flow, np.full(flow.shape[:3], known), K, poses)
    assert confidence[10, 10] > 0.99
    assert confidence[35, 45] < 0.2 if known else confidence[35, 45] == 1
