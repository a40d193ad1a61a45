"""What runs the network is part of a job: it goes on with that, to the same bytes, or says why not."""

import pytest
from generated import write_movie
from test_run import digest

from vdepth_core.errors import JobConflictError, UsageError
from vdepth_core.jobs import plan
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.record import read_record
from vdepth_core.models import runtime
from vdepth_core.models.runtime import onnx_runtime
from vdepth_core.store import FrameArray

pytestmark = pytest.mark.skipif(onnx_runtime() is None, reason="needs vdepth[fast]")
SHELF = ModelShelf()  # loads, and exports, once for all tests


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 4)


@pytest.fixture(scope="module")
def run(random_small):
    """Runs jobs with a network that is exported in half the time the embedded one takes."""

    def job(movie, out, shelf=SHELF, on_event=None, overwrite=False, **options):
        facts = {"model": str(random_small), "device": "cpu", "size": 64, "method": "framewise", **options}
        config = EstimateConfig.parse(**facts)
        how = {"on_event": on_event, "overwrite": overwrite, "shelf": shelf}
        return estimate_clips([movie], out, config, **how)[0].error

    return job


@pytest.fixture(scope="module")
def finished(run, movie, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    assert run(movie, out, runtime="onnx") is None
    return out


def test_the_job_says_what_runs_it_and_torch_goes_unsaid(run, movie, finished, tmp_path):
    record = read_record(finished)
    assert record.identity["runtime"] == onnx_runtime()
    assert record.chosen.runtime == "onnx"
    assert run(movie, tmp_path) is None  # a short clip: exporting would take longer than it saves
    assert read_record(tmp_path).chosen.runtime == "torch"
    assert "runtime" not in read_record(tmp_path).identity


def test_stopped_and_resumed_it_gives_the_same_bytes(run, movie, finished, tmp_path, monkeypatch):
    write, done = FrameArray.write, []

    def stops(array, index, values):
        if index == 2:
            raise OSError(28, "No space left on device")
        write(array, index, values)
        done.append(index)

    with monkeypatch.context() as patch:
        patch.setattr(FrameArray, "write", stops)
        assert run(movie, tmp_path, runtime="onnx") is not None
    assert done
    assert run(movie, tmp_path, ModelShelf(), runtime="onnx") is None
    assert digest(tmp_path) == digest(finished)


def test_another_runtime_is_another_job_and_is_named(run, movie, finished):
    error = run(movie, finished, runtime="torch")
    assert isinstance(error, JobConflictError)
    assert f"runtime differs: {onnx_runtime()} there, torch here" in error.message


def test_a_job_goes_on_with_what_it_was_begun_with(run, movie, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "onnx_runtime", lambda: None)
    assert run(movie, tmp_path, frames="0-3") is None
    monkeypatch.undo()
    monkeypatch.setattr(runtime, "WORTH_FRAMES", 1)  # installed since, and it pays
    assert run(movie, tmp_path, frames="0-3", near=2.0) is not None  # its files differ: refused as ever
    assert run(movie, tmp_path, frames="0-3") is None
    assert read_record(tmp_path).chosen.runtime == "torch"
    other = tmp_path / "other"
    assert run(movie, other, frames="0-3") is None
    assert read_record(other).identity["runtime"] == onnx_runtime()


def test_where_it_is_gone_the_job_says_so_and_a_finished_one_needs_it_no_more(
    run, movie, tmp_path, monkeypatch
):
    monkeypatch.setattr(runtime, "WORTH_FRAMES", 1)
    assert run(movie, tmp_path) is None
    begun = onnx_runtime()
    for module in (runtime, plan):
        monkeypatch.setattr(module, "onnx_runtime", lambda: None)
    assert run(movie, tmp_path, ModelShelf()) is None
    (tmp_path / "shot_depth.1002.exr").unlink()
    (tmp_path / "manifest.json").unlink()
    error = run(movie, tmp_path, ModelShelf())
    assert isinstance(error, UsageError), error
    assert f"was begun on {begun}, which is not installed here" in error.message
    assert "vdepth[fast]" in error.hint


def test_another_version_is_another_job(run, movie, tmp_path, monkeypatch):
    assert run(movie, tmp_path, runtime="onnx") is None
    for module in (runtime, plan):
        monkeypatch.setattr(module, "onnx_runtime", lambda: "onnxruntime 9.9")
    error = run(movie, tmp_path, ModelShelf(), runtime="onnx")
    assert isinstance(error, JobConflictError)
    assert "onnxruntime 9.9 here" in error.message
