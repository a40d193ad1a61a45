"""What decides the files alone predicts nothing anew; what is finished is neither decoded nor predicted."""

import shutil

import pytest
from generated import RampModel, write_movie
from jobs.test_run import digest, run

from vdepth_core.clip.movie import MovieClip
from vdepth_core.errors import JobConflictError
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 12, shots=2)


FRAMEWISE = {"method": "framewise"}  # the fastest; nothing below but the first asks for another
OTHERS = [
    {"far": 50.0, "normals": True, "method": "temporal"},
    {"sky": True, "sky_depth": True},
    {"sharpen": False},
    {"layered": True},
    {"cfr": "10"},
    {"compression": "zips"},
    {"fov": 40.0, "normals": True},
    {"start_frame": 1},
    {"timecode": "02:00:00:00"},
]


@pytest.fixture(scope="module")
def kept(movie, tmp_path_factory):
    out = tmp_path_factory.mktemp("kept")
    assert run([movie], out, keep_store=True, **FRAMEWISE)[0].error is None
    return out


@pytest.fixture(scope="module")
def kept_temporal(movie, tmp_path_factory):
    out = tmp_path_factory.mktemp("kept")
    assert run([movie], out, keep_store=True)[0].error is None
    return out


@pytest.mark.parametrize("other", OTHERS, ids="+".join)
def test_other_files_of_the_same_predictions(movie, kept, kept_temporal, tmp_path, other):
    fresh, again = tmp_path / "fresh", tmp_path / "again"
    shutil.copytree(kept_temporal if "method" in other else kept, again)
    other = FRAMEWISE | other
    model = RampModel()
    refused = run([movie], again, model, keep_store=True, **other)[0].error
    assert isinstance(refused, JobConflictError)
    assert "from the predictions that were kept" in refused.hint
    assert run([movie], again, model, keep_store=True, overwrite=True, **other)[0].error is None
    assert model.seen == 0
    assert run([movie], fresh, keep_store=True, **other)[0].error is None
    assert digest(again) == digest(fresh)


def test_the_model_may_be_gone(movie, tiny, tmp_path):
    model = shutil.copytree(tiny("depth-anything"), tmp_path / "tiny")
    options = {"model": str(model), "device": "cpu", "size": 64, "keep_store": True, **FRAMEWISE}
    clean = {**options, "far": 50.0, "normals": True}
    assert _estimate(movie, tmp_path / "fresh", clean).error is None
    assert _estimate(movie, tmp_path / "out", options).error is None
    model.rename(tmp_path / "elsewhere")
    result = _estimate(movie, tmp_path / "out", clean, overwrite=True)
    assert result.error is None, result.error
    assert digest(tmp_path / "out") == digest(tmp_path / "fresh")
    # What has to be predicted cannot be, and says so.
    result = _estimate(movie, tmp_path / "out", {**clean, "size": 96}, overwrite=True)
    assert result.error.exit_code in (4, 2)
    assert str(model) in result.error.message


def _estimate(movie, out, options, overwrite=False):
    return estimate_clips([movie], out, EstimateConfig.parse(**options), overwrite=overwrite)[0]


@pytest.mark.parametrize("name", ["preview.mp4", "report.html", "manifest.json"])
def test_a_lost_file_of_the_whole_costs_that_file(movie, kept, tmp_path, monkeypatch, name):
    out = tmp_path / "out"
    assert run([movie], out, **FRAMEWISE)[0].error is None
    before = digest(out)
    (out / name).unlink()
    model = RampModel()
    monkeypatch.setattr(MovieClip, "read", _not_read)
    assert run([movie], out, model, **FRAMEWISE)[0].error is None
    assert model.seen == 0
    assert digest(out) == before


def test_a_lost_frame_costs_its_frame_while_predictions_are_kept(movie, kept, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(kept, out)
    (out / "shot_depth.1008.exr").unlink()
    read, original = [], MovieClip.read

    def reading(self, start=0, stop=None, **options):
        for frame in original(self, start, stop, **options):
            read.append(frame.index)
            yield frame

    model = RampModel()
    monkeypatch.setattr(MovieClip, "read", reading)
    assert run([movie], out, model, keep_store=True, **FRAMEWISE)[0].error is None
    assert model.seen == 0
    assert read[0] == 7  # 1008
    assert digest(out) == digest(kept)


def test_a_lost_frame_costs_its_shot_when_they_are_not(movie, tmp_path):
    out = tmp_path / "out"
    assert run([movie], out)[0].error is None
    before = digest(out)
    (out / "shot_depth.1008.exr").unlink()
    model = RampModel()
    assert run([movie], out, model)[0].error is None
    assert model.seen == 6
    assert digest(out) == before


def test_default_values_are_no_other_job(movie, kept, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(kept, out)
    model = RampModel()
    assert run([movie], out, model, keep_store=True, near=1.0, far=100.0, **FRAMEWISE)[0].error is None
    assert model.seen == 0


def _not_read(self, *_, **__):
    raise AssertionError("a finished job was decoded")
