"""A job end to end: its files, its resumption, its refusals."""

import hashlib
import json
import os
import random
import shutil
import signal
import textwrap
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from generated import RampModel, write_movie
from processes import start

from vdepth_core.clip.movie import MovieClip
from vdepth_core.errors import InputError, JobConflictError
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.assemble import finish
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.events import Done, Error, FrameDone, JobProgress, Started
from vdepth_core.jobs.folder import JobFolder
from vdepth_core.output.exr import write_exr
from vdepth_core.output.manifest import read_manifest
from vdepth_core.output.sequence import read_sequence
from vdepth_core.output.verify import verify

OPTIONS = {"model": "ramp", "device": "cpu", "dtype": "fp32", "size": 64}


def run(clips, out, model=None, on_event=None, overwrite=False, **options):
    """Runs jobs with the ramp model; returns the results."""
    shelf = ModelShelf()
    shelf.put("ramp", "cpu", "fp32", model or RampModel())
    config = EstimateConfig.parse(**{**OPTIONS, **options})
    return estimate_clips(clips, out, config, on_event=on_event, overwrite=overwrite, shelf=shelf)


def digest(out: Path) -> dict[str, str]:
    """Hash of every file a job leaves, timings apart."""
    found = {}
    for path in sorted(out.iterdir()):
        if path.name == "manifest.json":
            manifest = json.loads(path.read_text())
            del manifest["timings"]
            found[path.name] = json.dumps(manifest, sort_keys=True)
        elif path.is_file():
            found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 14, shots=2)


@pytest.fixture(scope="module")
def finished(movie, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    result = run([movie], out)[0]
    assert result.error is None, result.error
    return out


def test_every_frame_of_every_shot_is_written(finished):
    names = sorted(path.name for path in finished.glob("*.exr"))
    assert names == sorted(
        f"shot_{kind}.{number}.exr" for kind in ("depth", "disparity") for number in range(1001, 1015)
    )
    sequence = read_sequence(finished)
    assert len(sequence) == 14
    assert [(shot.start, shot.stop) for shot in sequence.manifest.shots] == [(0, 7), (7, 14)]
    for frame in sequence:
        assert frame.shape == (64, 96)
        assert np.isfinite(frame).all()
        assert frame.min() >= 1 - 1e-5
        assert frame.max() <= 100 * (1 + 1e-5)
    for name in ("manifest.json", "preview.mp4", "report.html"):
        assert (finished / name).stat().st_size > 0


def test_nothing_is_left_of_the_work(finished):
    assert not list((finished / ".vdepth").glob("shot_*"))
    assert not list(finished.rglob("*.tmp"))


def test_predictions_left_by_a_kill_at_the_very_end_are_dropped_later(movie, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "drop_stores", lambda self: None)
        assert run([movie], tmp_path / "killed", frames="0-2")[0].error is None
    assert list((tmp_path / "killed" / ".vdepth").glob("shot_*"))
    half = tmp_path / "killed" / ".vdepth" / "tmp" / "0123456789abcdef.tmp"
    half.touch()
    assert run([movie], tmp_path / "killed", frames="0-2")[0].error is None
    assert not list((tmp_path / "killed" / ".vdepth").glob("shot_*"))
    assert not half.exists()
    for keep in (True, False):
        assert run([movie], tmp_path / "kept", frames="0-2", keep_store=keep)[0].error is None
    assert list((tmp_path / "kept" / ".vdepth").glob("shot_*"))


def test_two_runs_are_byte_identical(movie, finished, tmp_path):
    assert run([movie], tmp_path)[0].error is None
    assert digest(tmp_path) == digest(finished)


def test_finished_job_returns_without_work(movie, finished):
    model, events = RampModel(), []
    result = run([movie], finished, model, events.append)[0]
    assert result.error is None
    assert model.seen == 0
    assert [type(event) for event in events] == [Started, Done]
    assert events[0].resumed
    assert events[0].finished


def test_one_lost_frame_is_written_again(movie, finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    (out / "shot_depth.1007.exr").unlink()
    assert run([movie], out)[0].error is None
    assert digest(out) == digest(finished)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:700],
        lambda data: b"",
        lambda data: data[:-9] + bytes(9),
        lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
    ],
    ids=["cut short", "empty", "a lost block", "one bit"],
)
def test_a_damaged_frame_is_written_again(movie, finished, tmp_path, damage):
    out = shutil.copytree(finished, tmp_path / "out")
    spoiled = out / "shot_disparity.1012.exr"
    spoiled.write_bytes(damage(spoiled.read_bytes()))
    assert run([movie], out)[0].error is None
    assert digest(out) == digest(finished)


def test_a_changed_frame_is_the_users_and_named(movie, tmp_path):
    run([movie], tmp_path, frames="0-3")
    edited, lost = tmp_path / "shot_disparity.1002.exr", tmp_path / "shot_depth.1001.exr"
    write_exr(edited, {"Y": np.ones((64, 96), np.float32)}, {"comments": "painted"})
    lost.unlink()
    kept = digest(tmp_path)
    for overwrite in (False, True):
        result = run([movie], tmp_path, frames="0-3", overwrite=overwrite)[0]
        assert isinstance(result.error, JobConflictError)
        assert edited.name in result.error.message
    assert digest(tmp_path) == kept


def test_the_manifest_says_what_every_file_holds(finished):
    manifest = read_manifest(finished / "manifest.json")
    found = digest(finished)
    del found["manifest.json"]
    assert {name: entry.sha256 for name, entry in manifest.files.items()} == found
    assert list(manifest.files) == sorted(manifest.files)


def test_another_configuration_is_refused_and_overwritten_on_request(movie, finished, tmp_path):
    run([movie], tmp_path, frames="0-5")
    kept = digest(tmp_path)
    refused = run([movie], tmp_path)[0]
    assert isinstance(refused.error, JobConflictError)
    assert "frames" in refused.error.message
    assert digest(tmp_path) == kept
    assert run([movie], tmp_path, overwrite=True)[0].error is None
    assert digest(tmp_path) == digest(finished)


def test_a_frame_range_keeps_the_clips_numbers(movie, tmp_path):
    assert run([movie], tmp_path, frames="5-9", start_frame=1)[0].error is None
    numbers = sorted(int(path.name.split(".")[1]) for path in tmp_path.glob("shot_depth.*"))
    assert numbers == list(range(6, 11))


def test_constant_rate_repeats_frames_without_gaps(movie, tmp_path):
    assert run([movie], tmp_path, cfr="60")[0].error is None
    sequence = read_sequence(tmp_path)
    assert len(sequence) == 35
    np.testing.assert_array_equal(sequence[0], sequence[2])  # 24 to 60: 3, 2, 3, 2 ...
    assert not np.array_equal(sequence[2], sequence[3])
    first, second = read_manifest(tmp_path / "manifest.json").shots
    assert (first.stop, first.count + second.count) == (second.start, 35)
    assert first.start_number + first.count == second.start_number
    for number, shot in ((second.start_number - 1, 0), (second.start_number, 1)):
        assert sequence.attributes(number - first.start_number)["vdepth/shot"] == shot


def test_a_constant_rate_waits_for_the_end_of_the_scan(movie, tmp_path, monkeypatch):
    options = {"cfr": "60", "method": "framewise"}
    assert run([movie], tmp_path / "quick", **options)[0].error is None
    scan = MovieClip.scan

    def slow(self, **options):
        for shot in scan(self, **options):
            yield shot
            time.sleep(0.5)  # the first shot is predicted and settled long before the second is found

    monkeypatch.setattr(MovieClip, "scan", slow)
    assert run([movie], tmp_path / "slow", **options)[0].error is None
    assert digest(tmp_path / "slow") == digest(tmp_path / "quick")


def test_one_bad_clip_does_not_stop_the_others(movie, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a movie at all" * 100)
    events = []
    other = tmp_path / "shot.mp4"
    shutil.copy(movie, other)
    results = run([movie, broken, other], tmp_path / "out", on_event=events.append, frames="0-3")
    assert results[0].error is None
    assert isinstance(results[1].error, InputError)
    assert results[2].error is None
    assert {result.out.name for result in results} == {
        "broken",
        f"shot_{movie.parent.name}",
        f"shot_{tmp_path.name}",
    }
    told = [event for event in events if isinstance(event, Error)]
    assert [(event.clip, event.code) for event in told] == [(str(broken), "bad_input")]


def test_a_batch_writes_beside_none_of_its_clips(movie, tmp_path):
    plates = tmp_path / "shot"
    plates.mkdir()
    for number in range(2):
        cv2.imwrite(str(plates / f"p.{number:04d}.png"), np.full((48, 64, 3), 99 * number, np.uint8))
    shutil.copy(movie, tmp_path / "shot.mp4")
    first, second, _ = run([tmp_path / "shot.mp4", plates, tmp_path / "gone.mp4"], tmp_path, frames="0-1")
    assert isinstance(first.error, JobConflictError)  # its folder would be the plates' own
    assert second.error is None
    assert sorted(path.name for path in plates.iterdir()) == ["p.0000.png", "p.0001.png"]


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C there")
def test_a_cancelled_batch_leaves_the_folders_of_clips_that_had_not_begun(movie, tmp_path, monkeypatch):
    clips = [tmp_path / f"{name}.mp4" for name in "abcd"]
    for clip in clips:
        shutil.copy(movie, clip)
    out = tmp_path / "out"
    assert not any(result.error for result in run(clips, out, frames="0-2"))

    def everything():
        return {path: path.stat().st_mtime_ns for path in out.rglob("*") if {"c", "d"} & set(path.parts)}

    kept, results = everything(), [digest(out / name) for name in "abcd"]

    told, everyone, cancel = set(), threading.Event(), JobProgress.cancel

    def heard(self):
        cancel(self)
        told.add(self.clip)
        if told == {str(clip) for clip in clips}:
            everyone.set()

    class Interrupted(RampModel):
        def predict(self, frames):
            if not self.seen:  # a second one would end this process
                os.kill(os.getpid(), signal.SIGINT)
                assert everyone.wait(60)
            return super().predict(frames)

    monkeypatch.setattr(JobProgress, "cancel", heard)
    shelf = ModelShelf()
    shelf.put("ramp", "cpu", "fp32", Interrupted())
    config = EstimateConfig.parse(**OPTIONS, frames="0-2", near=2.0)
    done = estimate_clips(clips, out, config, overwrite=True, signals=True, shelf=shelf)
    assert [result.error.exit_code for result in done] == [130] * 4
    assert everything() == kept
    assert [digest(out / name) for name in "abcd"] == results  # nothing was ready to take the old one's place
    monkeypatch.undo()
    assert not any(result.error for result in run(clips, out, frames="0-2", near=2.0, overwrite=True))
    assert all(digest(out / name) != before for name, before in zip("abcd", results, strict=True))


def test_cancelling_keeps_what_is_done_and_resumes(movie, finished, tmp_path):
    class Stopper(RampModel):
        def predict(self, frames):
            if self.seen >= 9:
                raise KeyboardInterrupt
            return super().predict(frames)

    first = Stopper()
    assert run([movie], tmp_path, first)[0].error.exit_code == 130
    assert not (tmp_path / "manifest.json").exists()
    again = RampModel()
    assert run([movie], tmp_path, again)[0].error is None
    assert again.seen <= 14 - 7, "the first shot was predicted again"
    assert digest(tmp_path) == digest(finished)


def test_a_model_that_fails_is_an_internal_error_in_one_line(movie, tmp_path):
    class Broken(RampModel):
        def predict(self, frames):
            raise RuntimeError("kernel\nexploded")

    error = run([movie], tmp_path, Broken())[0].error
    assert error.exit_code == 1
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        MemoryError("Unable to allocate 64.0 GiB for an array"),
        "OpenCV's",
    ],
    ids=["torch", "NumPy", "OpenCV"],
)
@pytest.mark.parametrize("where", ["predict", "write"])
def test_out_of_memory_in_a_job_is_a_resource_error(movie, tmp_path, monkeypatch, error, where):
    def fail(*_):
        if isinstance(error, str):
            cv2.resize(np.zeros((16, 16), np.uint8), (2**30, 2**30))  # a million terabytes
        raise error

    model = RampModel()
    if where == "predict":
        model.predict = fail
    else:
        monkeypatch.setattr("vdepth_core.output.writer.write_exr", fail)
    found = run([movie], tmp_path, model)[0].error
    assert (found.exit_code, found.message) == (5, "Out of memory."), found


def test_full_disk_is_a_resource_error_and_nothing_is_lost(movie, finished, tmp_path, monkeypatch):
    from vdepth_core.output import writer

    written, real = [], writer.write_exr

    def limited(path, *arguments):
        if len(written) >= 9:
            raise OSError(28, os.strerror(28), str(path))
        written.append(path)
        real(path, *arguments)

    monkeypatch.setattr(writer, "write_exr", limited)
    error = run([movie], tmp_path)[0].error
    assert error.exit_code == 5
    monkeypatch.undo()
    assert run([movie], tmp_path)[0].error is None
    assert digest(tmp_path) == digest(finished)


KILLED = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from generated import RampModel
    from jobs.test_run import run

    class Slow(RampModel):
        def predict(self, frames):
            time.sleep(0.02)
            return super().predict(frames)

    print("ready", flush=True)
    result = run([Path(sys.argv[1])], Path(sys.argv[2]), Slow())[0]
    assert result.error is None, result.error
    """
)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
@pytest.mark.parametrize("kills", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_result_is_the_same(movie, finished, tmp_path, kills):
    out = tmp_path / "out"
    moments = random.Random(0)
    for _ in range(kills):
        with start(KILLED, movie, out) as job:
            assert job.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0.05, 0.5))
            job.send_signal(signal.SIGKILL)
    events = []
    assert run([movie], out, on_event=events.append)[0].error is None
    assert digest(out) == digest(finished)
    assert sum(isinstance(event, FrameDone) for event in events) in (0, 14)


@pytest.mark.parametrize("lost", ["everything", "the manifest's line", "a line and its file"])
def test_a_finished_job_whose_journal_lost_lines_mends_it(movie, finished, tmp_path, lost):
    out = shutil.copytree(finished, tmp_path / "out")
    journal, before = out / ".vdepth" / "journal.jsonl", digest(out)
    whole = journal.read_bytes()
    named = {"the manifest's line": b"manifest.json", "a line and its file": b"1005.exr"}.get(lost)
    kept = [line for line in whole.splitlines(keepends=True) if named is not None and named not in line]
    journal.write_bytes(b"".join(kept))
    if lost == "a line and its file":
        (out / "shot_depth.1005.exr").unlink()
    else:
        assert not verify(out).faults
    assert run([movie], out)[0].error is None
    assert sorted(journal.read_bytes().splitlines()) == sorted(whole.splitlines())
    assert not verify(out).faults
    assert digest(out) == before
    assert run([movie], out, method="framewise", overwrite=True)[0].error is None  # all its own again


def test_a_manifest_that_verify_calls_damaged_is_not_called_done(movie, finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    text = (out / "manifest.json").read_text()
    (out / "manifest.json").write_text(text + "\n")
    assert [fault.name for fault in verify(out).faults] == ["manifest.json"]
    error = run([movie], out)[0].error
    assert isinstance(error, JobConflictError)
    assert "manifest.json" in error.message
    (out / "manifest.json").write_text(text[:-20])  # spoiled, and nobody's work
    assert run([movie], out)[0].error is None
    assert not verify(out).faults


@pytest.mark.parametrize("options", [{}, {"cfr": "12"}])
def test_a_users_frame_outside_the_range_is_in_nobodys_way(movie, tmp_path, options):
    options = options | {"method": "framewise"}
    assert run([movie], tmp_path, **options)[0].error is None
    for number in (1000, 1015, 5000):
        (tmp_path / f"shot_depth.{number}.exr").write_bytes(b"theirs")
    assert run([movie], tmp_path, near=2.0, overwrite=True, **options)[0].error is None
    finish(tmp_path)
    assert (tmp_path / "shot_depth.5000.exr").read_bytes() == b"theirs"
    (tmp_path / "shot_depth.1002.exr").write_bytes(b"theirs")
    assert "1002" in run([movie], tmp_path, near=3.0, overwrite=True, **options)[0].error.message


def test_a_movie_longer_than_it_says_is_looked_at_again(movie, tmp_path, monkeypatch):
    monkeypatch.setattr("vdepth_core.clip.movie.declared_frames", lambda *_: 3)
    taken = tmp_path / "shot_depth.1012.exr"
    taken.write_bytes(b"theirs")
    error = run([movie], tmp_path)[0].error
    assert isinstance(error, JobConflictError)
    assert taken.name in error.message
    assert taken.read_bytes() == b"theirs"
