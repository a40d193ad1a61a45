"""Cameras, focal length and the disparity's reading are found again where they are known exactly."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from layered import K, footage_of, path_error, pictures, travelling

from vdepth_core.adaptation.lens import matrix_at
from vdepth_core.adaptation.solving import solve
from vdepth_core.errors import InputError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.motion.reading import fit_reading
from vdepth_core.progress import Progress

COUNT = 10


@pytest.fixture(scope="module")
def shot() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cameras = travelling(COUNT, (0.07, 0.014, 0.042))  # as far as it takes to see depth
    frames, depth, _ = pictures(cameras)
    return cameras, frames, depth


def wrong(depth: np.ndarray) -> np.ndarray:
    """A model's disparity: 1.7 of inverse depth less a shift, and off by a fifth from place to place."""
    rng = np.random.default_rng(1)
    blobs = [cv2.resize(rng.normal(0, 0.2, (4, 7)), depth.shape[:0:-1]) for _ in depth]
    return np.maximum((1 / depth * (1 + np.stack(blobs)) - 0.1) / 1.7, 0)


def test_cameras_of_a_known_lens(shot: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    cameras, frames, depth = shot
    disparity = wrong(depth)
    with footage_of(tmp_path, frames) as footage:
        solved = solve(footage, disparity.__getitem__, True, K, None, Progress())
    assert solved.focal_known
    assert solved.trusted.all()
    assert path_error(solved.poses, cameras) < 0.01
    relative = np.linalg.inv(cameras[0]) @ cameras[-1]
    turn = solved.poses[-1, :3, :3].T @ solved.poses[0, :3, :3] @ relative[:3, :3]
    assert np.linalg.norm(cv2.Rodrigues(turn)[0]) < 0.01
    # poses, points and the reading are in one unit: the median point is at 1
    unit = np.linalg.norm(relative[:3, 3]) / np.linalg.norm(solved.poses[-1, :3, 3] - solved.poses[0, :3, 3])
    true = unit / depth[solved.points.frame, *solved.points.pixels.astype(int).T[::-1]]
    sure = solved.points.error < 0.1 * solved.points.inverse
    assert sure.mean() > 0.7
    assert np.median(np.abs(solved.points.inverse / true - 1)[sure]) < 0.03
    read = solved.scale * disparity + solved.shift
    assert np.median(np.abs(read * depth / unit - 1)) < 0.2
    assert np.median(solved.points.inverse) == pytest.approx(1)


def test_focal_length_is_found(shot: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    cameras, frames, depth = shot
    with footage_of(tmp_path, frames) as footage:
        solved = solve(footage, wrong(depth).__getitem__, True, None, None, Progress())
    assert not solved.focal_known
    assert solved.K[0, 0] == pytest.approx(K[0, 0], rel=0.1)
    assert solved.K[0, 0] == pytest.approx(solved.K[1, 1])
    assert abs(np.log(solved.K[0, 0] / K[0, 0])) < 4 * solved.focal_error
    assert path_error(solved.poses, cameras) < 0.02


def test_pixels_that_the_network_s_size_stretches_keep_their_shape(
    shot: tuple[np.ndarray, ...], tmp_path: Path
) -> None:
    cameras, frames, depth = shot
    height, width = depth.shape[1:]
    size = width * 3 // 4, height
    narrow = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
    disparity = np.stack([cv2.resize(disparity, size) for disparity in wrong(depth)])
    true = matrix_at(Intrinsics(K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5), (height, width), size[::-1])
    start = matrix_at(Intrinsics.default(width, height), (height, width), size[::-1])
    with footage_of(tmp_path, narrow) as footage:
        solved = solve(footage, disparity.__getitem__, True, None, None, Progress(), assumed=start)
    assert solved.K[0, 0] == pytest.approx(0.75 * solved.K[1, 1])
    assert solved.K[0, 0] == pytest.approx(true[0, 0], rel=0.1)
    assert path_error(solved.poses, cameras) < 0.02


def test_given_cameras_stay_and_depth_takes_their_unit(shot: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    cameras, frames, depth = shot
    exact = (1 / depth - 0.1) / 1.7
    with footage_of(tmp_path, frames) as footage:
        solved = solve(footage, exact.__getitem__, True, K, cameras, Progress())
    assert np.array_equal(solved.poses, cameras)
    assert solved.scale == pytest.approx(1.7, rel=0.12)
    assert np.median(np.abs((solved.scale * exact + solved.shift) * depth - 1)) < 0.03


def test_a_shot_left_out_and_two_in_one_unit(shot: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    _, frames, depth = shot
    still = np.repeat(frames[:1], 5, 0)
    # the second shot's world is twice as large: the same pictures, but disparity says so
    exact = np.concatenate([1 / depth, np.repeat(1 / depth[:1], 5, 0), 0.5 / depth])
    with footage_of(tmp_path, frames, still, frames) as footage:
        solved = solve(footage, exact.__getitem__, False, K, None, Progress(), shown=[True, False, True])
    assert solved.shift == 0
    assert not solved.trusted[COUNT : COUNT + 5].any()
    assert solved.trusted[:COUNT].all()
    assert solved.trusted[COUNT + 5 :].all()
    lengths = [
        np.linalg.norm(part[-1, :3, 3] - part[0, :3, 3])
        for part in (solved.poses[:COUNT], solved.poses[COUNT + 5 :])
    ]
    assert lengths[1] / lengths[0] == pytest.approx(2, rel=0.03)


def test_nothing_to_follow_is_refused(tmp_path: Path) -> None:
    flat = np.full((6, 64, 96, 3), 128, np.uint8)
    with footage_of(tmp_path, flat) as footage, pytest.raises(InputError, match="No camera path"):
        solve(footage, lambda _: np.ones((64, 96)), True, None, None, Progress())


def test_reading_is_robust_and_never_shifts_below_nothing() -> None:
    rng = np.random.default_rng(0)
    disparity = rng.uniform(0, 1, 400)
    inverse = 2 * disparity + 0.5 + rng.normal(0, 0.05, 400)
    inverse[:80] = rng.uniform(0, 6, 80)  # a fifth is wrong
    reading = fit_reading(disparity, inverse, np.full(400, 0.05), affine=True)
    assert reading is not None
    assert reading.scale == pytest.approx(2, rel=0.07)
    assert reading.shift == pytest.approx(0.5, rel=0.15)
    below = fit_reading(disparity + 0.5, 2 * disparity, np.full(400, 0.05), affine=True)
    assert below is not None
    assert below.shift == 0
    assert fit_reading(disparity, inverse, np.full(400, 0.05), affine=False).shift == 0
    assert fit_reading(disparity, inverse, np.full(400, np.inf), affine=True) is None
