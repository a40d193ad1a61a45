# SPDX-License-Identifier: GPL-3.0-or-later
"""What panels say of a clip's files, looked up on a thread, so that drawing never waits. No bpy in here."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .manifest import ResultError
from .paths import is_unfinished
from .problems import problems
from .summary import Summary, summarise

_FRESH_S = 2.0  # from one look to the next, for who goes on asking
_ASKED_S = 5.0  # what nobody asked for lately is not looked at


@dataclass(frozen=True)
class Seen:
    """A clip's files.

    Attributes:
        unfinished: Whether an estimate in its folder was begun and not finished.
        summary: The finished result; None where there is none, or it cannot be read.
        error: Why it cannot be read.
        damage: Sentences about its files.
        preview, report: Their paths, "" where they are not there.
    """

    unfinished: bool = False
    summary: Summary | None = None
    error: str = ""
    damage: tuple[str, ...] = ()
    preview: str = ""
    report: str = ""


Question = tuple[str, str]
"""Manifest and folder, absolute; "" for none."""


class Watch:
    """Keeps the answers of all questions asked lately.

    Attributes:
        live: Whether somebody calls `tick`; if not, a question is answered on the spot.
    """

    def __init__(self) -> None:
        self.live = False
        self._answers: dict[Question, Seen] = {}
        self._asked: dict[Question, float] = {}
        self._looked: dict[Question, float] = {}
        self._thread: threading.Thread | None = None
        self._changed = False

    def seen(self, manifest: str, folder: str) -> Seen | None:
        """The last answer, None before the first; touches no disk while `live`.

        Args:
            manifest: Path of the clip's manifest, "" for none.
            folder: Where its last estimate was begun, "" for none.
        """
        question = manifest, folder
        self._asked[question] = time.monotonic()
        return self._answers.get(question) if self.live else self.look(manifest, folder)

    def look(self, manifest: str, folder: str) -> Seen:
        """Looks now; as `seen` otherwise."""
        question = manifest, folder
        answer = _look(manifest, folder)
        self._changed |= self._answers.get(question) != answer
        self._answers[question], self._looked[question] = answer, time.monotonic()
        return answer

    def tick(self) -> bool:
        """Has what was asked for and grew old looked at on a thread; True when an answer is new."""
        now = time.monotonic()
        if self._thread is None or not self._thread.is_alive():
            wanted = [q for q, asked in self._asked.items() if now - asked < _ASKED_S]
            old = [q for q in wanted if now - self._looked.get(q, -_FRESH_S) >= _FRESH_S]
            if old:
                self._thread = threading.Thread(
                    target=self._look_at, args=(old,), name="vdepth files", daemon=True
                )
                self._thread.start()
        changed, self._changed = self._changed, False
        return changed

    def forget(self) -> None:
        """For another .blend."""
        for kept in (self._answers, self._asked, self._looked):
            kept.clear()

    def _look_at(self, questions: list[Question]) -> None:
        for question in questions:
            self.look(*question)


def _look(manifest: str, folder: str) -> Seen:
    unfinished = bool(folder) and is_unfinished(Path(folder))
    path = Path(manifest)
    if not manifest or (unfinished and not path.is_file()):
        return Seen(unfinished)
    try:
        summary = summarise(path)
    except ResultError as error:
        return Seen(unfinished, error=str(error))
    beside = {name: path.with_name(name) for name in ("preview.mp4", "preview.png", "report.html")}
    there = {name: str(file) for name, file in beside.items() if file.is_file()}
    preview = there.get("preview.mp4", there.get("preview.png", ""))
    return Seen(
        unfinished, summary, "", tuple(problems(summary.result)), preview, there.get("report.html", "")
    )


WATCH = Watch()
"""This session's."""
