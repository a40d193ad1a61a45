"""The bundled clip and its truth: sizes, exactness, and that picture and depth belong together."""

from __future__ import annotations

import zipfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vdepth_core import demo
from vdepth_core.demo import STEPS_PER_UNIT, demo_clip, demo_truth, pack, unpack
from vdepth_core.errors import InputError
from vdepth_core.evaluation.accuracy import evaluate_clip

FRAMES = 48


def luma(indices: list[int]) -> list[np.ndarray]:
    """Decoded frames (360, 640) uint8 of the bundled clip."""
    with av.open(demo_clip()) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(frames) == FRAMES
    return [frames[i] for i in indices]


def reproject(source: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the truth's pixels of one frame lie in another: x, y as indices and depth there, each (H, W)."""
    truth = demo_truth()
    k, z = truth.intrinsics, truth.depth[source].astype(np.float64)
    z[np.isinf(z)] = 1e6
    y, x = np.mgrid[0.5 : z.shape[0], 0.5 : z.shape[1]]
    points = np.stack([(x - k.cx) / k.fx * z, (y - k.cy) / k.fy * z, z, np.ones_like(z)], axis=-1)
    points = points @ (np.linalg.inv(truth.poses[target]) @ truth.poses[source]).T
    depth = points[..., 2]
    return k.fx * points[..., 0] / depth + k.cx - 0.5, k.fy * points[..., 1] / depth + k.cy - 0.5, depth


def sample(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cv2.remap(image.astype(np.float32), x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x >= 0) & (x <= demo.WIDTH - 1) & (y >= 0) & (y <= demo.HEIGHT - 1)


def test_the_clip_is_what_the_docstring_says() -> None:
    with av.open(demo_clip()) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 640, 360)
        assert stream.average_rate == Fraction(24)
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.colorspace == 1  # BT.709
        assert {**container.metadata, **stream.metadata}.get("timecode") == "01:00:00:00"
        times = [frame.pts * stream.time_base for frame in container.decode(stream)]
    assert times == [Fraction(k, 24) for k in range(FRAMES)]


def test_it_stays_small() -> None:
    folder = demo_clip().parent
    assert sum((folder / name).stat().st_size for name in ("clip.mp4", "truth.npz")) <= 1_500_000


def test_truth_holds_metres_in_the_room() -> None:
    truth = demo_truth()
    assert len(truth.depth) == len(truth.poses) == FRAMES
    near, far, infinite = [], [], 0
    for depth in truth.depth:
        assert depth.shape == (demo.HEIGHT, demo.WIDTH)
        assert depth.dtype == np.float32
        near.append(depth.min())
        far.append(depth[np.isfinite(depth)].max())
        infinite += int(np.isinf(depth).sum())
    assert 0.8 < min(near) < 1.6
    assert 7.5 < max(far) < 9
    assert infinite < 1e-3 * FRAMES * demo.HEIGHT * demo.WIDTH
    assert np.array_equal(truth.depth[5], truth.depth[4:6][1])
    assert np.array_equal(truth.depth[-1], truth.depth[FRAMES - 1])


def test_poses_are_rigid_and_move_like_a_hand_held_dolly() -> None:
    poses = demo_truth().poses
    rotation = poses[:, :3, :3]
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotation.shape), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-6)
    assert 0.5 < np.linalg.norm(poses[-1, :3, 3] - poses[0, :3, 3]) < 1
    assert (np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) < 0.04).all()
    assert (rotation[:, 2, 1] < -0.9).all()  # the picture's y axis points down, the world's z up


@pytest.mark.parametrize(("source", "target"), [(0, 1), (10, 14), (0, 24), (20, 47)])
def test_depth_of_one_frame_predicts_another(source: int, target: int) -> None:
    x, y, depth = reproject(source, target)
    seen = sample(
        1 / demo_truth().depth[target], x, y
    )  # disparity: linear on planes, so interpolation is exact
    error = np.abs(seen * depth - 1)[inside(x, y)]
    assert np.median(error) < 5e-4  # both quantisations together
    assert np.mean(error < 0.01) > 0.8  # the rest: occlusion, edges, what moves by itself


def test_truth_and_picture_belong_together() -> None:
    first, later = luma([10, 18])
    half = [
        cv2.resize(image, (demo.WIDTH, demo.HEIGHT), interpolation=cv2.INTER_AREA) for image in (first, later)
    ]
    x, y, _ = reproject(10, 18)
    ok = inside(x, y)
    errors = {}
    for shift in (-2, -1, 0, 1, 2):
        warped = sample(half[1], x + shift, y)
        errors[shift] = np.median(np.abs(warped - half[0].astype(np.float32))[ok])
    assert min(errors, key=lambda shift: errors[shift]) == 0
    still = np.median(np.abs(half[1].astype(np.float32) - half[0])[ok])
    assert errors[0] < 0.5 * still


def test_depth_edges_lie_on_picture_edges() -> None:
    depth = demo_truth().depth[24]
    (picture,) = luma([24])
    picture = cv2.resize(picture, (demo.WIDTH, demo.HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    disparity = 1 / depth
    edge = np.abs(np.diff(disparity, axis=1))[:-1] > 0.12  # foreground outlines
    gradient = np.abs(np.diff(picture, axis=1))[:-1]
    assert edge.sum() > 200
    mean = {s: np.roll(gradient, s, axis=1)[edge].mean() for s in range(-4, 5)}
    assert max(mean, key=lambda shift: mean[shift]) == 0
    assert mean[0] > 2 * mean[4]


def test_packing_is_exact_to_half_a_step() -> None:
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.2, 9, (20, 30)).astype(np.float32)
    depth[3, 4] = np.inf
    back = unpack(pack(depth), 20, 30)
    assert np.isinf(back[3, 4])
    finite = np.isfinite(depth)
    assert (
        np.abs(1 / back[finite].astype(float) - 1 / depth[finite].astype(float)).max()
        <= 0.5001 / STEPS_PER_UNIT
    )
    assert np.array_equal(unpack(pack(back), 20, 30), back)
    with pytest.raises(ValueError, match="fit"):
        pack(np.full((2, 2), 0.1))


def test_truth_serves_the_evaluation() -> None:
    truth = demo_truth()
    result = evaluate_clip(lambda: (1 / depth for depth in truth.depth), truth.depth, max_depth=10)
    assert result.abs_rel < 1e-6
    assert result.frames == FRAMES


def test_missing_or_damaged_files_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo.resources, "files", lambda _package: tmp_path)
    with pytest.raises(InputError, match=r"clip\.mp4 is missing"):
        demo_clip()
    (tmp_path / "truth.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match=r"truth\.npz is damaged"):
        demo_truth()
    with zipfile.ZipFile(tmp_path / "truth.npz", "w") as archive:
        archive.writestr("other.npy", b"")
    with pytest.raises(InputError, match="damaged"):
        demo_truth()
