"""The event protocol, version 1: what a running job tells the outside, one JSON object a line; and a job's
`Progress` calls made into it: counts, rates, time left, at most ten events a second.

Every event carries ``event`` (its kind) and ``clip`` (the clip's path as given, or "" when it concerns the
whole command). Fields may be added within a version; a reader must ignore fields and kinds it does not know.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from ..errors import VdepthError
from ..files import printable
from ..progress import Progress

EVENTS_VERSION = 1
_INTERVAL_S = 0.1
_WINDOW_S = 20.0
Text = Annotated[str, BeforeValidator(printable)]  # JSON has no word for bytes that are no UTF-8


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)

    clip: Text = ""


class Started(_Event):
    """A job begins or resumes, or is ``finished`` already. ``frames`` is what the container declares, None
    when it does not; ``method``, ``model`` and ``size`` (height, width) are what ``preset`` chose, where the
    user left it the choice.
    """

    event: Literal["started"] = "started"
    version: int = EVENTS_VERSION
    vdepth: str
    job: str
    out: Text
    preset: str = ""
    method: str
    model: str
    license: str
    device: str
    size: tuple[int, int]
    frames: int | None
    resumed: bool
    finished: bool = False


class Stage(_Event):
    """A stage begins (``scan``, ``infer``, ``settle``, ``refine``, ``write``); they overlap, totals may grow.

    Before them may come ``checksum`` (much of the clip has to be read to know it again) and ``probe`` (a
    network's threads are measured); within a frame of ``refine``, ``patches`` (looks at parts of it). Those
    of ``fuse`` are ``scan``, ``flow``, ``solve``, ``moving`` and ``fuse``; it tells of no start.
    """

    event: Literal["stage"] = "stage"
    name: str
    total: int | None


class ProgressEvent(_Event):
    """Frames done in a stage, or patches; ``fps`` counts this run only, ``eta`` is in seconds."""

    event: Literal["progress"] = "progress"
    stage: str
    done: int
    total: int | None
    fps: float
    eta: float | None


class FrameDone(_Event):
    """All files of one output frame are on disk; ``path`` is its depth file."""

    event: Literal["frame"] = "frame"
    index: int
    number: int
    path: Text


class Warning_(_Event):  # noqa: N801
    """One sentence the user should see; the job goes on."""

    event: Literal["warning"] = "warning"
    message: Text


class Done(_Event):
    """The clip is finished; ``manifest`` is the path of its manifest, of ``fuse`` that of its clean.json."""

    event: Literal["done"] = "done"
    manifest: Text


class PartDone(_Event):
    """The shots of a ``--shard`` or ``--shots`` are finished, ``of`` so many; ``vdepth finish`` assembles."""

    event: Literal["part"] = "part"
    out: Text
    shots: list[int]
    of: int


class Error(_Event):
    """The clip failed or was cancelled; other clips of the command go on unless cancelled."""

    event: Literal["error"] = "error"
    code: str
    message: Text
    hint: Text = ""


Event = Started | Stage | ProgressEvent | FrameDone | Warning_ | Done | PartDone | Error
OnEvent = Callable[[Event], None]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def parse_event(line: str | bytes) -> Event:
    """Reads one line of ``--events`` output back.

    Args:
        line: With or without its line break.

    Raises:
        pydantic.ValidationError: the line is not an event of this version.
    """
    return _ADAPTER.validate_json(line)


class _Counter:
    """Units of a stage done and to do, and how fast those of this run went lately.

    Units done before this run count but took no time, and what a stage waited for its turn is not its speed:
    the rate is that of the last seconds, from when a first unit was done.
    """

    def __init__(self, total: int | None) -> None:
        self.total, self.done, self.told = total, 0, 0.0
        self._fresh, self._began = 0, time.monotonic()
        self._marks: deque[tuple[float, int]] = deque()

    def add(self, done: int, now: float) -> None:
        """Counts units done in this run."""
        self.done += done
        self._fresh += done
        self._marks.append((now, self._fresh))
        while len(self._marks) > 2 and self._marks[1][0] < now - _WINDOW_S:
            self._marks.popleft()

    def rate(self, now: float) -> float:
        """Units a second; 0 before the first of this run."""
        first, before = self._marks[0] if len(self._marks) > 1 else (self._began, 0)
        return (self._fresh - before) / max(now - first, 1e-6)


class JobProgress(Progress):
    """Progress of one clip, told to ``on_event``; thread-safe, and events never overlap."""

    def __init__(self, clip: str, on_event: OnEvent | None) -> None:
        super().__init__()
        self.clip = clip
        self.warnings: list[str] = []
        self._on_event = on_event
        self._lock = threading.RLock()
        self._counters: dict[str, _Counter] = {}

    def tell(self, event: Event) -> None:
        """Passes one event on.

        Args:
            event: Of this clip.
        """
        if self._on_event is not None:
            with self._lock:
                self._on_event(event)

    def stage(self, name: str, total: int | None) -> None:
        """See `Progress.stage`."""
        with self._lock:
            if name in self._counters:
                self._counters[name].total = total
            else:
                self._counters[name] = _Counter(total)
            self.tell(Stage(clip=self.clip, name=name, total=total))

    def advance(self, name: str, done: int = 1) -> None:
        """See `Progress.advance`."""
        with self._lock:
            counter, now = self._counters.setdefault(name, _Counter(None)), time.monotonic()
            counter.add(done, now)
            self._tell(name, counter, now)

    def skip(self, name: str, done: int = 1) -> None:
        """See `Progress.skip`."""
        with self._lock:
            counter = self._counters.setdefault(name, _Counter(None))
            if counter.total is not None:  # what other processes did was not this one's to do
                done = max(0, min(done, counter.total - counter.done))
            counter.done += done
            self._tell(name, counter, time.monotonic())

    def _tell(self, name: str, counter: _Counter, now: float) -> None:
        if now - counter.told < _INTERVAL_S and counter.done != counter.total:
            return
        counter.told = now
        fps = counter.rate(now)
        left = max(counter.total - counter.done, 0) / fps if counter.total is not None and fps else None
        self.tell(
            ProgressEvent(
                clip=self.clip,
                stage=name,
                done=counter.done,
                total=counter.total,
                fps=round(fps, 3),
                eta=None if left is None else round(left, 2),
            )
        )

    def warn(self, message: str) -> None:
        """See `Progress.warn`; nothing is said twice."""
        with self._lock:
            if message in self.warnings:
                return
            self.warnings.append(message)
            self.tell(Warning_(clip=self.clip, message=message))

    def frame_done(self, index: int, number: int, path: Path) -> None:
        """Tells that all files of an output frame are there.

        Args:
            index: Of the frame in the clip, from 0.
            number: Of the output frame, as in the files' names.
            path: The first of its files.
        """
        self.tell(FrameDone(clip=self.clip, index=index, number=number, path=str(path)))

    def fail(self, error: VdepthError) -> None:
        """Tells why the clip stopped.

        Args:
            error: What it raised.
        """
        self.tell(Error(clip=self.clip, code=error.code, message=error.message, hint=error.hint))
