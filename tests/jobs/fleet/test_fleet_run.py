"""A whole fleet without processes: a killed command, a dead machine, a full disk, a poisonous clip."""

from __future__ import annotations

import errno
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from generated import RampModel, write_movie
from jobs.test_run import OPTIONS as PLAIN
from jobs.test_run import digest
from jobs.test_run import run as run_here

from vdepth_core.cli import estimate as verb
from vdepth_core.cli import main as cli
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.fleet.crew import Ended, Joined, Lost, Report, Told
from vdepth_core.jobs.fleet.run import Fleet
from vdepth_core.jobs.fleet.tasks import Order, Setup
from vdepth_core.jobs.fleet.worker import Worker

OPTIONS = PLAIN | {"method": "framewise"}  # the fastest; which one is no matter of a fleet


class Dead(BaseException):
    """Takes a worker with it."""


class Seeing(RampModel):
    """Counts frames of each width; dies of the widest."""

    def __init__(self) -> None:
        super().__init__()
        self.widths: dict[int, int] = {}
        self.full = False

    def predict(self, frames):
        width = frames.shape[-1]
        self.widths[width] = self.widths.get(width, 0) + len(frames)
        if width > 250:
            raise Dead
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().predict(frames)


class Crew:
    """A worker a machine, all in this process, one task after the other; see `Crew` of the house."""

    def __init__(self, setup: Setup, model: Seeing, machines: str, full: str = "", ends: int = 1000) -> None:
        shelf = ModelShelf()
        shelf.put("ramp", "cpu", "fp32", model)
        self.width, self._model, self._full, self._ends = len(machines), model, full, ends
        self._workers = {name: Worker(replace(setup, shelf=lambda: shelf)) for name in machines}
        self._reports: list[Report] = [Joined(name, name) for name in machines]
        self._orders: list[tuple[str, Order]] = []
        self.dies = ""

    def start(self, worker: str, order: Order) -> None:
        self._orders.append((worker, order))

    def wait(self, seconds: float) -> list[Report]:
        reports, self._reports = self._reports, []
        if self._orders:
            reports += self._do(*self._orders.pop(0))
        return reports

    def cancel(self) -> None:
        pass

    def close(self, *, at_once: bool = False) -> None:
        pass

    def _do(self, worker: str, order: Order) -> list[Report]:
        if self._ends == 0:
            raise KeyboardInterrupt  # the command is killed
        if worker == self.dies:
            self._orders = [given for given in self._orders if given[0] != worker]
            return [Lost(worker, guilty=False)]
        said: list[Report] = []
        self._model.full = worker in self._full
        outcome = self._workers[worker].run(order, lambda event: said.append(Told([(order.task, event)])))
        if outcome.error is not None and "Dead" in outcome.error.message:
            self._orders = [given for given in self._orders if given[0] != worker]
            return [*said, Lost(worker), Joined(worker, worker)]
        self._ends -= 1
        return [*said, Ended(worker, order.task, outcome)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three short ones and one long shot, told apart by their widths."""
    folder = tmp_path_factory.mktemp("clips")
    made = [write_movie(folder / f"c{number}.mp4", 3, size=(64 + 32 * number, 64)) for number in range(3)]
    return [*made, write_movie(folder / "take.mp4", 16, size=(192, 64))]


@pytest.fixture(scope="module")
def whole(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    assert [result.error for result in run_here(clips, out, method="framewise")] == [None] * 4
    return out


def fleet(clips: list[Path], out: Path) -> Fleet:
    return Fleet(clips, out, EstimateConfig.parse(**OPTIONS), None)


def test_a_command_killed_at_any_task_goes_on_and_does_nothing_twice(
    clips: list[Path], whole: Path, tmp_path: Path
) -> None:
    for ends in (2, 5):
        out, first, second = tmp_path / f"{ends}", Seeing(), Seeing()
        command = fleet(clips, out)
        with pytest.raises(KeyboardInterrupt):
            command.run(Crew(command.setup, first, "AB", ends=ends))
        done = [clip for clip in clips if (out / clip.stem / "manifest.json").exists()]
        command = fleet(clips, out)
        assert [result.error for result in command.run(Crew(command.setup, second, "AB"))] == [None] * 4
        frames = {width: first.widths.get(width, 0) + second.widths.get(width, 0) for width in (64, 96, 128)}
        assert set(frames.values()) == {3}
        # The measurement of threads looks at a few more of the first clip that is planned.
        assert first.widths.get(192, 0) + second.widths.get(192, 0) <= 16 + 16
        assert all(clip.stem in {path.parent.name for path in out.glob("*/manifest.json")} for clip in done)
        for clip in clips:
            assert digest(out / clip.stem) == digest(whole / clip.stem)


def test_a_machine_dies_and_another_is_full(clips: list[Path], whole: Path, tmp_path: Path) -> None:
    command = fleet(clips, tmp_path)
    crew = Crew(command.setup, Seeing(), "ABC", full="B")
    crew.dies = "A"
    assert [result.error for result in command.run(crew)] == [None] * 4
    for clip in clips:
        assert digest(tmp_path / clip.stem) == digest(whole / clip.stem)


def test_a_poisonous_clip_is_left_out_with_a_sentence_and_exit_code_5(
    clips: list[Path],
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    poison = write_movie(tmp_path / "poison.mp4", 2, size=(512, 64))
    monkeypatch.setattr(verb, "_crew", lambda setup, *_: Crew(setup, Seeing(), "AB"))
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    words = [
        "vdepth",
        "estimate",
        *map(str, [poison, *clips]),
        "-o",
        str(tmp_path / "out"),
        *options,
        "--ray",
    ]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 5
    said = " ".join(capsys.readouterr().err.split())
    assert "Its worker died 3 times while it did nothing else; the clip is left out." in said
    assert not (tmp_path / "out" / "poison" / "manifest.json").exists()
    for clip in clips:
        assert digest(tmp_path / "out" / clip.stem) == digest(whole / clip.stem)
