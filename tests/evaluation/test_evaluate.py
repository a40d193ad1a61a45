"""`evaluate`: what it reads, what it refuses, and that temporal figures never come alone."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from generated import write_movie

import vdepth_core
from vdepth_core.errors import InputError, UsageError
from vdepth_core.evaluation.depth_maps import open_maps, open_truth
from vdepth_core.evaluation.evaluate import evaluate
from vdepth_core.evaluation.tgm import gradient_matching
from vdepth_core.output.exr import write_exr
from vdepth_core.scenes.clip import SceneClip, render_clip


@pytest.fixture(scope="module")
def scene() -> SceneClip:
    return render_clip(7, 4, 48, 64)


@pytest.fixture(scope="module")
def truth(scene: SceneClip) -> np.ndarray:
    """Depth (T, H, W) in metres up to 60 m, 0 beyond, whole millimetres."""
    return np.where(scene.depth < 60, np.round(scene.depth * 1000) / 1000, 0).astype(np.float32)


@pytest.fixture(scope="module")
def rgbd(scene: SceneClip, truth: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The truth as a recording: pictures, millimetres, camera."""
    folder = tmp_path_factory.mktemp("rgbd")
    for name in ("color", "depth"):
        (folder / name).mkdir()
    for t in (0, 1, 2, 3):
        rgb = np.round(scene.rgb[t].transpose(1, 2, 0) * 255).astype(np.uint8)
        cv2.imwrite(
            str(folder / "color" / f"{t * 3 + 8}.png"), np.ascontiguousarray(rgb[..., ::-1])
        )  # 8, 11, …
        cv2.imwrite(str(folder / "depth" / f"{t * 3 + 8}.png"), np.round(truth[t] * 1000).astype(np.uint16))
    np.savetxt(folder / "K.txt", scene.K)
    np.savetxt(folder / "poses_cam_to_world.txt", scene.poses.reshape(-1, 16))
    return folder


def disparity_of(truth: np.ndarray) -> np.ndarray:
    return 1 / np.where(truth > 0, truth, 60)


def test_recording_turns_on_everything(rgbd: Path, truth: np.ndarray) -> None:
    good = evaluate(disparity_of(truth), rgbd, quantity="disparity")
    assert good.accuracy.abs_rel < 1e-3
    assert good.truth == f"{rgbd / 'depth'} (png, 1000 units a metre)"
    assert evaluate(truth, truth, quantity="depth").truth == "the array"
    assert good.alignment == good.accuracy.protocol == "clip-lstsq"
    assert good.consistency is not None
    assert good.tae is not None
    assert good.tgm is not None
    assert good.tgm < 0.01
    flicker = np.array([1, 1.2, 0.9, 1.1])[:, None, None]
    bad = evaluate(disparity_of(truth) * flicker, rgbd, quantity="disparity")
    assert bad.consistency is not None
    assert bad.tae is not None
    assert bad.tgm is not None
    assert bad.consistency.rtc[1.05] < good.consistency.rtc[1.05] - 0.2
    assert bad.consistency.opw > good.consistency.opw
    assert bad.tae.tae > good.tae.tae + 3
    assert bad.tgm > good.tgm
    json.dumps(bad.to_dict(), allow_nan=False)


def test_constant_video_wins_over_time_and_loses_on_accuracy(rgbd: Path, truth: np.ndarray) -> None:
    result = evaluate(np.ones_like(truth), rgbd, quantity="disparity")
    assert result.consistency is not None
    assert set(result.consistency.rtc.values()) == {1.0}
    assert result.consistency.atc == result.consistency.opw == 0
    assert result.accuracy.abs_rel > 0.2


def test_per_frame_protocols_do_not_hide_flicker(rgbd: Path, truth: np.ndarray) -> None:
    flicker = disparity_of(truth) * np.array([1, 1.2, 0.9, 1.1])[:, None, None]
    whole = evaluate(flicker, rgbd, quantity="disparity")
    single = evaluate(flicker, rgbd, quantity="disparity", protocol="per-frame")
    assert single.accuracy.abs_rel < 1e-3 < whole.accuracy.abs_rel
    assert single.alignment == "clip-lstsq"
    assert single.consistency == whole.consistency
    assert single.to_dict()["accuracy"]["scale"] is None


@pytest.mark.parametrize("kind", ["exr", "npy", "npz-maps", "npz", "one-npy", "png"])
def test_every_kind_of_prediction_says_the_same(kind: str, truth: np.ndarray, tmp_path: Path) -> None:
    values = truth + np.float32(0.5)
    folder = tmp_path / "pred"
    folder.mkdir()
    for t, z in enumerate(values):
        if kind == "exr":
            write_exr(folder / f"shot_depth.{t + 9}.exr", {"Z": z}, {})  # 9, 10, …: not in the order of text
        elif kind == "npy":
            np.save(folder / f"{t + 9}.npy", z)
        elif kind == "npz-maps":
            np.savez(folder / f"{t + 9}.npz", depth=z)
        elif kind == "png":
            cv2.imwrite(str(folder / f"{t + 9}.png"), np.round(z * 1000).astype(np.uint16))
    if kind == "npz":
        folder = tmp_path / "pred.npz"
        np.savez(folder, depth=values, times=np.arange(4))
    elif kind == "one-npy":
        folder = tmp_path / "pred.npy"
        np.save(folder, values)
    quantity = None if kind in ("exr", "npz", "npz-maps") else "depth"
    protocol = "median" if kind == "png" else "none"  # predictions carry no unit in PNG
    expected = evaluate(list(values), truth, quantity="depth", protocol=protocol, max_depth=60)
    result = evaluate(folder, truth, quantity=quantity, protocol=protocol, max_depth=60)
    assert result.accuracy.abs_rel == pytest.approx(expected.accuracy.abs_rel, rel=1e-4)
    assert result.quantity == "depth"
    assert result.accuracy.abs_rel > 0.01
    assert result.consistency is None  # no pictures
    assert result.tae is None


def test_temporal_figures_are_of_the_aligned_depth(truth: np.ndarray, rgbd: Path) -> None:
    """Disparity under the clip's one scale and shift; depth is turned into disparity first."""
    disparity = disparity_of(truth) * np.array([1, 1.2, 0.9, 1.1])[:, None, None]
    for pred, quantity in ((3 * disparity + 0.5, "disparity"), (1 / disparity, "depth")):
        found = evaluate(pred, truth, quantity=quantity, max_depth=50)
        scale, shift = found.accuracy.scale, found.accuracy.shift
        flat = pred if quantity == "disparity" else 1 / pred
        aligned = np.clip(1 / np.maximum(scale * flat + shift, 1e-3), 1e-3, 50)
        assert found.tgm == pytest.approx(gradient_matching(aligned, truth, max_depth=50), rel=1e-4)
        half = evaluate(pred[:, ::2, ::2], truth, quantity=quantity, max_depth=50)
        assert half.tgm is not None
    metric = evaluate(truth + 1.0, truth, quantity="depth", protocol="none", max_depth=1e3)
    assert metric.tgm == pytest.approx(0, abs=1e-4)
    assert metric.alignment == "none"
    first = evaluate(disparity, truth, quantity="disparity", protocol="first-frame")
    assert first.alignment == "first-frame"
    assert evaluate(disparity, truth, quantity="disparity", protocol="median").alignment == "clip-lstsq"


def test_a_single_frame_has_no_temporal_figure(truth: np.ndarray) -> None:
    two = evaluate(truth[:2], truth[:2], quantity="depth")
    assert two.tgm is not None
    assert evaluate(truth[:1], truth[:1], quantity="depth").tgm is None


def test_the_camera_is_that_of_the_pictures_and_scaled_to_the_maps(rgbd: Path, tmp_path: Path) -> None:
    maps, pictures, camera = open_truth(rgbd, None)
    assert camera is not None
    k = np.loadtxt(rgbd / "K.txt")
    assert (camera.intrinsics.fx, camera.intrinsics.cy) == (k[0, 0], k[1, 2])
    assert len(pictures) == len(maps) == 4
    assert [path.stem for path in pictures] == ["8", "11", "14", "17"]
    for name in ("color", "depth"):
        (tmp_path / name).mkdir()
    (tmp_path / "K.txt").write_text((rgbd / "K.txt").read_text())
    (tmp_path / "poses_cam_to_world.txt").write_text((rgbd / "poses_cam_to_world.txt").read_text())
    for path in pictures:
        small = cv2.imread(str(rgbd / "depth" / path.name), cv2.IMREAD_UNCHANGED)[::2, ::4]
        cv2.imwrite(str(tmp_path / "depth" / path.name), small)
        (tmp_path / "color" / path.name).write_bytes(path.read_bytes())
    half = open_truth(tmp_path, None)[2]
    assert half is not None
    assert half.intrinsics.fx == pytest.approx(k[0, 0] / 4)
    assert half.intrinsics.fy == pytest.approx(k[1, 1] / 2)
    assert half.intrinsics.cx == pytest.approx(k[0, 2] / 4)
    np.testing.assert_allclose(half.poses, camera.poses)


@pytest.mark.parametrize(
    ("k", "pose"),
    [(np.diag([0, 9, 1]), np.eye(4)), (np.diag([9, 0, 1]), np.eye(4)), (np.eye(3), np.zeros((4, 4))),
     (np.eye(3) * np.nan, np.eye(4)), (np.eye(3), np.full((4, 4), np.inf)), (np.eye(2), np.eye(4))],
)  # fmt: skip
def test_a_camera_that_is_none_is_said(rgbd: Path, tmp_path: Path, k: np.ndarray, pose: np.ndarray) -> None:
    (tmp_path / "depth").symlink_to(rgbd / "depth")
    np.savetxt(tmp_path / "K.txt", k)
    np.savetxt(tmp_path / "poses_cam_to_world.txt", np.repeat(pose.reshape(1, 16), 4, 0))
    with pytest.raises(InputError, match="camera"):
        open_truth(tmp_path, None)
    (tmp_path / "K.txt").unlink()
    assert open_truth(tmp_path, None)[2] is None


def test_units_of_maps_are_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "depth").mkdir()
    cv2.imwrite(str(tmp_path / "depth" / "1.png"), np.full((2, 3), 2500, np.uint16))

    def read(scale: float | None) -> float:
        return float(open_maps(tmp_path / "depth", scale).read(0)[0, 0])

    assert read(None) == 2.5
    assert read(500) == 5
    assert read(1) == 2500
    (tmp_path / "scale.txt").write_text("250 units")
    assert read(None) == 10
    (tmp_path / "depth" / "scale.txt").write_text("25")
    assert read(None) == 100
    for text in ("", "no", "0", "-1", "inf", "nan"):
        (tmp_path / "depth" / "scale.txt").write_text(text)
        with pytest.raises(InputError, match=r"scale\.txt"):
            read(None)
    assert open_maps([np.ones((2, 3)), np.ones((2, 3))], None).count == 2
    assert open_maps(np.ones((2, 3)), None).count == 1
    assert open_maps(np.ones((5, 2, 3)), 2.0).read(4)[0, 0] == 0.5
    for wrong in ([np.ones(3)], np.ones(3), np.ones((1, 2, 3, 4))):
        with pytest.raises(InputError):
            open_maps(wrong, None)


def test_scale_of_the_truth(truth: np.ndarray, tmp_path: Path) -> None:
    for t, z in enumerate(truth):
        cv2.imwrite(str(tmp_path / f"{t}.png"), np.round(z * 256).astype(np.uint16))

    def off(scale: float | None) -> float:
        return evaluate(truth, tmp_path, quantity="depth", protocol="none", gt_scale=scale).accuracy.abs_rel

    assert off(256) < 0.01
    assert off(None) > 1  # read as millimetres
    (tmp_path / "scale.txt").write_text("256\n")
    assert off(None) == off(256)


def test_a_job_and_its_clip(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", 5)
    job = tmp_path / "job"
    options = {"model": "embedded", "method": "framewise", "size": 64, "device": "cpu", "frames": "1-3"}
    vdepth_core.estimate(clip, job, options)
    sequence = vdepth_core.read_sequence(job)
    result = evaluate(job, sequence[:], clip=clip, max_depth=1e3)
    assert result.quantity == "disparity"
    assert result.accuracy.frames == 3
    assert result.consistency is not None
    own = evaluate(job, sequence[:], quantity="depth", protocol="none", max_depth=1e3)
    assert own.accuracy.abs_rel == pytest.approx(0, abs=1e-6)
    assert own.consistency is None
    assert "relative depth" in own.warnings[0]
    itself = evaluate(job, job, quantity="depth", max_depth=1e3)  # as truth: its depth alone
    assert itself.accuracy.abs_rel == pytest.approx(0, abs=1e-6)
    assert "it is no truth" in itself.warnings[0]
    for scale in ("pred_scale", "gt_scale"):
        with pytest.raises(UsageError, match="its own units"):
            evaluate(job, job, **{scale: 2.0})
    short = write_movie(tmp_path / "short.mp4", 2)
    with pytest.raises(InputError, match=r"holds 1 frame from frame 1 on, but .*job holds 3"):
        evaluate(job, sequence[:], clip=short, max_depth=1e3)


def test_measures_without_an_answer_are_noted(truth: np.ndarray) -> None:
    far = truth.copy()
    far[[1, 3]] = 0  # never truth twice in a row
    result = evaluate(truth, far, quantity="depth")
    assert result.tgm is None
    assert any("TGM" in note for note in result.notes)
    assert evaluate(truth[:1], truth[:1], quantity="depth").notes == ()


def test_unusable_input_is_named(truth: np.ndarray, rgbd: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "three.npz", depth=truth[:3])
    with pytest.raises(InputError, match=r"three.npz holds 3 predictions, .*depth holds 4 frames"):
        evaluate(tmp_path / "three.npz", rgbd)
    np.save(tmp_path / "bare.npy", truth)
    with pytest.raises(UsageError, match="depth or disparity"):
        evaluate(tmp_path / "bare.npy", rgbd)
    with pytest.raises(UsageError, match="clip-lstsq, first-frame"):
        evaluate(truth, truth, protocol="best", quantity="depth")
    with pytest.raises(UsageError, match="quantity 'metres'"):
        evaluate(truth, truth, quantity="metres")
    with pytest.raises(UsageError, match="scale"):
        evaluate(truth, truth, quantity="depth", gt_scale=0)
    with pytest.raises(InputError, match="does not exist"):
        evaluate(tmp_path / "gone", truth)
    with pytest.raises(InputError, match="no depth maps"):
        evaluate(rgbd, truth)
    cv2.imwrite(str(tmp_path / "grey.png"), np.zeros((4, 4), np.uint8))
    (tmp_path / "bare.npy").unlink()
    (tmp_path / "three.npz").unlink()
    with pytest.raises(InputError, match="16-bit"):
        evaluate(truth, tmp_path, quantity="depth")
    np.savez(tmp_path / "disparity.npz", disparity=truth)
    with pytest.raises(InputError, match="disparity, not depth"):
        evaluate(truth, tmp_path / "disparity.npz", quantity="depth")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match="damaged"):
        evaluate(tmp_path / "broken.npz", truth)
    with pytest.raises(InputError, match=r"shape \(4, 48, 64, 1\)"):
        evaluate(truth[..., None], truth, quantity="depth")


def test_a_camera_that_does_not_fit_is_named(rgbd: Path, truth: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "depth").symlink_to(rgbd / "depth")
    np.savetxt(tmp_path / "K.txt", np.eye(3))
    np.savetxt(tmp_path / "poses_cam_to_world.txt", np.eye(4).reshape(1, 16))
    with pytest.raises(InputError, match="4 depth maps but 1 pose"):
        evaluate(truth, tmp_path, quantity="depth")
    np.savetxt(tmp_path / "K.txt", np.eye(2))
    with pytest.raises(InputError, match="camera"):
        evaluate(truth, tmp_path, quantity="depth")


def test_what_knows_nothing_is_scored_beside(truth: np.ndarray) -> None:
    floor = 1 / np.linspace(0.1, 1, truth.shape[1])[:, None].repeat(truth.shape[2], 1)[None].repeat(3, 0)
    result = evaluate(np.ones_like(floor), floor, quantity="disparity", max_depth=20)
    assert set(result.baselines) == {"constant", "vertical ramp", "horizontal ramp"}
    assert result.baselines["vertical ramp"].abs_rel < 1e-6  # a floor is linear in disparity
    assert result.baselines["constant"].abs_rel == pytest.approx(result.accuracy.abs_rel)
    assert result.baselines["horizontal ramp"].abs_rel > 0.1
    metric = evaluate(floor, floor, quantity="depth", protocol="none", max_depth=20)
    assert metric.baselines["constant"].protocol == "clip-lstsq"
    assert metric.accuracy.abs_rel == 0


def test_boundaries_stand_beside_accuracy(scene: SceneClip, truth: np.ndarray) -> None:
    good = evaluate(disparity_of(truth) * 3 + 0.1, truth, quantity="disparity")
    assert good.boundaries.f1 > 0.7
    assert good.ordinal is None
    soft = np.stack([cv2.GaussianBlur(d, (0, 0), 3) for d in disparity_of(truth)])
    blurred = evaluate(soft, truth, quantity="disparity", ordinal=True)
    assert blurred.boundaries.f1 < 0.5 * good.boundaries.f1
    assert blurred.ordinal is not None
    assert 0 < blurred.ordinal.ord < 1
    assert evaluate(truth, truth, quantity="depth", protocol="none").boundaries.recall > 0.7
    assert blurred.to_dict()["boundaries"]["f1"] == blurred.boundaries.f1
