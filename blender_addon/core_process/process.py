# SPDX-License-Identifier: GPL-3.0-or-later
"""A child process that is read without waiting and never outlives Blender. No bpy in here."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

GRACE_S = 8.0  # from the wish to stop to the kill; the core finishes the file it is writing
_LINGER_S = 2.0  # how long a pipe kept open by a grandchild is listened to after the child ended
_MAX_LINE = 1 << 20
_MAX_LINES_A_POLL = 1000  # a flood must not stop the window

_live: set[Process] = set()


class Process:
    """Runs a command in its own process group; its output goes to a log, line by line.

    Call `lines` (`poll` of a worker) until `running` is False: it takes in what the child said, and kills a
    child that does not stop in time.

    Args:
        command: Program and arguments.
        log: File for the command line, then all the child says.
        append: Keep what is in the log; else it is emptied first.
        environment: Default: this one's without ``PYTHON*``.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        append: bool = False,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self._cancelled_at: float | None = None
        self._ended_at: float | None = None
        self._said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("ab" if append else "wb", buffering=0)
        self._log_start = self._log.tell()
        self._note(subprocess.list2cmdline(self.command))
        group = {"creationflags": _NEW_GROUP} if sys.platform == "win32" else {"start_new_session": True}
        try:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._stderr(),
                env=child_environment() if environment is None else dict(environment),
                cwd=cwd,
                **group,
            )
        except OSError:
            self._log.close()
            raise
        _live.add(self)
        self._reader = threading.Thread(target=self._read, name="vdepth output", daemon=True)
        self._reader.start()

    def _stderr(self) -> int | IO[bytes]:
        return subprocess.STDOUT

    @property
    def running(self) -> bool:
        """True until the child has ended and all it said was handed out."""
        if self._child.poll() is None:
            return True
        if self._ended_at is None:
            self._ended_at = time.monotonic()
        listening = self._reader.is_alive() and time.monotonic() - self._ended_at < _LINGER_S
        if listening or not self._said.empty():
            return True
        _live.discard(self)
        return False

    @property
    def returncode(self) -> int | None:
        """The exit code; None while the child runs."""
        return self._child.poll()

    @property
    def cancelled(self) -> bool:
        """True once somebody asked it to stop."""
        return self._cancelled_at is not None

    def lines(self) -> list[str]:
        """What the child said since the last call, without waiting."""
        return self._new()

    def wait_lines(self, interval: float = 0.05) -> Iterator[str]:
        """Yields lines until the process is over; for use without a window."""
        while self.running:
            lines = self.lines()
            yield from lines
            if not lines:
                time.sleep(interval)

    def cancel(self) -> None:
        """Asks the child and its children to stop and returns at once; kills them after a grace."""
        if self._child.poll() is not None or self._cancelled_at is not None:
            return
        self._cancelled_at = time.monotonic()
        if sys.platform == "win32":
            self._child.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the child and its children now."""
        if self._child.poll() is not None:
            return
        self._cancelled_at = self._cancelled_at or time.monotonic()
        if sys.platform == "win32":
            tree = ["taskkill", "/T", "/F", "/PID", str(self._child.pid)]
            subprocess.run(tree, capture_output=True, check=False, creationflags=subprocess.CREATE_NO_WINDOW)
        else:
            self._signal(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(5)

    def tail(self, lines: int = 20) -> list[str]:
        """The last lines of the log, without the command line."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode("utf-8", errors="replace").splitlines()[1:][-lines:]
        return []

    def _new(self) -> list[Any]:
        """What `_take` put since the last call."""
        late = self._cancelled_at is not None and time.monotonic() - self._cancelled_at > GRACE_S
        if late and self._child.poll() is None:
            self.kill()
        new: list[Any] = []
        with contextlib.suppress(queue.Empty):
            while len(new) < _MAX_LINES_A_POLL:
                new.append(self._said.get_nowait())
        return new

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)  # its own session, so the group has the child's id

    def _read(self) -> None:
        stdout = self._child.stdout
        assert stdout is not None
        with stdout, self._log:
            for raw in iter(lambda: stdout.readline(_MAX_LINE), b""):
                self._take(raw.decode("utf-8", errors="replace").rstrip("\r\n"))

    def _take(self, line: str) -> None:
        """One line of output, on the reader's thread."""
        self._note(line)
        self._said.put(line)

    def _note(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a full disk must not lose the child's events
            self._log.write(f"{line}\n".encode())


def child_environment() -> dict[str, str]:
    """This environment without what would lead another Python astray."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("PYTHON") and name != "__PYVENV_LAUNCHER__"
    }


def kill_all() -> None:
    """Ends every child that still runs: on unregister, when another file is loaded, and at exit."""
    for process in list(_live):
        process.kill()
        _live.discard(process)


_NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
atexit.register(kill_all)
