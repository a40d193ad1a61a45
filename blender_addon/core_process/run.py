# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on a bit at every tick, so that a window stays live meanwhile. No bpy in here."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, ClassVar, Generic, TypeVar

Steps = Generator[None]


class Stopped(Exception):
    """The steps end here because somebody asked them to stop."""


T = TypeVar("T")
Tell = Callable[[int, int], None]
"""Says how much of some work is done, of how much; raises `Stopped` once it shall end."""


class Aside(Generic[T]):
    """Work on a thread, which a `Run` follows as it follows a process.

    Args:
        work: Is given a `Tell` to call often.
    """

    def __init__(self, work: Callable[[Tell], T]) -> None:
        self.done, self.total = 0, 0
        self._stop = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._do, args=(work,), name="vdepth aside", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """True until the work has ended."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Asks it to end at the next word of it."""
        self._stop.set()

    kill = cancel

    def result(self) -> T:
        """What the work returned, after it has ended; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def _do(self, work: Callable[[Tell], T]) -> None:
        try:
            self._value = work(self._tell)
        except BaseException as error:  # raised anew where it is seen
            self._error = error

    def _tell(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self._stop.is_set():
            raise Stopped


class Run:
    """Steps under way: call `advance` until it says that they are over.

    Args:
        steps: Yields whenever the window may go on; every process it starts goes through `follow`.
    """

    KILL_AFTER_S: ClassVar[float] = math.inf
    """From the wish to stop to the kill. A process has a grace of its own, which may be longer."""

    def __init__(self, steps: Steps) -> None:
        self.over = False
        self._steps = steps
        self._process: Any = None
        self._cancelled_at: float | None = None

    @property
    def cancelled(self) -> bool:
        """True once somebody asked it to stop."""
        return self._cancelled_at is not None

    def advance(self) -> bool:
        """Goes on without waiting; True when it is over, one way or the other."""
        if self.over:
            return True
        if self._cancelled_at is not None:
            if self._process is None:
                self._steps.close()
                self.stopped()
                return self._finish()
            if time.monotonic() - self._cancelled_at > self.KILL_AFTER_S:
                self._process.kill()
        try:
            next(self._steps)
        except StopIteration:
            return self._finish()
        except Stopped:
            self.stopped()
            return self._finish()
        except Exception as error:  # whatever it is, the button must not stay blocked
            if self._process is not None:
                self._process.kill()
            self.failed(error)
            return self._finish()
        return False

    def cancel(self) -> None:
        """Asks it to stop; `advance` goes on until it has."""
        if self._cancelled_at is None and not self.over:
            self._cancelled_at = time.monotonic()
            if self._process is not None:
                self._process.cancel()

    def kill(self) -> None:
        """Ends it now: its window closes, another file is loaded, or the add-on goes."""
        if self.over:
            return
        self._cancelled_at = self._cancelled_at or time.monotonic()
        self._steps.close()
        if self._process is not None:
            self._process.kill()
        self._finish()

    def follow(self, process: Any, listen: Callable[[], object]) -> Steps:
        """Listens to a process at every tick until it is over; meanwhile it is what `cancel` stops.

        Args:
            process: A `Process`, or what can be asked and stopped like one.
            listen: Takes in what it said since the last call.
        """
        self._process = process
        if self.cancelled:
            process.cancel()
        while process.running:
            listen()
            yield
        self._process = None

    def stopped(self) -> None:
        """It was cancelled and has ended."""

    def failed(self, error: Exception) -> None:
        """The steps raised an error."""

    def ended(self) -> None:
        """It is over, one way or the other; the last thing that is called."""

    def _finish(self) -> bool:
        self.over = True
        self.ended()
        return True
