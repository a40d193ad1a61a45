# SPDX-License-Identifier: GPL-3.0-or-later
"""The one estimate that may run, a bit at every tick: finds the core, looks at the movie, runs the core."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ..core_process.client import Worker, core_command
from ..core_process.environment import CoreError
from ..core_process.process import Process
from ..preferences import FINDER, finder_arguments
from ..scene.job import Request, is_variable
from .state import STATE

KILL_AFTER_S = 0.4  # from Cancel; nothing is lost, as the core resumes a killed job too
_inspected: dict[tuple[Path, int, int], dict[str, Any]] = {}
"""What the core said of movies, by path, size and time of change: reading one to the end takes a while."""

current: Job | None = None
"""The estimate under way, or the last one."""


def begin(job: Job) -> Job:
    """Makes a job the one that Cancel stops."""
    global current
    current = job
    return job


class Job:
    """An estimate under way: call `advance` until it says so. Only one may run.

    Args:
        clip: Name of the clip's datablock; datablocks themselves do not survive an undo.
        request: What to ask the core for.
        follow_time: Resample a movie of variable rate to the frames Blender shows.
    """

    def __init__(self, clip: str, request: Request, *, follow_time: bool) -> None:
        self.clip, self.request, self.manifest = clip, request, ""
        self._follow_time = follow_time
        self._process: Process | None = None
        self._cancelled_at: float | None = None
        self._log = Path(bpy.app.tempdir) / "vdepth-estimate.log"
        STATE.start(clip)
        self._steps = self._run()

    def advance(self) -> bool:
        """Takes in what the core said since the last call; True when it is over, one way or the other."""
        waited = time.monotonic() - self._cancelled_at if self._cancelled_at is not None else 0.0
        if waited > KILL_AFTER_S and self._process is not None:
            self._process.kill()
        try:
            next(self._steps)
        except StopIteration:
            STATE.running = STATE.cancelling = False
            return True
        except Exception as error:  # the clip is gone, the core does not start, it speaks nonsense
            if self._process is not None:
                self._process.kill()
            name = getattr(error, "filename", None)
            reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
            STATE.fail(
                f"{name}: {reason}." if name else f"The estimate did not start: {reason}.", code="core"
            )
            STATE.running = STATE.cancelling = False  # or the button would stay blocked
            return True
        return False

    def cancel(self) -> None:
        """Asks the core to stop; `advance` goes on until it has."""
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
            STATE.cancelling = True
            if self._process is not None:
                self._process.cancel()

    def kill(self) -> None:
        """Ends the core now: on unregister, or when another file is loaded."""
        self._cancelled_at = time.monotonic()
        if self._process is not None:
            self._process.kill()
        STATE.running = STATE.cancelling = False

    def _run(self) -> Generator[None]:
        if FINDER.core is None:
            FINDER.start(*finder_arguments())
        while FINDER.looking:
            yield
            if self._cancelled_at is not None:
                return self._stopped()
        try:
            python = FINDER.find(*finder_arguments()).path
        except CoreError as error:
            return STATE.fail(str(error), code="core")
        variable = False
        if self.request.movie and self._follow_time:
            inspected = yield from self._inspect(python)
            if inspected is None:
                return None
            variable = is_variable(inspected, self.request.duration)
        yield from self._estimate(python, variable)
        return None

    def _inspect(self, python: Path) -> Generator[None, None, dict[str, Any] | None]:
        """What the core sees in the movie; None after a failure."""
        path = Path(self.request.clip)
        facts = path.stat()
        key = (path, facts.st_size, facts.st_mtime_ns)
        if key in _inspected:
            return _inspected[key]
        STATE.stage = "Looking at the clip"
        words = ["inspect", self.request.clip, "--no-shots", "--json"]
        process = self._start(Process(core_command(python, words), self._log))
        lines: list[str] = []
        while process.running:
            lines += process.lines()
            yield
        if self._cancelled_at is not None:
            self._stopped()
            return None
        text = "\n".join(lines)
        if process.returncode == 0:
            _inspected[key] = json.loads(text[text.index("{") : text.rindex("}") + 1])
            return _inspected[key]
        said = " ".join(text.split()).rpartition("vdepth: ")[2]
        STATE.fail(said or "The clip cannot be read.", code="bad_input")
        return None

    def _estimate(self, python: Path, variable: bool) -> Generator[None]:
        if variable and not self.request.whole:
            STATE.warnings.append("The clip has a variable frame rate: all of it is estimated.")
        worker = Worker(python, self.request.arguments(variable=variable), self._log)
        self._start(worker)
        while worker.running:
            for event in worker.poll():
                STATE.take(event)
            yield
        if self._cancelled_at is not None and not worker.done:
            return self._stopped()
        if (error := worker.error) is not None:
            return STATE.fail(error.message, error.hint, error.code)
        self.manifest = worker.done[-1]
        STATE.factor, STATE.eta = 1.0, 0.0
        return None

    def _start(self, process: Any) -> Any:
        self._process = process
        STATE.command, STATE.log = shlex.join(process.command), str(self._log)
        if self._cancelled_at is not None:
            process.cancel()
        return process

    def _stopped(self) -> None:
        STATE.message = "Cancelled: press Resume to go on where it stopped."
        STATE.code = "cancelled"
