# SPDX-License-Identifier: GPL-3.0-or-later
"""The one estimate that may run, a bit at every tick: finds the core, looks at the movie, runs the core."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ..core_process.client import Worker, core_command
from ..core_process.environment import CoreError
from ..core_process.process import Process
from ..core_process.request import Request, is_variable
from ..core_process.run import Run, Steps, Stopped
from ..preferences import FINDER, finder_arguments
from .state import STATE

_inspected: dict[tuple[Path, int, int], dict[str, Any]] = {}
"""What the core said of movies, by path, size and time of change: reading one to the end takes a while."""

current: Job | None = None
"""The estimate under way, or the last one."""


def begin(job: Job) -> Job:
    """Makes a job the one that Cancel stops."""
    global current
    current = job
    return job


class Job(Run):
    """An estimate under way. Only one may run.

    Args:
        clip: Name of the clip's datablock; datablocks themselves do not survive an undo.
        request: What to ask the core for.
        follow_time: Resample a movie of variable rate to the frames Blender shows.
    """

    KILL_AFTER_S = 0.4  # nothing is lost, as the core resumes a killed job too

    def __init__(self, clip: str, request: Request, *, follow_time: bool) -> None:
        self.clip, self.request, self.manifest = clip, request, ""
        self._follow_time = follow_time
        self._log = Path(bpy.app.tempdir) / "vdepth-estimate.log"
        STATE.start(clip)
        super().__init__(self._all())

    def cancel(self) -> None:
        """Asks the core to stop; `advance` goes on until it has."""
        STATE.cancelling = not self.over
        super().cancel()

    def stopped(self) -> None:
        """The same button goes on from there."""
        STATE.message = "Cancelled: press Resume to go on where it stopped."
        STATE.code = "cancelled"

    def failed(self, error: Exception) -> None:
        """The clip is gone, the core is not found or does not start, it speaks nonsense."""
        name = getattr(error, "filename", None)
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, CoreError):
            sentence = str(error)
        else:
            sentence = f"{name}: {reason}." if name else f"The estimate did not start: {reason}."
        STATE.fail(sentence, code="core")

    def ended(self) -> None:
        """Gives the button back."""
        STATE.running = STATE.cancelling = False

    def _all(self) -> Steps:
        python = (yield from FINDER.seek(*finder_arguments())).path
        variable = False
        if self.request.movie and self._follow_time:
            inspected = yield from self._inspect(python)
            if inspected is None:
                return
            variable = is_variable(inspected, self.request.duration)
        yield from self._estimate(python, variable)

    def _inspect(self, python: Path) -> Generator[None, None, dict[str, Any] | None]:
        """What the core sees in the movie; None after a failure."""
        path = Path(self.request.clip)
        facts = path.stat()
        key = (path, facts.st_size, facts.st_mtime_ns)
        if key in _inspected:
            return _inspected[key]
        STATE.stage = "Looking at the clip"
        words = ["inspect", self.request.clip, "--no-shots", "--json"]
        process = self._noted(Process(core_command(python, words), self._log))
        lines: list[str] = []
        yield from self.follow(process, lambda: lines.extend(process.lines()))
        if self.cancelled:
            raise Stopped
        text = "\n".join(lines)
        if process.returncode == 0:
            _inspected[key] = json.loads(text[text.index("{") : text.rindex("}") + 1])
            return _inspected[key]
        said = " ".join(text.split()).rpartition("vdepth: ")[2]
        STATE.fail(said or "The clip cannot be read.", code="bad_input")
        return None

    def _estimate(self, python: Path, variable: bool) -> Steps:
        if variable and not self.request.whole:
            STATE.warnings.append("The clip has a variable frame rate: all of it is estimated.")
        worker = self._noted(Worker(python, self.request.arguments(variable=variable), self._log))

        def listen() -> None:
            for event in worker.poll():
                STATE.take(event)

        yield from self.follow(worker, listen)
        if self.cancelled and not worker.done:
            raise Stopped
        if (error := worker.error) is not None:
            STATE.fail(error.message, error.hint, error.code)
            return
        self.manifest = worker.done[-1]
        STATE.factor, STATE.eta = 1.0, 0.0

    def _noted(self, process: Any) -> Any:
        """For bug reports."""
        STATE.command, STATE.log = shlex.join(process.command), str(self._log)
        return process
