"""The lens: given, seen by the model, or assumed; one a shot, in every header, and behind metric depth."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from generated import write_movie

from vdepth_core.errors import UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.jobs import plan
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.output.attributes import intrinsics_from
from vdepth_core.output.sequence import read_sequence
from vdepth_core.protocols import CameraModel
from vdepth_core.types import LensFacts, ModelSpec

CANONICAL = 0.25  # inverse depth per picture width: at 90 degrees, width / fx = 2, so 2 m away


class LensModel:
    """Sees a flat wall and a lens whose estimate trembles from frame to frame; `sees` gives each frame's."""

    def __init__(self, sees) -> None:
        self.spec = ModelSpec(
            "lens", "disparity", "metric", "CC0", True, native_size=64, canonical=True, weights_sha256="01"
        )
        self.sees, self.frame = sees, 0

    def predict(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.full((len(frames), *frames.shape[2:]), CANONICAL)

    def predict_with_fov(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        views = [self.sees(self.frame + offset) for offset in range(len(frames))]
        self.frame += len(frames)
        return self.predict(frames), torch.tensor(views)


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 12, shots=2)


def job(movie, out, sees, **options):
    shelf = ModelShelf()
    shelf.put("lens", "cpu", "fp32", LensModel(sees))
    config = EstimateConfig.parse(model="lens", device="cpu", dtype="fp32", size=64, **options)
    result = estimate_clips([movie], out, config, shelf=shelf)[0]
    assert result.error is None, result.error
    return read_sequence(out)


@pytest.mark.parametrize("method", ["framewise", "temporal"])
def test_one_estimated_lens_a_shot_reaches_the_headers_and_makes_depth_metric(movie, tmp_path, method):
    trembling = [60.0, 50.0, 55.0] * 2 + [90.0, 86.0, 94.0] * 2
    depth = job(movie, tmp_path, trembling.__getitem__, method=method)
    for index, fov in ((0, 55.0), (5, 55.0), (6, 90.0), (11, 90.0)):
        header = depth.attributes(index)
        fx = 96 / 2 / np.tan(np.radians(fov) / 2)
        assert header["vdepth/camera"] == "estimated"
        assert header["vdepth/fx"] == pytest.approx(fx, rel=1e-5)
        assert header["vdepth/units"] == "m"
        np.testing.assert_allclose(depth[index], fx / 96 / CANONICAL, rtol=1e-4)
    assert [shot.camera.source for shot in depth.manifest.shots] == ["estimated", "estimated"]
    assert depth.manifest.shots[1].camera.fx == pytest.approx(48)


def test_a_given_lens_beats_the_estimate(movie, tmp_path):
    depth = job(movie, tmp_path, lambda frame: 20.0, fov=90, method="framewise")
    assert depth.attributes(3)["vdepth/camera"] == "given"
    np.testing.assert_allclose(depth[3], 2.0, rtol=1e-4)


def test_what_the_file_tells_beats_the_model_and_is_named(movie, tmp_path, monkeypatch):
    lens = LensFacts(48.0, 0.1, "the movie's tags, 28 mm as of a 35-mm camera", "Apple")
    open_as_it_was = plan.open_clip

    def told(*args, **options):
        clip = open_as_it_was(*args, **options)
        clip.info = replace(clip.info, lens=lens)
        return clip

    monkeypatch.setattr(plan, "open_clip", told)
    depth = job(movie, tmp_path / "told", lambda frame: 20.0, method="framewise")
    header = depth.attributes(3)
    assert (header["vdepth/camera"], header["vdepth/camera_detail"]) == ("metadata", lens.source)
    assert header["vdepth/camera_error"] == pytest.approx(0.1)
    assert intrinsics_from(header).detail == lens.source
    camera = depth.manifest.camera
    assert (camera.source, camera.detail, camera.error, camera.fx) == ("metadata", lens.source, 0.1, 48.0)
    np.testing.assert_allclose(depth[3], 2.0, rtol=1e-4)
    depth = job(movie, tmp_path / "given", lambda frame: 20.0, fov=60, method="framewise")
    assert depth.attributes(3)["vdepth/camera"] == "given"
    assert "vdepth/camera_detail" not in depth.attributes(3)


@pytest.mark.parametrize("name", ["path.chan", "lens.json"])
def test_a_camera_file_gives_the_lens_whatever_frames_it_has(movie, tmp_path, name):
    file = tmp_path / name
    fov = math.degrees(2 * math.atan(32 / 48))  # of 64 rows
    file.write_text('{"fov": 90}' if name == "lens.json" else f"1 0 0 0 0 0 0 {fov}\n2 0 0 1 0 0 0 {fov}\n")
    depth = job(movie, tmp_path / "out", lambda frame: 20.0, camera=str(file), method="framewise")
    assert (depth.manifest.camera.source, depth.manifest.camera.detail) == ("given", name)
    np.testing.assert_allclose(depth[3], 2.0, rtol=1e-4)


def test_motion_is_asked_for_and_found_once(movie, tmp_path, monkeypatch):
    calls = []

    def found(clip, start, stop, progress):
        calls.append((start, stop))
        return Intrinsics(48.0, 48.0, 48.0, 32.0, "motion", "2 stretches of the clip", 0.04)

    monkeypatch.setattr("vdepth_core.geometry.motion.focal.lens_from_motion", found)
    for _ in range(2):
        depth = job(movie, tmp_path, lambda frame: 20.0, camera="motion", method="framewise")
    assert len(calls) == 1
    camera = depth.manifest.camera
    assert (camera.source, camera.detail, camera.error) == ("motion", "2 stretches of the clip", 0.04)
    np.testing.assert_allclose(depth[3], 2.0, rtol=1e-4)


def test_two_answers_about_the_lens_are_refused():
    with pytest.raises(UsageError, match="Fov and camera both say what the lens is"):
        EstimateConfig.parse(fov=50, camera="motion")


def test_a_zoom_is_told(movie, tmp_path):
    depth = job(movie, tmp_path, lambda frame: 30.0 + 2 * (frame % 6), method="framewise")
    assert any("varies from" in note for note in depth.manifest.shots[0].notes)


def test_the_test_model_is_what_the_job_looks_for():
    assert isinstance(LensModel(float), CameraModel)
