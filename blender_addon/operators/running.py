# SPDX-License-Identifier: GPL-3.0-or-later
"""What may run on a clip, one at a time, a bit at every tick: finds the core, runs its verbs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import bpy

from ..core_process.client import Worker, core_command
from ..core_process.environment import CoreError
from ..core_process.process import Process
from ..core_process.request import Request, is_variable
from ..core_process.run import Aside, Run, Steps, Stopped, Tell
from ..preferences import FINDER, finder_arguments
from ..result.manifest import ResultError, read_result
from ..result.problems import check
from .state import STATE

_inspected: dict[tuple[Path, int, int], dict[str, Any]] = {}
"""What the core said of movies, by path, size and time of change: reading one to the end takes a while."""

current: ClipRun | None = None
"""What is under way, or was last."""


_Run = TypeVar("_Run", bound="ClipRun")
_T = TypeVar("_T")


def begin(job: _Run) -> _Run:
    """Makes a run the one that Cancel stops."""
    global current
    current = job
    return job


class ClipRun(Run):
    """A verb of the core under way on a clip, shown in `STATE`. Only one may run.

    A subclass says in `work` which verbs; `inspect` and `follow_worker` run them.

    Args:
        clip: Name of the clip's datablock; datablocks themselves do not survive an undo.
    """

    KILL_AFTER_S = 0.4  # nothing is lost, as the core resumes a killed job too
    noun: ClassVar[str]
    """What it is, for sentences: ``estimate``."""

    def __init__(self, clip: str) -> None:
        self.clip, self.manifest = clip, ""
        self._log = Path(bpy.app.tempdir) / f"vdepth-{self.noun}.log"
        STATE.start(clip)
        super().__init__(self._all())

    def work(self, python: Path) -> Steps:
        """What is done with the core, whose interpreter is given."""
        raise NotImplementedError

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
        if isinstance(error, CoreError | ResultError):
            sentence = str(error)
        else:
            sentence = f"{name}: {reason}." if name else f"The {self.noun} did not start: {reason}."
        STATE.fail(sentence, code="core")

    def ended(self) -> None:
        """Gives the button back."""
        STATE.running = STATE.cancelling = False

    def inspect(self, python: Path, clip: str) -> Generator[None, None, dict[str, Any] | None]:
        """What the core sees in a movie; None after a failure."""
        path = Path(clip)
        facts = path.stat()
        key = (path, facts.st_size, facts.st_mtime_ns)
        if key in _inspected:
            return _inspected[key]
        STATE.stage = "Looking at the clip"
        process = self._noted(
            Process(core_command(python, ["inspect", clip, "--no-shots", "--json"]), self._log)
        )
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

    def follow_worker(self, python: Path, words: Sequence[str]) -> Steps:
        """Runs a verb that knows ``--events`` to its end; afterwards there is a manifest or an error."""
        worker = self._noted(Worker(python, words, self._log))

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
        STATE.finish()

    def aside(self, stage: str, work: Callable[[Tell], _T]) -> Generator[None, None, _T]:
        """Does work on a thread, shown as a stage.

        Args:
            stage: What it is, in words.
            work: Is given a `Tell`.
        """
        STATE.stage, STATE.done, STATE.total = stage, 0, 0
        thread = Aside(work)

        def listen() -> None:
            STATE.done, STATE.total = thread.done, thread.total

        yield from self.follow(thread, listen)
        return thread.result()

    def _all(self) -> Steps:
        core = yield from FINDER.seek(*finder_arguments())
        yield from self.work(core.path)

    def _noted(self, process: Any) -> Any:
        """For bug reports."""
        STATE.command, STATE.log = shlex.join(process.command), str(self._log)
        return process


class Job(ClipRun):
    """An estimate.

    Args:
        clip: As in `ClipRun`.
        request: What to ask the core for.
        follow_time: Resample a movie of variable rate to the frames Blender shows.
    """

    noun = "estimate"

    def __init__(self, clip: str, request: Request, *, follow_time: bool) -> None:
        super().__init__(clip)
        self.request, self._follow_time = request, follow_time

    def work(self, python: Path) -> Steps:
        """Looks at the movie if its rate matters, then estimates."""
        variable = False
        if self.request.movie and self._follow_time:
            inspected = yield from self.inspect(python, self.request.clip)
            if inspected is None:
                return
            variable = is_variable(inspected, self.request.duration)
        if variable and not self.request.whole:
            STATE.warnings.append("The clip has a variable frame rate: all of it is estimated.")
        yield from self.follow_worker(python, self.request.arguments(variable=variable))
        if self.manifest:
            yield from self.aside("Checking files", lambda tell: check(read_result(self.manifest), tell))


class DiskRun(ClipRun):
    """Work on a clip's files that needs no core, on a thread.

    Args:
        clip: As in `ClipRun`.
        stage: What is done, in words.
        work: Is given a `Tell`; what it returns is ``value``.
    """

    noun = "files"

    def __init__(self, clip: str, stage: str, work: Callable[[Tell], Any]) -> None:
        super().__init__(clip)
        self.value: Any = None
        self._stage, self._work = stage, work

    def stopped(self) -> None:
        """What is done stays done."""
        STATE.message, STATE.code = "Cancelled.", "cancelled"

    def _all(self) -> Steps:
        def work(tell: Tell) -> Any:
            def shown(done: int, total: int) -> None:
                STATE.factor = done / total if total else 0.0
                tell(done, total)

            return self._work(shown)

        self.value = yield from self.aside(self._stage, work)
        STATE.factor = 1.0
