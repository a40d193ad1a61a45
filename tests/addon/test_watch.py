"""What panels are told of files: at once, from memory, kept up to date beside them."""

import builtins
import json
import os
import threading
import time

import pytest

from blender_addon.core_process.run import Aside, Run, Stopped
from blender_addon.result.watch import Seen, Watch


@pytest.fixture
def manifest(tmp_path):
    camera = {"fx": 320.0, "fy": 320.0, "cx": 320.0, "cy": 180.0, "source": "assumed"}
    facts = {
        "clip": {"path": "/c.mov", "width": 640, "height": 360, "rate": "24"},
        "frames": {"first": 0, "stop": 1, "start_number": 1, "count": 1},
        "shots": [{"start_number": 1, "count": 1, "near": 1.0, "far": 50.0}],
        "model": {"name": "m", "space": "metric", "license": "x", "commercial": True},
        "method": "temporal", "camera": camera, "sequences": {"depth": "c_depth.####.exr"},
    }  # fmt: skip
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(facts))
    return path


def settle(watch: Watch) -> bool:
    """Ticks until the thread has answered; whether something was new."""
    new = watch.tick()
    watch._thread.join(10)
    return watch.tick() or new


def test_an_answer_comes_from_a_thread_and_stays(manifest):
    watch = Watch()
    watch.live = True
    question = str(manifest), str(manifest.parent)
    assert watch.seen(*question) is None
    assert settle(watch)
    found = watch.seen(*question)
    assert found.summary.result.count == 1
    assert found.damage == ("1 of 1 depth files are missing, first c_depth.0001.exr.",)
    assert (found.preview, found.report) == ("", "")
    assert not watch.tick()

    (manifest.parent / "preview.png").touch()
    (manifest.parent / "report.html").touch()
    watch._looked.clear()  # as after two seconds
    assert settle(watch)
    found = watch.seen(*question)
    assert (found.preview, found.report) == tuple(
        str(manifest.with_name(n)) for n in ("preview.png", "report.html")
    )
    watch._asked = {question: time.monotonic() - 60}
    watch._looked.clear()
    watch._thread = None
    watch.tick()
    assert watch._thread is None  # nobody asks any more


def test_asking_touches_no_disk(manifest, monkeypatch):
    watch = Watch()
    watch.look(str(manifest), "")
    watch.live = True

    def touched(*_, **__):
        raise AssertionError("the disk was touched")

    for owner, name in ((builtins, "open"), (os, "stat"), (os, "scandir"), (os, "lstat")):
        monkeypatch.setattr(owner, name, touched)
    assert watch.seen(str(manifest), "").summary is not None
    assert watch.seen("/nowhere", "") is None


def test_without_anybody_to_tick_it_answers_on_the_spot(manifest, tmp_path):
    watch = Watch()
    assert watch.seen(str(manifest), "").summary is not None
    assert watch.seen("", "") == Seen()
    assert "is gone" in watch.seen(str(tmp_path / "none.json"), "").error
    (tmp_path / "job" / ".vdepth").mkdir(parents=True)
    (tmp_path / "job" / ".vdepth" / "job.json").touch()
    assert watch.seen("", str(tmp_path / "job")) == Seen(unfinished=True)


class Work(Run):
    """Work on a thread."""

    def __init__(self, work) -> None:
        self.told, self.value = [], None
        self._what = work
        super().__init__(self._steps_of_it())

    def _steps_of_it(self):
        self.thread = Aside(self._what)
        yield from self.follow(self.thread, lambda: None)
        self.value = self.thread.result()

    def stopped(self) -> None:
        self.told.append("stopped")

    def failed(self, error: Exception) -> None:
        self.told.append(str(error))


def finish(run: Run) -> None:
    end = time.monotonic() + 10
    while not run.advance():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_work_on_a_thread_returns_raises_and_stops():
    done = Work(lambda tell: threading.current_thread() is not threading.main_thread())
    finish(done)
    assert done.value is True

    def broken(tell):
        raise ValueError("no")

    failed = Work(broken)
    finish(failed)
    assert failed.told == ["no"]

    def endless(tell):
        for n in range(100_000):
            tell(n, 100_000)
            time.sleep(0.001)

    run = Work(endless)
    while not getattr(run, "thread", None) or not run.thread.done:
        run.advance()
    run.cancel()
    finish(run)
    assert run.told == ["stopped"]
    assert 0 < run.thread.done < 1000
    with pytest.raises(Stopped):
        run.thread.result()
