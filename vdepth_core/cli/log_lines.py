"""Lines that tell how far work is: where there is no terminal every few per cent, and what trainings log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

NAMED = "%(name)s: %(message)s"
_STEP = 5  # per cent between two lines
_QUIET_S = 2.0  # a stage that is over sooner says nothing on its way
_UNKNOWN_S = 10.0  # between two lines of a stage whose length nobody knows


class PlainLines(logging.Formatter):
    """Our own news without the name of who says it; what else is logged keeps the name."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as it is shown.

        Args:
            record: Of any logger.
        """
        news = record.levelno == logging.INFO and record.name.startswith("vdepth_core.")
        return record.getMessage() if news else super().format(record)


class LogLines:
    """Decides when a stage's progress is worth a line; at most twenty a stage."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began: dict[object, float] = {}
        self._told: dict[object, float] = {}

    def progress(self, key: object, words: str, done: int, total: int | None, more: str = "") -> None:
        """Says how far a stage is, if it has moved enough since the last line.

        Args:
            key: The stage, of which there may be several by the same words.
            words: What it is called.
            done, total: Units; total None: not known.
            more: What else to say, such as a rate.
        """
        now = time.monotonic()
        began = self._began.setdefault(key, now)
        if now - began < _QUIET_S:
            return
        if total:
            per_cent = 100 * done // total
            if per_cent < self._told.get(key, 0) + _STEP or done >= total:
                return
            self._told[key] = per_cent - per_cent % _STEP
            self._say(f"{words}: {per_cent} %, {done} of {total}{more}")
        elif now - self._told.get(key, began) >= _UNKNOWN_S:
            self._told[key] = now
            self._say(f"{words}: {done}{more}")
