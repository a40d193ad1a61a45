"""``vdepth fuse``: clean plates of a finished job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .watching import finished, watching

_WORDS = {
    "scan": "Reading",
    "solve": "Finding the cameras",
    "moving": "Finding what moves",
    "fuse": "Fusing",
}


def fuse(
    out: Annotated[Path, typer.Argument(help="Output folder of a finished vdepth estimate.")],
    destination: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the files; default OUT/clean.")
    ] = None,
    camera: Annotated[
        Path | None, typer.Option(help="File with the camera's path (default: found from the clip).")
    ] = None,
    margin: Annotated[float, typer.Option(help="Around the plate, percent of its sides, 0 to 100.")] = 10.0,
    clip: Annotated[Path | None, typer.Option(help="The clip, if it is not where the job found it.")] = None,
    events: Annotated[bool, typer.Option("--events", help="Print one JSON object a line.")] = False,
) -> None:
    """Fuse what a shot's frames hide from what its other frames show: clean plates."""
    from ..plates.fuse import fuse as run

    with watching(out, _WORDS, events) as progress:
        file, shots = run(out, destination, camera, margin, progress, clip)
        finished(progress, file)
    if events:
        return
    done = sum(shot.last - shot.first + 1 for shot in shots if shot.moves)
    typer.echo(f"{done} frame{'s' * (done != 1)} with a clean plate.", err=True)
    typer.echo(file)
