# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a verb of the core and reads its events (protocol version 1, one JSON object a line). No bpy in here.

worker = Worker(python, ["estimate", str(clip), "-o", str(out)], log)
while worker.running:           # in a modal operator: once a timer tick
    for event in worker.poll():
        ...                     # {"event": "progress", "stage": "infer", "done": 3, "total": 48, ...}
worker.error                    # None, or a sentence and what to do next
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .process import Process, child_environment

Event = dict[str, Any]
KINDS = frozenset({"started", "stage", "progress", "frame", "warning", "done", "error"})


@dataclass(frozen=True)
class Failure:
    """Why a job has no result.

    Attributes:
        message: One sentence for the user.
        hint: The next step; may be empty.
        code: The core's word for it: ``internal``, ``usage``, ``job_conflict``, ``bad_input``, ``weights``,
            ``resources`` or ``cancelled``.
    """

    message: str
    hint: str = ""
    code: str = "internal"

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def core_command(python: Path, arguments: Sequence[str]) -> list[str]:
    """The command line of a verb: isolated from the user's Python, UTF-8 whatever the system's encoding."""
    return [str(python), "-I", "-X", "utf8", "-m", "vdepth_core", *arguments]


def ask(python: Path, arguments: Sequence[str], patience: float) -> subprocess.CompletedProcess[bytes]:
    """Runs a verb that answers at once, and waits for its answer.

    Args:
        python: Interpreter the core is installed in.
        arguments: The verb and its arguments.
        patience: Seconds to wait at most.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it did not answer in time.
    """
    return subprocess.run(
        core_command(python, arguments),
        capture_output=True,
        check=False,
        timeout=patience,
        env=child_environment(),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


class Worker(Process):
    """One run of a verb that knows ``--events`` (``estimate``, ``demo``).

    Args:
        python: Interpreter the core is installed in.
        arguments: The verb and its arguments, without ``--events``.
        log: File for what the core says beside its events.
    """

    def __init__(self, python: Path, arguments: Sequence[str], log: Path, *, cwd: Path | None = None) -> None:
        self._failure: Failure | None = None
        self.done: list[str] = []
        """Manifests of the clips that are finished."""
        super().__init__(core_command(python, [*arguments, "--events"]), log, cwd=cwd)

    def poll(self) -> list[Event]:
        """Events since the last call, oldest first, without waiting; of the kinds this add-on knows."""
        events: list[Event] = self._new()
        for event in events:
            if event["event"] == "error" and self._failure is None:
                self._failure = Failure(
                    event.get("message", ""), event.get("hint", ""), event.get("code", "internal")
                )
            elif event["event"] == "done":
                self.done.append(event.get("manifest", ""))
        return events

    def wait(self, interval: float = 0.05) -> Iterator[Event]:
        """Yields events until the process is over; for use without a window."""
        while self.running:
            events = self.poll()
            yield from events
            if not events:
                time.sleep(interval)

    def run(self, on_event: Callable[[Event], object] | None = None) -> int:
        """Runs to the end and returns the exit code; an exception in ``on_event`` ends the process too."""
        try:
            for event in self.wait():
                if on_event is not None:
                    on_event(event)
        except BaseException:
            self.kill()
            raise
        return self.returncode or 0

    @property
    def error(self) -> Failure | None:
        """Why it failed; None while it runs and after success. With several clips, the first failure."""
        code = self.returncode
        if code is None or self.running or (code == 0 and self._failure is None and self.done):
            return None
        if self.cancelled and code != 0:
            return Failure("Cancelled.", "Run it again to go on where it stopped.", "cancelled")
        return self._failure or _from_exit_code(code, self.tail())

    def _stderr(self) -> int | IO[bytes]:
        return self._log

    def _take(self, line: str) -> None:
        try:
            event = json.loads(line)
            known = event["event"] in KINDS
        except (ValueError, TypeError, KeyError, RecursionError):
            self._note(line)
            return
        if known:
            self._said.put(event)


class Command(Process):
    """One run of a verb without events.

    Args:
        python: Interpreter the core is installed in.
        arguments: The verb and its arguments.
        log: File for what it says.
        merge: Whether `lines` has its stderr too; not where stdout is JSON.
        answers: Exit codes that are an answer, not a failure.
    """

    def __init__(
        self,
        python: Path,
        arguments: Sequence[str],
        log: Path,
        *,
        merge: bool = True,
        answers: Sequence[int] = (0,),
    ) -> None:
        self._merge, self._answers = merge, answers
        super().__init__(core_command(python, arguments), log)

    @property
    def error(self) -> Failure | None:
        """Why it failed; None while it runs and after success."""
        code = self.returncode
        if code is None or self.running or code in self._answers:
            return None
        if self.cancelled:
            return Failure("Cancelled.", "", "cancelled")
        return _from_exit_code(code, self.tail())

    def _stderr(self) -> int | IO[bytes]:
        return super()._stderr() if self._merge else self._log

    def _take(self, line: str) -> None:
        if self._merge:
            super()._take(line)
        else:
            self._said.put(line)  # an answer for programs would only hide what the log is for


_SIGKILL = 9  # not in Windows' signal module
_CODES = {2: "usage", 3: "bad_input", 4: "weights", 5: "resources", 130: "cancelled"}


def _from_exit_code(code: int, log: Sequence[str]) -> Failure:
    """One sentence for a process that ended without an ``error`` event."""
    said = next((line.strip() for line in reversed(log) if line.strip()), "")
    said = said.removeprefix("vdepth: ")
    if code == 0:
        return Failure("The core ended without a result.", said)
    if code in _CODES and said:
        return Failure(said, "", _CODES[code])
    if code == -_SIGKILL:
        hint = "The system may have run out of memory: choose a smaller size."
        return Failure("The core was killed.", hint, "resources")
    if code < 0:
        return Failure(f"The core was ended by signal {-code}.", said)
    return Failure(f"The core stopped with exit code {code}.", said, _CODES.get(code, "internal"))
