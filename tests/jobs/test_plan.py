"""Everything is settled and checked before anything is written; a job keeps what it chose."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from generated import RampModel, write_movie
from test_run import OPTIONS, digest, run

from vdepth_core.errors import InputError, JobConflictError, UsageError, WeightsError
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.events import Started, Warning_
from vdepth_core.jobs.record import read_record
from vdepth_core.models.registry import ModelEntry
from vdepth_core.types import ModelSpec


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 8)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plate")
    for number in range(1001, 1009):
        picture = np.random.default_rng(number).integers(0, 255, (64, 96, 3), np.uint8)
        cv2.imwrite(str(folder / f"plate.{number}.png"), picture)
    return folder


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All files of a folder with content and date."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


REFUSED = [
    ({"frames": "500-600"}, UsageError),
    ({"frames": "5000-6000"}, UsageError),
    ({"frames": "{first}-{second}", "cfr": "1"}, UsageError),
    ({"intrinsics": {"fx": float("nan")}}, InputError),
    ({"intrinsics": {"fx": -3}}, InputError),
    ({"intrinsics": {"fx": 1e300}}, InputError),
    ({"intrinsics": {"fx": 100, "cx": 1e39}}, InputError),
    ({"intrinsics": {"fx": 10**400}}, InputError),
    ({"intrinsics": []}, InputError),
    ({"method": "no such method"}, UsageError),
]


@pytest.mark.parametrize("kind", ["movie", "sequence"])
def test_after_refused_options_the_corrected_command_runs(movie, plate, tmp_path, kind):
    clip, first = (movie, 2) if kind == "movie" else (plate, 1003)
    out, camera = tmp_path / "out", tmp_path / "k.json"
    for refused, error in REFUSED:
        options = dict(refused)
        if "intrinsics" in options:
            camera.write_text(json.dumps(options["intrinsics"]))
            options = {"intrinsics": camera}
        if "frames" in options:
            options["frames"] = options["frames"].format(first=first, second=first + 1)
        found = run([clip], out, **options)[0].error
        assert isinstance(found, error), (refused, found)
        assert "\n" not in str(found)
        assert kind == "movie" or not out.exists(), refused
    assert run([clip], out, frames=f"{first}-{first + 1}")[0].error is None


@pytest.mark.parametrize(
    "options", [{"far": float("inf")}, {"far": 1e10}, {"near": float("nan")}, {"frames": "10-5"}]
)
def test_what_no_clip_could_take_is_refused_before_any_is_opened(options):
    with pytest.raises(UsageError):
        EstimateConfig.parse(**options)


def test_a_range_behind_what_a_movie_declares_is_doubted_at_once(movie, tmp_path):
    events = []
    error = run([movie], tmp_path, on_event=events.append, frames="500-600")[0].error
    assert "ends at frame 7" in error.message
    assert any("declares 8 frames only" in event.message for event in events if isinstance(event, Warning_))


def test_a_finished_job_asked_for_again_changes_nothing_at_all(movie, finished, tmp_path):
    """So it answers on a read-only disk as well."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    before = everything(tmp_path)
    for options in ({}, {"near": 1.0}, {"frames": None, "start_frame": 1001}, {"seed": 0, "far": 100}):
        model = RampModel()
        assert run([movie], tmp_path, model, method="framewise", **options)[0].error is None
        assert model.seen == 0
    assert everything(tmp_path) == before


@pytest.mark.parametrize("damage", [None, b"", b'{"job": ', b"{\xff"])
def test_a_lost_or_damaged_manifest_costs_nothing(movie, finished, tmp_path, damage):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    before = everything(tmp_path)
    (tmp_path / "manifest.json").unlink()
    if damage is not None:
        (tmp_path / "manifest.json").write_bytes(damage)
    model = RampModel()
    assert run([movie], tmp_path, model, method="framewise")[0].error is None
    assert model.seen == 0
    assert (tmp_path / "manifest.json").read_bytes() == before["manifest.json"][1]


class Stopper(RampModel):
    def predict(self, frames):
        if self.seen >= 4:
            raise KeyboardInterrupt
        return super().predict(frames)


@pytest.fixture(scope="module")
def finished(movie, tmp_path_factory):
    """To be copied."""
    out = tmp_path_factory.mktemp("finished")
    assert run([movie], out, method="framewise")[0].error is None
    return out


@pytest.fixture(scope="module")
def stopped(movie, tmp_path_factory):
    """To be copied."""
    out = tmp_path_factory.mktemp("stopped")
    assert run([movie], out, Stopper(), method="framewise")[0].error.exit_code == 130
    return out


@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff\xfe"])
@pytest.mark.parametrize(
    "name", ["job.json", "scan.json", "seen.json", "shot_0000/store.json", "shot_0000/raw.f32.crc"]
)
def test_damaged_notes_of_an_unfinished_job_are_made_again(movie, tmp_path, finished, stopped, name, content):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    path = tmp_path / ".vdepth" / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    assert run([movie], tmp_path, method="framewise")[0].error is None
    assert digest(tmp_path) == digest(finished)


class Metric(RampModel):
    def __init__(self):
        super().__init__()
        self.spec = ModelSpec("ramp", "depth", "metric", "CC0", True, native_size=64, weights_sha256="11")

    def predict(self, frames):
        return super().predict(frames) + torch.tensor(1.0)


def test_near_and_far_are_not_ignored_in_silence_by_a_metric_model(movie, tmp_path):
    events = []
    assert run([movie], tmp_path, Metric(), events.append, near=0.5)[0].error is None
    told = [event.message for event in events if isinstance(event, Warning_)]
    assert "ramp measures depth itself, in metres; --near and --far are ignored." in told
    model = Metric()
    assert run([movie], tmp_path, model)[0].error is None
    assert model.seen == 0


def test_the_options_of_a_refiner_are_not_ignored_in_silence(movie, tmp_path):
    events = []
    assert run([movie], tmp_path, RampModel(), events.append, boost_merge="poisson")[0].error is None
    told = [event.message for event in events if isinstance(event, Warning_)]
    assert told == ["--boost-merge does nothing without --refiner boost."]


def test_the_options_of_another_method_are_not_ignored_in_silence(movie, tmp_path):
    events, given = [], {"stream": True, "batch": 2, "method": "framewise"}
    assert run([movie], tmp_path, RampModel(), events.append, **given)[0].error is None
    told = [event.message for event in events if isinstance(event, Warning_)]
    assert told == ["--stream does nothing with --method framewise."]


def installed(monkeypatch, *names):
    """As if these were all the models there are."""
    entries = [
        ModelEntry(name, True, ModelSpec(name, "disparity", "affine_invariant", "-", True)) for name in names
    ]
    monkeypatch.setattr("vdepth_core.jobs.plan.list_models", lambda: entries)


def chosen(movie, out, model=None, overwrite=False, shelf=("embedded", "midas-v21"), **options):
    """Runs a job that leaves the model to its preset; the result and what it started with."""
    models, events = ModelShelf(), []
    for name in shelf:
        made = model() if model else RampModel()
        made.spec = replace(made.spec, name=name)
        models.put(name, "cpu", "fp32", made)
    config = EstimateConfig.parse(preset="best", device="cpu", size=64, **options)
    result = estimate_clips([movie], out, config, on_event=events.append, overwrite=overwrite, shelf=models)[
        0
    ]
    return result, next((event for event in events if isinstance(event, Started)), None)


@pytest.mark.parametrize("done", [True, False])
def test_weights_installed_later_change_no_job(movie, tmp_path, monkeypatch, done):
    installed(monkeypatch, "embedded")
    first, began = chosen(movie, tmp_path, None if done else Stopper)
    assert (first.error is None) == done
    installed(monkeypatch, "embedded", "midas-v21")
    again, went_on = chosen(movie, tmp_path, near=1.0)
    assert again.error is None
    assert (went_on.model, went_on.job) == (began.model, began.job)
    assert again.manifest.model.name == "embedded"


def test_overwrite_chooses_anew(movie, tmp_path, monkeypatch):
    installed(monkeypatch, "embedded")
    assert chosen(movie, tmp_path)[0].error is None
    installed(monkeypatch, "embedded", "midas-v21")
    assert chosen(movie, tmp_path, overwrite=True)[0].error is None
    assert read_record(tmp_path).chosen.model == "midas-v21"


def test_a_model_that_is_gone_is_named(movie, tmp_path, monkeypatch):
    installed(monkeypatch, "embedded", "midas-v21")
    chosen(movie, tmp_path, Stopper)
    assert read_record(tmp_path).chosen.model == "midas-v21"
    installed(monkeypatch, "embedded")
    result, _ = chosen(movie, tmp_path, shelf=["embedded"])
    assert isinstance(result.error, WeightsError)
    assert "was begun with the model midas-v21, which cannot be used now" in result.error.message


def test_another_machines_accelerator_is_named(movie, stopped, tmp_path):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    record = read_record(tmp_path)
    given = record.given.model_copy(update={"device": "auto"})
    there = record.chosen.model_copy(update={"device": "mps"})
    record = record.model_copy(update={"given": given, "chosen": there})
    (tmp_path / ".vdepth" / "job.json").write_text(record.model_dump_json())
    error = run([movie], tmp_path, device="auto", method="framewise")[0].error
    assert "was begun on mps, which is not available on this machine" in error.message


def test_a_job_keeps_its_threads(movie, tmp_path, monkeypatch):
    counts = iter([2, 1])
    monkeypatch.setattr("vdepth_core.jobs.run.cpu_threads", lambda *_: next(counts))
    assert run([movie], tmp_path, Stopper())[0].error.exit_code == 130
    taken = []
    monkeypatch.setattr("vdepth_core.jobs.run.set_threads", taken.append)
    assert run([movie], tmp_path)[0].error is None
    assert taken == [2]


def test_the_options_as_given_and_as_chosen_are_kept(movie, tmp_path):
    assert run([movie], tmp_path, near=2.0)[0].error is None
    record = read_record(tmp_path)
    assert record.given == EstimateConfig.parse(**OPTIONS, near=2.0)
    assert record.chosen.method == "temporal"
    error = run([movie], tmp_path, near=3.0)[0].error
    assert isinstance(error, JobConflictError)
    assert "(near differs: 2 there, 3 here)" in error.message


def test_packages_are_looked_through_before_the_first_shot_only(tmp_path, monkeypatch):
    """It takes milliseconds, and the accelerator would wait for them at every shot."""
    asked = []

    class Watching(RampModel):
        def predict(self, frames):
            for place in ("vdepth_core.seams", "vdepth_core.models.registry"):
                monkeypatch.setattr(f"{place}.entry_points", lambda **group: asked.append(group) or ())
            return super().predict(frames)

    movie = write_movie(tmp_path / "two.mp4", 14, shots=2)
    (result,) = run([movie], tmp_path / "out", Watching(), method="temporal")
    assert result.error is None, result.error
    assert len(result.manifest.shots) == 2
    assert not asked
