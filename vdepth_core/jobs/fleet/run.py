"""``vdepth estimate`` on many workers: gives out tasks, hears what becomes of them, tells it as one command.

This process reads no clip and loads no model. Killed and started again, it finds what was finished in the
jobs' folders; workers of the killed one end by themselves.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from ...errors import Cancelled, UsageError
from ...progress import Progress, cancelling
from ..batch import ClipResult, gather_clips, guarded, one_at_a_time
from ..config import EstimateConfig
from ..events import OnEvent
from ..gathering import Gathered
from .crew import Crew, Ended, Joined, Lost, Report, Told
from .dispatch import Dispatcher
from .tasks import Order, Setup, Task
from .watch import Watch

_POLL_S = 0.2
_DRAIN_S = 60.0  # a worker that does not stop by then is ended
_WORDS = {"clip": "", "plan": " (its plan)", "finish": " (its end)"}


class Fleet:
    """One command; `run` does everything and may be called once."""

    def __init__(
        self, clips: Sequence[Path], out: Path, config: EstimateConfig, on_event: OnEvent | None
    ) -> None:
        """Settles which clips there are and where they go; reads none of them.

        Args:
            clips, out, config, on_event: As of `estimate_clips`.

        Raises:
            UsageError: no clips given.
        """
        tell = one_at_a_time(on_event)
        self._gathered = gather_clips(clips, out, config, tell)
        self._config = config
        self._watch = Watch([(clip.path, clip.folder) for clip in self._gathered], tell)
        self._results = [ClipResult(clip.path, clip.folder) for clip in self._gathered]
        self._progress = Progress()

    @property
    def setup(self) -> Setup:
        """What the workers have to know."""
        return Setup(self._config, Path.cwd(), tuple(guarded(self._gathered)))

    def run(self, crew: Crew, *, overwrite: bool = False, signals: bool = False) -> list[ClipResult]:
        """Has the crew do everything; returns one result a clip, in order.

        Args:
            crew: Made with `setup`.
            overwrite: Replace jobs of another configuration.
            signals: Let Ctrl-C and SIGTERM cancel cleanly (main thread only).

        Raises:
            ResourceError: there are no workers.
        """
        weights = [_weight(clip) for clip in self._gathered]
        books = Dispatcher(weights, width=crew.width, split=self._config.adapt is None)
        with cancelling(self._progress) if signals else contextlib.nullcontext():
            try:
                self._work(crew, books, overwrite)
            except BaseException:
                crew.close(at_once=True)
                raise
        crew.close()
        return self._results

    def _work(self, crew: Crew, books: Dispatcher, overwrite: bool) -> None:
        stop: float | None = None
        known_sick: list[str] = []
        while not books.finished:
            now = time.monotonic()
            if self._progress.cancelled and stop is None:
                stop = now + _DRAIN_S
                crew.cancel()
                books.drain(Cancelled("Cancelled.", "Run the same command again to go on."))
            if stop is not None and now > stop:
                crew.close(at_once=True)
            for worker, task in books.take(now):
                crew.start(worker, self._order(task, overwrite))
            for report in crew.wait(_POLL_S):
                self._hear(report, books)
            for machine in books.sick():
                if machine not in known_sick:
                    known_sick.append(machine)
                    self._watch.warn(0, f"{machine} failed twice in a row and gets no more work.")
            self._settle(books)
        self._settle(books)

    def _hear(self, report: Report, books: Dispatcher) -> None:
        now = time.monotonic()
        match report:
            case Joined(worker, machine):
                books.joined(worker, machine)
            case Told(events):
                for task, event in events:
                    self._watch.told(task, event)
            case Ended(worker, task, outcome):
                books.ended(worker, task, outcome, now)
            case Lost(worker, guilty):
                for task in books.lost(worker, guilty=guilty, now=now):
                    what = _shots(task) if task.stage == "shots" else _WORDS[task.stage]
                    self._watch.warn(task.clip, f"A worker died at it{what}; it goes on on another one.")

    def _settle(self, books: Dispatcher) -> None:
        for number, error in books.over:
            self._results[number].error = error
            self._watch.over(number, error)
        books.over.clear()

    def _order(self, task: Task, overwrite: bool) -> Order:
        clip = self._gathered[task.clip]
        # The job of whoever made the plan is not replaced by those who do its shots.
        return Order(task, clip.path, clip.folder, overwrite and task.stage in ("clip", "plan"))


def _shots(task: Task) -> str:
    """What of a clip a task is, in brackets."""
    if task.frames is not None:
        return f" (frames {task.frames[0]} to {task.frames[1] - 1} of shot {task.shots[0]})"
    return f" (shots {task.shots[0]} to {task.shots[1] - 1})"


def whole_jobs_only(part: object) -> None:
    """Refuses a part of a job for a fleet, which makes parts of its own.

    Args:
        part: What was asked for; None: everything.

    Raises:
        UsageError: a part.
    """
    if part is not None:
        raise UsageError(
            "Several devices, or --ray, share a clip's shots out themselves.",
            "Leave --shots and --shard away; they are for processes that you start.",
        )


def _weight(clip: Gathered) -> float:
    """About how much there is to do, in bytes: this process opens no clips."""
    try:
        return clip.first.stat().st_size * max(clip.files, 1)
    except OSError:
        return 1.0
