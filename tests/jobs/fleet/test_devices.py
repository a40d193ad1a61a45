"""Clips side by side on several devices: a process each, killed ones replaced, the bytes of one run."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from generated import RampModel, write_movie
from jobs.test_run import OPTIONS, digest
from jobs.test_run import run as run_here
from processes import forking

from vdepth_core.errors import UsageError
from vdepth_core.jobs import devices
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.devices import DeviceCrew
from vdepth_core.jobs.events import Done, FrameDone, ProgressEvent, Warning_
from vdepth_core.jobs.fleet.run import Fleet, whole_jobs_only
from vdepth_core.jobs.fleet.tasks import Setup


@pytest.fixture
def _loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are forked from a process that has loaded torch; what they are given is pickled as well."""
    if hasattr(os, "fork"):
        contexts = {"spawn": forking()}
        monkeypatch.setattr(devices, "multiprocessing", SimpleNamespace(get_context=contexts.__getitem__))


class Slow(RampModel):
    """Leaves time for a kill."""

    def predict(self, frames):
        time.sleep(0.05 * len(frames))
        return super().predict(frames)


def shelf() -> ModelShelf:
    made = ModelShelf()
    made.put("ramp", "cpu", "fp32", Slow())
    return made


class Crew(DeviceCrew):
    """Knows who was given work last."""

    last = ""

    def start(self, worker, order):
        self.last = worker
        super().start(worker, order)

    def kill(self) -> None:
        os.kill(self._hands[self.last][0].pid, signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_two_devices_one_killed_in_the_middle_give_the_bytes_of_one_run(tmp_path: Path) -> None:
    clips = [write_movie(tmp_path / "short.mp4", 3, size=(64, 64))]
    clips.append(write_movie(tmp_path / "long.mp4", 15, shots=3))
    whole, out, events, killed = tmp_path / "whole", tmp_path / "out", [], []
    assert [result.error for result in run_here(clips, whole)] == [None] * 2

    def heard(event):
        events.append(event)
        if isinstance(event, FrameDone) and not killed:
            killed.append(event)
            crew.kill()

    fleet = Fleet(clips, out, EstimateConfig.parse(**OPTIONS), heard)
    setup = Setup(fleet.setup.config, fleet.setup.folder, fleet.setup.guarded, shelf)
    crew = Crew(["cpu", "cpu"], setup)
    results = fleet.run(crew)
    assert [result.error for result in results] == [None] * 2
    for result in results:
        assert digest(result.out) == digest(whole / result.out.name)
    assert len([event for event in events if isinstance(event, Done)]) == 2
    assert any("A worker died" in event.message for event in events if isinstance(event, Warning_))
    frames = [(event.clip, event.number) for event in events if isinstance(event, FrameDone)]
    assert len(frames) == len(set(frames)) == 18
    assert not any(process.is_alive() for process, _ in crew._hands.values())


@pytest.mark.usefixtures("_loaded")
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_one_long_shot_is_shared_and_a_killed_range_is_done_again(tmp_path: Path) -> None:
    take, events, killed = write_movie(tmp_path / "take.mp4", 24), [], []
    assert run_here([take], tmp_path / "whole")[0].error is None

    def heard(event):
        events.append(event)
        if isinstance(event, ProgressEvent) and event.stage == "infer" and event.done > 9 and not killed:
            killed.append(event)
            crew.kill()

    fleet = Fleet([take], tmp_path / "out", EstimateConfig.parse(**OPTIONS), heard)
    crew = Crew(["cpu", "cpu"], replace(fleet.setup, shelf=shelf))
    assert fleet.run(crew)[0].error is None
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
    warned = [event.message for event in events if isinstance(event, Warning_)]
    assert any("A worker died at it (frames " in message and "of shot 0)" in message for message in warned)
    last = [event for event in events if isinstance(event, ProgressEvent) and event.stage == "infer"][-1]
    assert last.done == last.total == 24
    assert not any(process.is_alive() for process, _ in crew._hands.values())


def test_a_part_of_a_job_is_no_fleets() -> None:
    whole_jobs_only(None)
    with pytest.raises(UsageError, match="share a clip's shots out"):
        whole_jobs_only("1/3")
