"""``vdepth compare``: finished jobs on one clip side by side in a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    outs: Annotated[list[Path], typer.Argument(metavar="OUT...", help="Output folders of finished jobs.")],
    picture: Annotated[Path, typer.Option("-o", "--output", help="The PNG to write.")],
    frame: Annotated[int, typer.Option(min=0, help="Which frame of each job, from 0.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file, if it is there.")] = False,
) -> None:
    """Show finished jobs side by side in one picture, with their times."""
    from ..output.comparison import compare as run

    for label in run(outs, picture, frame, overwrite=overwrite):
        typer.echo(label)
