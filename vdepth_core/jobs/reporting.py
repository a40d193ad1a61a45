"""From a job's `Progress` calls to events: counts, rates, time left, at most ten events a second."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from ..errors import VdepthError
from ..progress import Progress
from .events import Error, Event, OnEvent, ProgressEvent, Stage, Warning_

_INTERVAL_S = 0.1


@dataclass
class _Counter:
    total: int | None
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    told: float = 0.0


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
        """Passes one event on."""
        if self._on_event is not None:
            with self._lock:
                self._on_event(event)

    def stage(self, name: str, total: int | None) -> None:
        with self._lock:
            if name in self._counters:
                self._counters[name].total = total
            else:
                self._counters[name] = _Counter(total)
            self.tell(Stage(clip=self.clip, name=name, total=total))

    def advance(self, name: str, done: int = 1) -> None:
        with self._lock:
            counter = self._counters.setdefault(name, _Counter(None))
            counter.done += done
            now = time.monotonic()
            if now - counter.told < _INTERVAL_S and counter.done != counter.total:
                return
            counter.told = now
            fps = counter.done / max(now - counter.started, 1e-6)
            left = None if counter.total is None else max(counter.total - counter.done, 0) / max(fps, 1e-6)
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
        with self._lock:
            if message in self.warnings:
                return
            self.warnings.append(message)
            self.tell(Warning_(clip=self.clip, message=message))

    def fail(self, error: VdepthError) -> None:
        """Tells why the clip stopped."""
        self.tell(Error(clip=self.clip, code=error.code, message=error.message, hint=error.hint))
