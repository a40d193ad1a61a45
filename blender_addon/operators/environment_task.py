# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel Environment has done in the background: one task at a time, a little at every tick."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..core_process import install
from ..core_process.client import Command, Failure
from ..core_process.environment import CoreError
from ..core_process.models import MODELS
from ..core_process.run import Run, Steps
from ..preferences import FINDER, finder_arguments, managed_folder, preferences

_KEPT_LINES = 200


@dataclass
class State:
    """What the panel shows.

    Attributes:
        title: What is being done, in words; "" when nothing is.
        lines: The last lines it said.
        error: Why the last task failed, one sentence; "" otherwise.
        command, log: Of the last process, for bug reports.
        weights: What ``vdepth weights list`` said.
        doctor: What ``vdepth doctor`` said.
    """

    title: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    error: str = ""
    cancelled: bool = False
    command: str = ""
    log: str = ""
    weights: list[dict[str, Any]] = field(default_factory=list)
    doctor: list[dict[str, Any]] = field(default_factory=list)


STATE = State()


class Task(Run):
    """Steps under way.

    Args:
        title: What they do, for the panel.
        steps: Makes the generator; it raises `CoreError` with a sentence when it fails.
    """

    def __init__(self, title: str, steps: Callable[[Task], Steps]) -> None:
        global current
        STATE.title, STATE.error, STATE.cancelled = title, "", False
        STATE.lines.clear()
        super().__init__(steps(self))
        current = self

    def cancel(self) -> None:
        """Asks the process to stop; `advance` goes on until it has."""
        STATE.cancelled = True
        super().cancel()

    def failed(self, error: Exception) -> None:
        """Shows why, in one sentence."""
        STATE.error = str(error) or type(error).__name__

    def ended(self) -> None:
        """Makes room for the next one."""
        global current
        STATE.title, current = "", None

    def run(self, process: Any) -> Generator[None, None, list[str]]:
        """Streams a process (`Command` or `Installation`) to its end and returns all it said.

        Raises:
            CoreError: it failed.
        """
        said: list[str] = []

        def listen() -> None:
            lines = process.lines()
            said.extend(lines)
            STATE.lines.extend(line for line in lines if line.strip())
            STATE.title = getattr(process, "title", STATE.title)
            STATE.command = " ".join(getattr(process, "command", ()))
            STATE.log = str(process.log)

        yield from self.follow(process, listen)
        failure: Failure | None = process.error
        if failure is not None:
            raise CoreError(str(failure))
        return said


current: Task | None = None


def look(task: Task) -> Steps:
    """Finds the core and asks what weights it has."""
    STATE.weights, STATE.doctor = [], []
    core = yield from FINDER.seek(*finder_arguments())
    MODELS.request(core.path, again=True)
    yield from _list_weights(task, core.path)


def install_core(task: Task) -> Steps:
    """Installs the core of this version, then looks for it."""
    wheel, constraints = install.wheel_in(Path(__file__).parents[1])
    chosen = preferences()
    house = Path(bpy.path.abspath(chosen.wheelhouse)) if chosen.wheelhouse else None
    plan = install.Plan(managed_folder(), wheel, constraints, install.Torch[chosen.torch], house)
    yield
    base = install.choose_base()
    yield from task.run(install.Installation(plan, base, log_file("install")))
    FINDER.forget()
    yield from look(task)


def install_weights(name: str, agreed: bool, source: str) -> Callable[[Task], Steps]:
    """Installs weights by name.

    Args:
        name: One of ``vdepth weights list``.
        agreed: Whether the user agreed to its licence.
        source: Folder with the published files; "" fetches them.
    """

    def steps(task: Task) -> Steps:
        core = yield from FINDER.seek(*finder_arguments())
        words = ["weights", "install", name]
        words += ["--from", bpy.path.abspath(source)] if source else []
        words += ["--accept-license", name] if agreed else []
        yield from task.run(Command(core.path, words, log_file("weights")))
        MODELS.request(core.path, again=True)
        yield from _list_weights(task, core.path)

    return steps


def doctor(task: Task) -> Steps:
    """Has the core check its installation; a finding is no failure."""
    STATE.doctor = []
    core = yield from FINDER.seek(*finder_arguments())
    command = Command(core.path, ["doctor", "--json"], log_file("doctor"), merge=False, answers=(0, 1))
    STATE.doctor = _json("\n".join((yield from task.run(command))))


def log_file(task: str) -> Path:
    """Where a task's process logs."""
    return Path(bpy.app.tempdir) / f"vdepth-{task}.log"


def _list_weights(task: Task, python: Path) -> Steps:
    command = Command(python, ["weights", "list", "--json"], log_file("list"), merge=False)
    STATE.weights = _json("\n".join((yield from task.run(command))))
    STATE.lines.clear()


def _json(text: str) -> list[dict[str, Any]]:
    try:
        return list(json.loads(text))
    except (ValueError, TypeError):
        raise CoreError("The core's answer cannot be read: press Install Core to repair it.") from None
