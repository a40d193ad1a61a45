"""The core as a child process: events, errors, cancelling, and what may go wrong in between."""

import os
import sys
import time
from pathlib import Path

import pytest

from blender_addon.core_process import process as process_module
from blender_addon.core_process.client import Failure, Worker
from blender_addon.core_process.process import Process, kill_all


@pytest.fixture
def start(fake_python, tmp_path):
    """Starts the fake core with a scenario; nothing outlives the test."""

    def worker(scenario: str) -> Worker:
        return Worker(fake_python, [scenario], tmp_path / "logs" / "job.log")

    yield worker
    kill_all()


def until(condition, seconds: float = 10.0) -> None:
    """Waits for what happens in another process."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """True for a process that runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_events_come_in_order(start):
    worker = start("good")
    kinds = [event["event"] for event in worker.wait()]
    assert kinds == ["started", "stage", "warning"] + ["progress", "frame"] * 4 + ["done"]
    assert (worker.returncode, worker.error, worker.done) == (0, None, ["out/manifest.json"])


def test_run_reports_and_returns_the_code(start):
    warnings = []
    code = start("good").run(lambda event: warnings.append(event.get("message")))
    assert code == 0
    assert [w for w in warnings if w] == ["Größe ist ungerade — 日本."]


def test_poll_does_not_wait(start):
    worker = start("hang")
    began = time.monotonic()
    worker.poll()
    assert time.monotonic() - began < 0.1
    assert worker.running
    assert worker.returncode is None
    assert worker.error is None


@pytest.mark.parametrize(
    ("scenario", "code", "failure"),
    [
        ("error_event", 3, Failure("shot.mov is no movie.", "Choose another clip.", "bad_input")),
        ("two_clips", 3, Failure("a.mov is no movie.", "", "bad_input")),
        (
            "dies",
            4,
            Failure("No weights named depth-pro. Run: vdepth weights install depth-pro", "", "weights"),
        ),
        (
            "crashes",
            1,
            Failure("The core stopped with exit code 1.", "ZeroDivisionError: division by zero", "internal"),
        ),
        (
            "out_of_memory",
            -9,
            Failure(
                "The core was killed.",
                "The system may have run out of memory: choose a smaller size.",
                "resources",
            ),
        ),
        ("silent", 0, Failure("The core ended without a result.", "", "internal")),
    ],
)
def test_every_failure_is_a_sentence(start, scenario, code, failure):
    worker = start(scenario)
    assert worker.run() == code
    assert worker.error == failure


def test_two_clips_keep_the_finished_one(start):
    worker = start("two_clips")
    worker.run()
    assert worker.done == ["c/manifest.json"]


def test_junk_goes_to_the_log_and_unknown_kinds_nowhere(start):
    worker = start("junk")
    events = list(worker.wait())
    assert events == [
        {"event": "done", "clip": "shot.mov", "manifest": "out/manifest.json", "also": "unknown"}
    ]
    log = worker.log.read_text(encoding="utf-8").splitlines()
    assert "vdepth_core junk --events" in log[0]
    assert log[1:6] == ["libav says hello", "[1, 2]", "null", "7", '{"event": ["list"]}']
    assert log[7].endswith(" broken")
    assert worker.error is None


def test_a_flood_comes_in_portions(start):
    worker = start("flood")
    sizes = []
    while worker.running:
        sizes.append(len(worker.poll()))
        time.sleep(0.001)
    assert sum(sizes) == 20_001
    assert max(sizes) <= 1000


def test_cancel_returns_at_once_and_ends_the_whole_group(start):
    worker = start("hang")
    child = next(worker.wait())["child"]
    began = time.monotonic()
    worker.cancel()
    assert time.monotonic() - began < 0.1
    assert worker.run() == 130
    assert worker.error == Failure("Cancelled.", "Run it again to go on where it stopped.", "cancelled")
    until(lambda: not alive(child))


def test_what_does_not_stop_is_killed_after_the_grace(start, monkeypatch):
    monkeypatch.setattr(process_module, "GRACE_S", 0.3)
    worker = start("stubborn")
    child = next(worker.wait())["child"]
    worker.cancel()
    worker.cancel()
    time.sleep(0.1)
    worker.poll()
    assert worker.running
    assert worker.run() == -9
    assert worker.error.code == "cancelled"
    until(lambda: not alive(child))


def test_kill_all_leaves_nothing(start):
    workers = [start("hang"), start("stubborn")]
    children = [next(worker.wait())["child"] for worker in workers]
    kill_all()
    until(lambda: not any(map(alive, children)))
    assert [worker.returncode for worker in workers] == [-9, -9]


def test_an_exception_while_reading_ends_the_core(start):
    worker = start("hang")
    with pytest.raises(KeyboardInterrupt):
        worker.run(lambda event: (_ for _ in ()).throw(KeyboardInterrupt))
    assert worker.returncode == -9


def test_the_child_has_its_own_group_and_no_foreign_python_settings(start, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("VDEPTH_WEIGHTS", "/weights")
    worker = start("surroundings")
    started = next(worker.wait())
    assert started["group"]
    assert [name for name in started["environment"] if name.startswith("PYTHON")] == []
    assert started["environment"]["VDEPTH_WEIGHTS"] == "/weights"
    assert os.environ["PYTHONHOME"] == "/nowhere"


def test_a_python_that_is_gone_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        Worker(tmp_path / "gone", ["good"], tmp_path / "log")


def test_a_plain_process_streams_both_outputs(tmp_path):
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr); sys.exit(5)"
    process = Process([sys.executable, "-c", code], tmp_path / "log")
    assert list(process.wait_lines()) == ["one", "two"]
    assert process.returncode == 5
    assert process.tail() == ["one", "two"]


def test_a_grandchild_that_keeps_the_pipe_does_not_keep_us(tmp_path, monkeypatch):
    monkeypatch.setattr(process_module, "_LINGER_S", 0.2)
    code = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)'], start_new_session=True)\n"
        "print('done')"
    )
    process = Process([sys.executable, "-c", code], tmp_path / "log")
    until(lambda: process.returncode == 0)
    began = time.monotonic()
    assert list(process.wait_lines()) == ["done"]
    assert time.monotonic() - began < 2
