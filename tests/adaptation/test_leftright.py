"""Two eyes teach disparity: closer to the truth, the same from two files or one; what are none is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from generated import write_movie
from test_adapt import StopAt

from vdepth_core.adaptation.adapt import adapt
from vdepth_core.adaptation.eyes import paired_shots
from vdepth_core.adaptation.footage import Footage
from vdepth_core.adaptation.leftright import RATE, LeftRightConsistency, Reading, pyramid
from vdepth_core.adaptation.rig import Rig, find_rig
from vdepth_core.align.scale_shift import fit_scale_shift
from vdepth_core.clip import open_clip
from vdepth_core.errors import Cancelled, InputError, UsageError
from vdepth_core.jobs.batch import estimate
from vdepth_core.learning.config import LoopConfig
from vdepth_core.learning.student import load_student
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny import make_tiny
from vdepth_core.progress import Progress
from vdepth_core.scenes import StereoClip, render_stereo
from vdepth_core.store import FrameArray
from vdepth_core.types import Shot

HEIGHT, WIDTH = 64, 96
OPTIONS = {"recipe": "leftright", "size": HEIGHT, "device": "cpu", "seed": 2}


class Told(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.words = ""

    def warn(self, message: str) -> None:
        self.words += message


@pytest.fixture(scope="module")
def scene() -> StereoClip:
    return render_stereo(11, 5, HEIGHT, WIDTH)


def pictures(scene: StereoClip) -> tuple[np.ndarray, np.ndarray]:
    """(T, H, W, 3) uint8 of each eye."""
    left, right = (
        np.round(eye.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8) for eye in (scene.left, scene.right)
    )
    return left, right


def saved(folder: Path, frames: np.ndarray, first: int = 0) -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames, first):
        cv2.imwrite(str(folder / f"{number:04d}.png"), frame[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def eyes(scene: StereoClip, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("eyes")
    left, right = pictures(scene)
    return saved(folder / "left", left), saved(folder / "right", right)


def disparity_error(weights: Path | str, scene: StereoClip) -> float:
    """Mean error in pixels after one scale and shift for the clip."""
    model = load_model(weights)
    found = model.predict(torch.from_numpy(scene.left.rgb)).numpy()
    scale, shift = fit_scale_shift(found, scene.disparity)
    return float(np.abs(scale * found + shift - scene.disparity).mean())


def test_disparity_comes_closer_to_the_truth(
    eyes: tuple[Path, Path], scene: StereoClip, tmp_path: Path
) -> None:
    out = tmp_path / "w.safetensors"
    result = adapt(eyes[0], out, right=eyes[1], steps=12, **OPTIONS)
    assert result.changed
    assert result.before.keys() == {"appearance", "smoothness", "consistency"}
    assert "of the width times the model" in result.report.read_text(encoding="utf-8")
    assert disparity_error(out, scene) < 0.95 * disparity_error("embedded", scene)
    manifest = estimate(eyes[0] / "0000.png", tmp_path / "still", {"model": str(out), "still": True})
    assert manifest.model.space == "affine_invariant"


def test_a_known_baseline_makes_depth_metric(
    eyes: tuple[Path, Path], scene: StereoClip, tmp_path: Path
) -> None:
    fov = 2 * np.degrees(np.arctan(WIDTH / 2 / scene.left.K[0, 0]))
    known = {"baseline": scene.baseline, "fov": fov, "right": eyes[1]}
    done = adapt(eyes[0], tmp_path / "w.safetensors", steps=6, **known, **OPTIONS)
    model = load_model(done.weights)
    assert (model.spec.space, model.spec.quantity) == ("metric", "depth")
    found = model.predict(torch.from_numpy(scene.left.rgb)).numpy()
    there = ~scene.left.sky
    assert np.median(found[there] / scene.left.depth[there]) == pytest.approx(1, abs=0.1)
    assert f"of eyes {scene.baseline:g} m apart" in done.report.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match=r"lens beside the baseline.*--fov or --intrinsics"):
        adapt(eyes[0], tmp_path / "w.safetensors", right=eyes[1], baseline=0.1, **OPTIONS)
    with pytest.raises(UsageError, match=r"no camera\. Leave --fov out"):
        adapt(eyes[0], tmp_path / "w.safetensors", right=eyes[1], fov=50, **OPTIONS)
    nowhere = {"camera": "a.json", "camera_out": tmp_path / "b.json"}
    with pytest.raises(UsageError, match=r"no camera path\. Leave --camera and --camera-out out"):
        adapt(eyes[0], tmp_path / "w.safetensors", **known, **nowhere, **OPTIONS)


def test_eyes_that_converge_tell_no_metres(scene: StereoClip, tmp_path: Path) -> None:
    left, right = pictures(scene)
    one, other = saved(tmp_path / "left", left), saved(tmp_path / "right", np.roll(right, 4, 2))
    with pytest.raises(InputError, match=r"behind the plane where the eyes converge.*metres"):
        adapt(one, tmp_path / "w.safetensors", right=other, baseline=0.1, fov=50, steps=1, **OPTIONS)


def test_one_clip_with_both_eyes_gives_the_same_bytes(
    eyes: tuple[Path, Path], net: Path, scene: StereoClip, tmp_path: Path
) -> None:
    options = OPTIONS | {"model": net, "steps": 1}
    two = adapt(eyes[0], tmp_path / "two.safetensors", right=eyes[1], **options)
    both = saved(tmp_path / "both", np.concatenate(pictures(scene), 2))
    one = adapt(both, tmp_path / "one.safetensors", stereo="side-by-side", **options)
    assert one.weights.read_bytes() == two.weights.read_bytes()
    with pytest.raises(UsageError, match="other options"):
        adapt(eyes[0], two.weights, right=eyes[0], resume=True, **options)


def test_stopped_and_killed_runs_end_like_uninterrupted_ones(
    eyes: tuple[Path, Path], net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Nobody cleans up after it."""

    class Often(LoopConfig):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options, save_every=0)

    calls: list[int] = []

    def killing(self: LeftRightConsistency, *arguments: Any) -> dict[str, torch.Tensor]:
        calls.extend(arguments[1] if arguments[2] is not None else ())
        if len(calls) > LoopConfig().batch:
            raise Killed
        return terms(self, *arguments)

    monkeypatch.setattr("vdepth_core.adaptation.adapt.LoopConfig", Often)
    options = OPTIONS | {"model": net, "right": eyes[1], "steps": 2}
    straight = adapt(eyes[0], tmp_path / "straight.safetensors", **options)
    out = tmp_path / "resumed.safetensors"
    with pytest.raises(Cancelled, match="--resume"):
        adapt(eyes[0], out, progress=StopAt("match", 2), **options)
    terms = LeftRightConsistency.terms
    monkeypatch.setattr(LeftRightConsistency, "terms", killing)
    with pytest.raises(Killed):
        adapt(eyes[0], out, resume=True, **options)
    monkeypatch.setattr(LeftRightConsistency, "terms", terms)
    assert adapt(eyes[0], out, resume=True, **options).before == straight.before
    assert out.read_bytes() == straight.weights.read_bytes()


def test_the_published_network_says_both_eyes(eyes: tuple[Path, Path], tmp_path: Path) -> None:
    make_tiny("leftright", tmp_path / "net")
    model = tmp_path / "net" / "leftright.pth"
    told = Told()
    result = adapt(
        eyes[0], tmp_path / "w.safetensors", right=eyes[1], model=model, steps=1, progress=told, **OPTIONS
    )
    assert result.steps == 1
    assert "hardly agrees" in told.words  # its weights are random
    assert float(load_model(result.weights).predict(torch.rand(1, 3, 64, 96)).max()) <= 0.3


def test_a_clip_of_two_eyes_steadies_its_left_one(net: Path, tmp_path: Path, scene: StereoClip) -> None:
    both = saved(tmp_path / "both", np.concatenate(pictures(scene), 2))
    options = {"recipe": "tc", "model": net, "steps": 1, "size": 64, "device": "cpu"}
    result = adapt(both, tmp_path / "w.safetensors", stereo="side-by-side", **options)
    assert result.before.keys() == {"depth", "temporal"}


def rolled(rows: int) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    return lambda left, right: (left, np.roll(right, rows, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda left, right: (right, left), "swapped"),
        (lambda left, right: (left, left), "same picture"),
        (rolled(4), r"vertically\. Rectify"),
        (
            lambda left, right: (left, np.random.default_rng(0).integers(0, 255, left.shape, np.uint8)),
            "match",
        ),
        (lambda left, right: (left, right[:, :, :-2]), "94x64; two eyes have the same"),
        (lambda left, right: (left, right[:3]), r"Frame 3 of left has no counterpart"),
    ],
)
def test_what_are_no_two_eyes_is_refused(
    change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    words: str,
    scene: StereoClip,
    tmp_path: Path,
) -> None:
    left, right = change(*pictures(scene))
    one, other = saved(tmp_path / "left", left), saved(tmp_path / "right", right)
    with pytest.raises(InputError, match=words):
        adapt(one, tmp_path / "w.safetensors", right=other, steps=1, **OPTIONS)


def test_rows_that_are_a_little_off_are_said(scene: StereoClip, net: Path, tmp_path: Path) -> None:
    left, right = rolled(1)(*pictures(scene))
    one, other, told = saved(tmp_path / "left", left), saved(tmp_path / "right", right), Told()
    adapt(one, tmp_path / "w.safetensors", model=net, right=other, steps=1, progress=told, **OPTIONS)
    assert "vertically; rectified ones would teach more" in told.words


def rig_of(left: np.ndarray, right: np.ndarray, folder: Path) -> Rig:
    with (
        Footage(folder, [Shot(0, 0, len(left))], HEIGHT, WIDTH) as footage,
        FrameArray(folder / "right.u8", len(left), left.shape[1:], "u1") as other,
    ):
        footage.frames.write(0, left)
        other.write(0, right)
        return find_rig(footage, other, load_student("embedded"), Progress())


def test_eyes_may_converge_anywhere(scene: StereoClip, tmp_path: Path) -> None:
    """Most lies behind the plane of the screen then, and left is still left."""
    left, right = pictures(scene)
    straight = rig_of(left, right, tmp_path / "straight")
    converged = rig_of(left, np.roll(right, 4, 2), tmp_path / "converged")
    assert straight.agreement
    assert straight.crossed < 0.1
    assert converged.crossed > 0.5
    assert converged.scale == pytest.approx(straight.scale, rel=0.2)
    level = [0.4 * rig.scale + rig.shift for rig in (straight, converged)]  # of what is in the middle
    assert level[0] - level[1] == pytest.approx(4 / WIDTH, abs=0.008)
    with pytest.raises(InputError, match="swapped"):
        rig_of(np.roll(right, 4, 2), left, tmp_path / "swapped")


def test_sequences_are_paired_by_their_numbers(scene: StereoClip, tmp_path: Path) -> None:
    left, right = pictures(scene)
    one = open_clip(saved(tmp_path / "left", left[1:], 1001))
    other = open_clip(saved(tmp_path / "right", right, 1000))
    shots = [replace(shot, exposure=2.0) for shot in one.scan()]
    assert paired_shots(one, other, shots, Progress()) == [Shot(0, 1, 5, 2.0)]
    with pytest.raises(InputError, match=r"Frame 1000 of right has no counterpart in left at 41\.667 s"):
        paired_shots(other, one, [Shot(0, 0, 5)], Progress())


def test_movies_of_other_rates_are_refused(tmp_path: Path, eyes: tuple[Path, Path]) -> None:
    movie = write_movie(tmp_path / "a.mp4", 5, size=(WIDTH, HEIGHT))
    with pytest.raises(InputError, match=r"a\.mp4 has frames per second: 24 and b\.mp4 12"):
        adapt(movie, tmp_path / "w.safetensors", right=_at_12(eyes[1], tmp_path), **OPTIONS)


def _at_12(source: Path, folder: Path) -> Path:
    import av

    clip = open_clip(source)
    with av.open(str(folder / "b.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in clip.read():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.rgb, "rgb24")))
        container.mux(stream.encode(None))
    return folder / "b.mp4"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "learns from two eyes"),
        ({"stereo": "up-down"}, "no stereo layout up-down.*side-by-side"),
        ({"stereo": "side-by-side", "right": "r.mov"}, "Give one of them"),
        ({"recipe": "tc", "right": "r.mov"}, "recipe tc learns from one eye"),
    ],
)
def test_wrong_options_are_named(options: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        adapt("left.mov", tmp_path / "w.safetensors", **(OPTIONS | options))


def test_the_reading_starts_where_it_is_told_and_keeps_its_sign() -> None:
    reading = Reading(0.01, -0.02)
    torch.testing.assert_close(reading(torch.tensor([1.0, 5.0])), torch.tensor([-0.01, 0.03]))
    reading(torch.linspace(0, 8, 9)).sum().neg().backward()
    with torch.no_grad():
        reading.change -= reading.change.grad
        assert float(reading.line()[0]) > 0
        assert float(reading(torch.tensor(1e6))) == pytest.approx(0.3)


def test_the_scales_hold_the_same_disparity() -> None:
    scales = pyramid(torch.full((1, 2, 64, 96), 0.1))
    assert [tuple(scale.shape[2:]) for scale in scales] == [(64, 96), (32, 48), (16, 24), (8, 12)]
    assert all(torch.allclose(scale, torch.tensor(0.1)) for scale in scales)


def test_a_slow_learner_of_two_numbers() -> None:
    """With the network frozen the reading alone finds the line."""
    truth, d = 0.05, torch.rand(1, 1, 8, 8)
    reading = Reading(0.04, 0.01)
    optimiser = torch.optim.Adam(reading.parameters(), RATE)
    for _ in range(400):
        loss = (reading(d) - truth * d).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.004
