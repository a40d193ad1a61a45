"""Progress of stages whose work is not counted in frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .frames import STAGE

if TYPE_CHECKING:
    from ..progress import Progress


class Share:
    """Advances a stage, which counts frames, in proportion to work of another kind; thread-safe.

    Attributes:
        progress: Whom it tells.
    """

    def __init__(self, progress: Progress, frames: int, work: int, stage: str = STAGE) -> None:
        """``frames`` are told to ``stage`` by the time ``work`` units are done."""
        self.progress, self._frames, self._work, self._stage = progress, frames, work, stage
        self._done = self._told = 0
        self._lock = threading.Lock()

    def advance(self, work: int) -> None:
        """``work`` more units are done.

        Args:
            work: In the units of the work.
        """
        with self._lock:
            self._done += work
            told = self._frames * min(self._done, self._work) // self._work
            if told > self._told:
                self.progress.advance(self._stage, told - self._told)
                self._told = told

    @contextmanager
    def step(self) -> Iterator[None]:
        """One unit of work: checks for cancellation before it, advances after it."""
        self.progress.check()
        yield
        self.advance(1)

    def skip(self, count: int, runs: list[tuple[int, int]], weight: int = 1) -> None:
        """All but some items were done before.

        Args:
            count: How many items there are.
            runs: [start, stop) of those that are still to be done.
            weight: Units of work an item.
        """
        self.advance((count - sum(stop - start for start, stop in runs)) * weight)

    def finish(self) -> None:
        """All units are done."""
        self.advance(self._work - self._done)
