"""``vdepth export``: a finished job to another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from ..progress import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID


def export(
    out: Annotated[Path, typer.Argument(help="Output folder of a finished vdepth estimate.")],
    to: Annotated[str, typer.Option("--to", help="Format: png16, npz, mp4, or one a plug-in brings.")],
    convention: Annotated[
        str, typer.Option(help="What depth means in the files: z, inverse-z, ray or white-near.")
    ] = "z",
    destination: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the files; default OUT/export_FORMAT.")
    ] = None,
) -> None:
    """Export a finished depth sequence to another format."""
    from ..output.exports.registry import export as run

    with _Bars() as progress:
        files = run(out, to, destination, convention, progress)
    for file in files[:1] + files[1:][-1:]:  # the first and the last say enough of a thousand
        typer.echo(file)
    typer.echo(
        f"{len(files)} {'file' if len(files) == 1 else 'files'} written, convention {convention}", err=True
    )


class _Bars(Progress):
    """One bar a stage on a terminal, silence in a log."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import Progress as Bars

        console = Console(stderr=True)
        self._bars = Bars(console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def stage(self, name: str, total: int | None) -> None:
        """Adds a bar."""
        self._tasks[name] = self._bars.add_task(name.capitalize(), total=total)

    def advance(self, name: str, done: int = 1) -> None:
        """Moves a bar."""
        self._bars.advance(self._tasks[name], done)

    def warn(self, message: str) -> None:
        """Shows a sentence above the bars."""
        self._bars.console.print(message, style="yellow", markup=False)
