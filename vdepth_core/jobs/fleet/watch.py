"""What many workers tell of a clip, as one clip's events: counts added up, each frame and warning once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import VdepthError
from ...output.naming import manifest_path
from ..events import Done, Event, FrameDone, JobProgress, OnEvent, ProgressEvent, Stage, Started, Warning_
from .tasks import Task


class _ClipWatch:
    def __init__(self, progress: JobProgress) -> None:
        self.progress, self.started = progress, False
        self.frames: set[int] = set()
        self.totals: dict[str, dict[Task, int | None]] = {}
        self.done: dict[tuple[Task, str], int] = {}

    def stage(self, task: Task, event: Stage) -> None:
        totals = self.totals.setdefault(event.name, {})
        if task not in totals or totals[task] != event.total:
            totals[task] = event.total
            known = [total for total in totals.values() if total is not None]
            self.progress.stage(event.name, sum(known) if known else None)

    def count(self, task: Task, event: ProgressEvent) -> None:
        """A task that is done again counts from where it was when its worker died."""
        key = task, event.stage
        more = event.done - self.done.get(key, 0)
        if more > 0:
            self.done[key] = event.done
            (self.progress.advance if event.fps else self.progress.skip)(event.stage, more)


class Watch:
    """Merges the events of a command's tasks."""

    def __init__(self, clips: Sequence[tuple[Path, Path]], tell: OnEvent) -> None:
        """Takes the names of things.

        Args:
            clips: The clips, as the user named them, and their folders.
            tell: Hears of everything.
        """
        self._clips, self._tell = clips, tell
        self._open: dict[int, _ClipWatch] = {}  # of a thousand clips a few: those that are worked on

    def told(self, task: Task, event: Event) -> None:
        """Takes what a worker says.

        Args:
            task: What it is at.
            event: Of the task.
        """
        clip = self._of(task.clip)
        match event:
            case Started():
                if not clip.started:
                    clip.started = True
                    self._tell(event)
            case Stage():
                clip.stage(task, event)
            case ProgressEvent():
                clip.count(task, event)
            case FrameDone():
                if event.number not in clip.frames:
                    clip.frames.add(event.number)
                    self._tell(event)
            case Warning_():
                clip.progress.warn(event.message)
            case _:
                pass  # the end of a task is not that of the clip

    def warn(self, clip: int, message: str) -> None:
        """Tells what is known here alone.

        Args:
            clip: Its number.
            message: With its full stop.
        """
        self._of(clip).progress.warn(message)

    def over(self, clip: int, error: VdepthError | None) -> None:
        """A clip came to its end.

        Args:
            clip: Its number.
            error: Why it failed; None: it is finished.
        """
        progress = self._of(clip).progress
        if error is None:
            progress.tell(Done(clip=progress.clip, manifest=str(manifest_path(self._clips[clip][1]))))
        else:
            progress.fail(error)
        del self._open[clip]

    def _of(self, clip: int) -> _ClipWatch:
        if clip not in self._open:
            self._open[clip] = _ClipWatch(JobProgress(str(self._clips[clip][0]), self._tell))
        return self._open[clip]
