"""Bars for verbs that report through a `Progress`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ..progress import Progress
from .log_lines import LogLines

if TYPE_CHECKING:
    from rich.progress import TaskID


class Bars(Progress):
    """One bar a stage on a terminal, a line every few per cent in a log; warnings are shown in both."""

    def __init__(self, words: dict[str, str] | None = None) -> None:
        """``words``: what a stage is called."""
        super().__init__()
        self._words = words or {}

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import Progress as Display

        console = Console(stderr=True, highlight=False)
        self._bars = Display(console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._lines = (
            None if console.is_terminal else LogLines(lambda text: console.print(text, markup=False))
        )
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def stage(self, name: str, total: int | None) -> None:
        """Adds a bar, or says how long it is; see `Progress.stage`."""
        if name in self._tasks:
            self._bars.update(self._tasks[name], total=total)
        else:
            self._tasks[name] = self._bars.add_task(self._words.get(name, name.capitalize()), total=total)

    def advance(self, name: str, done: int = 1) -> None:
        """Moves a bar; see `Progress.advance`."""
        if name not in self._tasks:
            self.stage(name, None)
        self._bars.advance(self._tasks[name], done)
        if self._lines is not None:
            task = self._bars.tasks[self._bars.task_ids.index(self._tasks[name])]
            total = None if task.total is None else int(task.total)
            self._lines.progress(name, task.description, int(task.completed), total)

    def warn(self, message: str) -> None:
        """Shows a sentence above the bars; see `Progress.warn`."""
        self._bars.console.print(f"Warning: {message}", style="yellow", markup=False, soft_wrap=True)
