"""Progress reporting: what a long step tells whoever watches it, without knowing who that is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import Cancelled


class Progress:
    """Receives progress and carries the wish to cancel; the base class reports to nobody.

    Calls may come from several threads; one stage is named once and may run beside another.
    """

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def stage(self, name: str, total: int | None) -> None:
        """Announces a stage, or how long it is.

        Args:
            name: Of the stage, one word.
            total: Units of work; None: not known yet.
        """

    def advance(self, name: str, done: int = 1) -> None:
        """Says that more of a stage is finished.

        Args:
            name: Of the stage.
            done: Units of work.
        """

    def skip(self, name: str, done: int = 1) -> None:
        """Says that a part of a stage was finished before: it counts, and took no time.

        Args:
            name: Of the stage.
            done: Units of work.
        """
        self.advance(name, done)

    def warn(self, message: str) -> None:
        """Passes on one sentence the user should see; the job goes on.

        Args:
            message: With its full stop.
        """

    def cancel(self) -> None:
        """Asks the work to stop at its next `check`; safe in a signal handler."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """True once somebody asked to stop."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Call between units of work.

        Raises:
            Cancelled: somebody asked to stop.
        """
        if self._cancelled.is_set():
            raise Cancelled("Cancelled.", "Run the same command again to go on where it stopped.")

    @contextmanager
    def step(self, name: str, done: int = 1) -> Iterator[None]:
        """One unit of work: checks for cancellation before it, advances ``name`` after it.

        Args:
            name: Of the stage.
            done: What it is worth, in units of work.
        """
        self.check()
        yield
        self.advance(name, done)


class Listening(Progress):
    """Passes everything on, and keeps what was warned of.

    Attributes:
        warnings: Each once, in order.
    """

    def __init__(self, listener: Progress) -> None:
        """``listener``: who watches; cancelling one cancels both."""
        super().__init__()
        self.warnings: list[str] = []
        self._listener, self._cancelled = listener, listener._cancelled

    def stage(self, name: str, total: int | None) -> None:
        """See `Progress.stage`."""
        self._listener.stage(name, total)

    def advance(self, name: str, done: int = 1) -> None:
        """See `Progress.advance`."""
        self._listener.advance(name, done)

    def skip(self, name: str, done: int = 1) -> None:
        """See `Progress.skip`."""
        self._listener.skip(name, done)

    def warn(self, message: str) -> None:
        """See `Progress.warn`."""
        if message not in self.warnings:
            self.warnings.append(message)
        self._listener.warn(message)

    def cancel(self) -> None:
        """See `Progress.cancel`."""
        self._listener.cancel()


@contextmanager
def cancelling(*watched: Progress) -> Iterator[None]:
    """Ctrl-C or SIGTERM asks the work to stop at its next good moment; a second one stops at once.

    Only the main thread may use it.

    Args:
        *watched: Each is cancelled.
    """

    def stop(number: int, _frame: object) -> None:
        for progress in watched:
            progress.cancel()
        signal.signal(number, signal.SIG_DFL)

    names = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last is how a host asks on Windows
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
