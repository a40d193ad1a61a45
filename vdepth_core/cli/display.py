"""How a running job looks: rich bars on a terminal, plain lines in a log, JSON lines for programs."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ..errors import ResourceError
from ..jobs.events import (
    Done,
    Error,
    Event,
    PartDone,
    ProgressEvent,
    Stage,
    Started,
    Warning_,
)
from .log_lines import LogLines

_WORDS = {
    "checksum": "Checking",
    "probe": "Measuring the processor for",
    "scan": "Reading",
    "infer": "Estimating",
    "settle": "Stabilizing",
    "refine": "Refining",
    "patches": "Looking closely at",
    "write": "Writing",
}
_UNITS = {"patches": "patches"}  # of what is not frames


class EventLines:
    """Prints every event as one JSON line on stdout, flushed; what else is printed meanwhile goes to stderr.

    Libraries print, too (Ray's driver of its workers' errors), and every line of stdout is to be an event.
    """

    def __init__(self) -> None:
        self._out, self._broken = sys.stdout, False
        self._elsewhere = redirect_stdout(sys.stderr)

    def __enter__(self) -> Self:
        self._elsewhere.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._elsewhere.__exit__(None, None, None)

    def on_event(self, event: Event) -> None:
        """Prints ``event``.

        Args:
            event: Of any clip.

        Raises:
            ResourceError: nobody can read them any more; once, so that the job stops and can end in peace.
        """
        if self._broken:
            return
        try:
            self._out.write(event.model_dump_json() + "\n")
            self._out.flush()
        except (OSError, ValueError) as error:  # ValueError: stdout is closed
            self._broken = True
            reason = f" ({error.strerror.lower()})" if isinstance(error, OSError) and error.strerror else ""
            raise ResourceError(
                f"The events cannot be written to standard output{reason}.",
                "Run the same command again to go on where it stopped.",
            ) from error


class ConsoleDisplay:
    """Shows events to a person: one bar a stage and clip, sentences above the bars."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[fps]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._lines = None if self._console.is_terminal else LogLines(self._say)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def on_event(self, event: Event) -> None:
        """Shows ``event``.

        Args:
            event: Of any clip.
        """
        name = Path(event.clip).name
        match event:
            case Started():
                text = "Resuming" if event.resumed else "Estimating"
                text = "Already finished:" if event.finished else text
                height, width = event.size
                self._say(
                    f"{text} {escape(name)} ({event.preset}): {event.method}, {escape(event.model)} "
                    f"({escape(event.license)}), {width}x{height} on {event.device}, into {escape(event.out)}"
                )
            case Stage():
                self._bars.update(self._task(event.clip, event.name), total=event.total)
            case ProgressEvent():
                if self._lines is not None:
                    words = f"{_WORDS.get(event.stage, event.stage)} {escape(name)}"
                    left = "" if event.eta is None else f", {event.eta:.0f} s left"
                    more = f", {_rate(event)}{left}"
                    self._lines.progress((event.clip, event.stage), words, event.done, event.total, more)
                    return
                task = self._task(event.clip, event.stage)
                self._bars.update(task, completed=event.done, total=event.total, fps=_rate(event))
            case Warning_():
                self._say(f"[yellow]Warning:[/] {_about(name, event.message)}")
            case Done():
                self._forget(event.clip)
                self._say(f"[green]Done:[/] {escape(name)}: {escape(event.manifest)}")
            case PartDone():
                self._forget(event.clip)
                which = f"shot{'s' * (len(event.shots) != 1)} {', '.join(map(str, event.shots)) or 'none'}"
                self._say(
                    f"[green]Done:[/] {escape(name)}: {which} (counted from 0, as by --shots; "
                    f"{event.of} in all); when all are, "
                    f"vdepth finish {escape(event.out)} puts them together"
                )
            case Error():
                self._forget(event.clip)
                self._say(f"[red]Failed:[/] {_about(name, event.message)} {escape(event.hint)}")
            case _:
                pass

    def _say(self, text: str) -> None:
        self._bars.console.print(text, soft_wrap=True)

    def _task(self, clip: str, stage: str) -> TaskID:
        key = (clip, stage)
        if key not in self._tasks:
            words = f"{_WORDS.get(stage, stage)} {Path(clip).name}"
            self._tasks[key] = self._bars.add_task(words, total=None, fps="")
        return self._tasks[key]

    def _forget(self, clip: str) -> None:
        for key in [key for key in self._tasks if key[0] == clip]:
            self._bars.remove_task(self._tasks.pop(key))


def _rate(event: ProgressEvent) -> str:
    return f"{event.fps:.1f} {_UNITS.get(event.stage, 'frames')}/s"


def _about(name: str, message: str) -> str:
    """The sentence, with the clip's name before it where it does not say it itself."""
    return escape(message) if name and name in message else f"{escape(name)}: {escape(message)}"
