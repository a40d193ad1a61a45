"""Recipes by view synthesis on a tiny scene: nearer to the truth, repeatable, resumable, harmless."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from crashing import Crash, CrashAt
from layered import FOCAL, pictures, travelling
from safetensors.torch import load_file

from vdepth_core.adaptation.adapt import Adaptation, adapt
from vdepth_core.adaptation.synthesis import beside_jumps, is_flat, near_jumps
from vdepth_core.errors import InputError, UsageError
from vdepth_core.evaluation.accuracy import evaluate_clip
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_files.formats import read_camera, write_camera
from vdepth_core.geometry.camera_files.plate import Plate
from vdepth_core.geometry.camera_path import CameraPath
from vdepth_core.learning.config import LoopConfig
from vdepth_core.learning.systems import featdepth
from vdepth_core.models.registry import load_model
from vdepth_core.networks import featdepth_train
from vdepth_core.progress import Progress
from vdepth_core.scenes.clip import SceneClip, render_clip

SIZE, FRAMES = (96, 128), 10
OPTIONS: dict[str, Any] = {"recipe": "monodepth2", "size": SIZE[0], "device": "cpu"}
SMALL: dict[str, Any] = OPTIONS | {"size": 64, "frames": "0-4", "steps": 1}


@pytest.fixture(scope="module")
def scene() -> SceneClip:
    return render_clip(945_000_003, FRAMES, *SIZE)


@pytest.fixture(scope="module")
def plate(scene: SceneClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plate")
    for t, rgb in enumerate(scene.rgb):
        cv2.imwrite(
            str(folder / f"{t:03d}.png"), np.round(rgb.transpose(1, 2, 0)[..., ::-1] * 255).astype(np.uint8)
        )
    return folder


def lens(scene: SceneClip) -> Intrinsics:
    return Intrinsics(scene.K[0, 0], scene.K[1, 1], scene.K[0, 2], scene.K[1, 2])


@pytest.fixture(scope="module")
def camera(scene: SceneClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("camera") / "path.json"
    path = CameraPath(tuple(range(FRAMES)), scene.poses, (lens(scene),), *SIZE[::-1], "metres")
    write_camera(path, file, Plate(range(FRAMES), 24, *SIZE[::-1], 1, lens(scene)))
    return file


def error(weights: Path | str, scene: SceneClip, protocol: Any = "clip-lstsq") -> float:
    model = load_model(weights)
    maps = model.predict(torch.from_numpy(np.round(scene.rgb * 255) / 255).float()).numpy()
    quantity = model.spec.quantity
    return evaluate_clip(maps, scene.depth, max_depth=80, quantity=quantity, protocol=protocol).abs_rel


@pytest.fixture(scope="module")
def adapted(plate: Path, camera: Path, tmp_path_factory: pytest.TempPathFactory) -> Adaptation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vdepth_core.adaptation.selfsup.SelfSupervised.rate", 1.5e-3)
        out = tmp_path_factory.mktemp("adapted")
        return adapt(
            plate, out / "w.safetensors", camera=camera, steps=12, camera_out=out / "out.json", **OPTIONS
        )


def test_depth_comes_nearer_to_the_truth(adapted: Adaptation, scene: SceneClip) -> None:
    assert adapted.changed
    assert list(adapted.before) == ["photometric"]
    assert error(adapted.weights, scene) < 0.9 * error("embedded", scene)


def test_along_a_known_path_depth_is_in_its_unit(adapted: Adaptation, scene: SceneClip) -> None:
    assert load_model(adapted.weights).spec.space == "metric"
    assert error(adapted.weights, scene, "none") < 0.3


def test_it_says_what_it_did(adapted: Adaptation, scene: SceneClip, tmp_path: Path) -> None:
    page = adapted.report.read_text()
    assert page.count("data:image/jpeg") == 9
    assert "Held-out photometric error" in page
    assert "rTC" in page
    assert "Contrast of outlines" in page
    assert adapted.path is not None
    np.testing.assert_allclose(adapted.path.poses, scene.poses, atol=1e-6)  # a camera file is believed
    assert adapted.path.unit == "metres"
    written = read_camera(
        adapted.weights.parent / "out.json", Plate(range(FRAMES), 24, *SIZE[::-1], 1, lens(scene))
    )
    np.testing.assert_allclose(written.path.poses, adapted.path.poses)


def test_lost_outlines_are_warned_of_once(
    plate: Path, camera: Path, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vdepth_core.adaptation.release.SOFT", 99)  # so many no run keeps
    heard: list[str] = []
    progress = Progress()
    progress.warn = heard.append  # type: ignore[method-assign]
    done = adapt(plate, tmp_path / "w.safetensors", model=net, camera=camera, progress=progress, **SMALL)
    assert [line for line in heard if "fewer steps or more --edges" in line] == heard[-1:]
    assert done.report.read_text().count("less contrast than before") == 1


@pytest.fixture(scope="module")
def travelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip whose cameras and lens nobody tells."""
    folder = tmp_path_factory.mktemp("travelled")
    for t, picture in enumerate(pictures(travelling(6, (0.07, 0.014, 0.042)))[0]):
        cv2.imwrite(str(folder / f"{t:03d}.png"), picture)
    return folder


def test_killed_runs_end_like_uninterrupted_ones(travelled: Path, net: Path, tmp_path: Path) -> None:
    """Cameras and focal length are learnt, too."""

    class Often(LoopConfig):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options, save_every=0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vdepth_core.adaptation.adapt.LoopConfig", Often)
        options = OPTIONS | {"model": net, "size": 64, "steps": 2}
        straight = adapt(travelled, tmp_path / "straight.safetensors", **options)
        assert straight.path is not None
        assert straight.path.intrinsics[0].source == "estimated"
        assert straight.path.intrinsics[0].fx == pytest.approx(FOCAL, rel=0.1)
        out = tmp_path / "killed.safetensors"
        with pytest.raises(Crash):
            adapt(travelled, out, progress=CrashAt("adapt", 1), **options)
        assert not out.exists()
        resumed = adapt(travelled, out, resume=None, **options)
        assert out.read_bytes() == straight.weights.read_bytes()
        assert (resumed.before, resumed.after) == (straight.before, straight.after)
        states = [load_file(p.with_suffix(".adapting")) for p in (out, straight.weights)]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        assert {"network.path.move", "kept.lens.focal", "average.reading.scale"} < states[0].keys()
        assert float(states[0]["network.lens.focal"]) != 0
        untouched = out.stat().st_mtime_ns
        again = adapt(travelled, out, resume=None, **options)  # it is over: nothing is done
        assert out.stat().st_mtime_ns == untouched
        assert again.after == resumed.after


def test_a_lens_that_no_chan_file_holds_costs_no_weights(
    plate: Path, camera: Path, net: Path, scene: SceneClip, tmp_path: Path
) -> None:
    off = tmp_path / "lens.json"
    own = lens(scene)
    off.write_text(json.dumps({"fx": own.fx, "fy": own.fy, "cx": own.cx + 9, "cy": own.cy}))
    out = tmp_path / "w.safetensors"
    options = SMALL | {"model": net, "camera": camera, "intrinsics": off}
    with pytest.raises(InputError, match="off the picture's middle"):
        adapt(plate, out, camera_out=tmp_path / "path.chan", **options)
    assert out.is_file()
    adapt(plate, out, camera_out=tmp_path / "path.json", resume=True, **options)
    assert (tmp_path / "path.json").is_file()


def test_nothing_that_is_read_is_replaced(plate: Path, camera: Path, tmp_path: Path) -> None:
    was = camera.read_bytes()
    with pytest.raises(UsageError, match="--camera-out would replace it"):
        adapt(plate, tmp_path / "w.safetensors", camera=camera, camera_out=camera, steps=1, **OPTIONS)
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"")
    with pytest.raises(UsageError, match="-o would replace it"):
        adapt(plate, weights, model=weights, camera=camera, steps=1, **OPTIONS)
    assert camera.read_bytes() == was


def test_what_is_known_of_the_camera_is_part_of_the_run(
    plate: Path, camera: Path, net: Path, tmp_path: Path
) -> None:
    out, options = tmp_path / "w.safetensors", SMALL | {"model": net}
    adapt(plate, out, camera=camera, **options)
    with pytest.raises(UsageError, match="other options"):
        adapt(plate, out, camera=camera, fov=50, resume=True, **options)
    with pytest.raises(UsageError, match=r"needs no camera.*--fov"):
        adapt(plate, out, fov=50, **(options | {"recipe": "tc"}))
    with pytest.raises(UsageError, match="Give one of them"):
        adapt(plate, out, fov=50, intrinsics=camera, camera=camera, **options)


def test_a_part_of_the_clip_takes_its_own_poses_of_those_without_numbers(
    plate: Path, net: Path, scene: SceneClip, tmp_path: Path
) -> None:
    file = tmp_path / "path.tum"
    path = CameraPath(tuple(range(FRAMES)), scene.poses, (lens(scene),), *SIZE[::-1], "metres")
    write_camera(path, file, Plate(range(FRAMES), 24, *SIZE[::-1], 1, lens(scene)))
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    stamps = [f"{100 + k:.0f} {line.split(' ', 1)[1]}" for k, line in enumerate(lines)]  # of another clock
    file.write_text("\n".join(stamps) + "\n")
    options = SMALL | {"model": net, "frames": "3-8"}
    done = adapt(plate, tmp_path / "w.safetensors", camera=file, **options)
    assert done.path is not None
    assert done.path.numbers == tuple(range(3, 9))
    np.testing.assert_allclose(done.path.poses, scene.poses[3:9], atol=1e-5)


def test_what_cannot_be_learnt_from_leaves_nothing(plate: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one shot"):
        adapt(plate, tmp_path / "w.safetensors", frames="3-3", steps=1, **OPTIONS)
    with pytest.raises(UsageError, match="3:8"):
        adapt(plate, tmp_path / "w.safetensors", frames="3:8", steps=1, **OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_jumps_are_seen_and_slopes_are_not() -> None:
    rows = torch.linspace(0.3, 2.3, 48)[:, None].expand(48, 64)  # a floor
    found = torch.stack((rows, torch.where(torch.arange(64) < 30, rows, rows + 1)))
    trust = torch.ones_like(found)
    jumps = near_jumps(found, trust)
    assert jumps[0, 9:-9].max() < 0.01
    assert jumps[1, 9:-9, 26:34].min() > 0.9
    assert jumps[1, 9:-9, 9:20].max() < 0.01
    assert near_jumps(found, 0 * trust).max() == 0


def test_flat_depth_is_never_kept() -> None:
    start = torch.from_numpy(render_clip(945_000_003, 1, *SIZE).depth).reciprocal()
    noise = torch.rand(start.shape, generator=torch.Generator().manual_seed(0))
    assert not is_flat(3 * start, start)
    assert not is_flat(start + 0.5 * start.median(), start)
    assert not is_flat(start.amax() - start, start)  # a model may have had it the wrong way round
    assert is_flat(torch.full_like(start, 0.7), start)
    assert is_flat(0.7 + 1e-3 * noise, start)
    assert is_flat(torch.full_like(start, torch.nan), start)


def test_a_camera_that_stands_still_teaches_nothing(plate: Path, scene: SceneClip, tmp_path: Path) -> None:
    file = tmp_path / "still.json"
    still = np.repeat(scene.poses[:1], FRAMES, 0)
    path = CameraPath(tuple(range(FRAMES)), still, (lens(scene),), *SIZE[::-1], "metres")
    write_camera(path, file, Plate(range(FRAMES), 24, *SIZE[::-1], 1, lens(scene)))
    with pytest.raises(InputError, match="too little parallax"):
        adapt(plate, tmp_path / "w.safetensors", camera=file, **(SMALL | {"frames": None}))


@pytest.mark.parametrize("recipe", ["packnet", "sfmlearner", "featdepth", "ddv", "diffnet"])
def test_every_system_adapts(
    recipe: str, plate: Path, camera: Path, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AutoEncoder", "FeatPose"):  # as small as the rest
        monkeypatch.setattr(featdepth, name, partial(getattr(featdepth_train, name), width=8))
    options = SMALL | {"model": net, "recipe": recipe, "camera": camera}
    done = adapt(plate, tmp_path / "w.safetensors", **options)
    assert done.steps == 1
    assert "photometric" in done.before


def test_flow_is_not_asked_at_silhouettes() -> None:
    """Neither where it shows one nor where only the model does: it would blur what the edge loss holds."""
    wall = torch.ones(2, 48, 64)
    step = torch.where(torch.arange(64) < 30, wall, wall + 1)
    trust = torch.full_like(wall, 0.8)
    for found, was in ((step, wall), (wall, step)):
        sure = beside_jumps(found, trust, was)
        assert sure[:, :, 26:34].max() < 0.1
        torch.testing.assert_close(sure[:, :, 45:], trust[:, :, 45:], atol=0.01, rtol=0)
