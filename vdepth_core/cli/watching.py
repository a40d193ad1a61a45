"""Verbs that work on a finished job and can tell programs of it: bars, or JSON lines with ``--events``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from ..errors import as_vdepth_error
from ..progress import Progress, cancelling


@contextmanager
def watching(out: Path, words: dict[str, str], events: bool) -> Iterator[Progress]:
    """Shows progress to a person, or prints events; Ctrl-C stops at the next good moment.

    Args:
        out: The job, which events name as their clip.
        words: What a stage is called.
        events: Whether to print one JSON object a line.

    Raises:
        Exit: with the code of what failed, which an event told.
    """
    if not events:
        from .bars import Bars

        with Bars(words) as bars, cancelling(bars):
            yield bars
        return
    from ..jobs.events import JobProgress
    from .display import EventLines

    with EventLines() as lines:
        progress = JobProgress(str(out), lines.on_event)
        try:
            with cancelling(progress):
                yield progress
        except Exception as error:
            known = as_vdepth_error(error)
            progress.fail(known)
            raise typer.Exit(known.exit_code) from error


def finished(progress: Progress, record: Path) -> None:
    """Tells programs that it is done.

    Args:
        progress: Of `watching`.
        record: File that says what was made.
    """
    from ..jobs.events import Done, JobProgress

    if isinstance(progress, JobProgress):
        progress.tell(Done(clip=progress.clip, manifest=str(record)))
