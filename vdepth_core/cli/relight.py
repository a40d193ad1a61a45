"""``vdepth relight``: lighting passes of a finished job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..choices import Device, menu
from .watching import finished, watching

_WORDS = {"light": "Lighting", "film": "Writing the film"}


def relight(
    out: Annotated[Path, typer.Argument(help="Output folder of a finished vdepth estimate.")],
    light: Annotated[
        list[str],
        typer.Option(
            metavar="LIGHT|FILE",
            help="sun:X,Y,Z, point:X,Y,Z or ambient, with :INTENSITY behind or not (1), again for more; or "
            "one JSON file. x is right, y up, z to the camera; points are in middle distances of the shot.",
        ),
    ],
    destination: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the files; default OUT/relight.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option(metavar="A-B", help="Frames A to B of the sequence (default: all).")
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="The clip, if it is not where the job found it.")] = None,
    no_movie: Annotated[bool, typer.Option("--no-movie", help="No MP4 of the plate under the pass.")] = False,
    device: Annotated[str, typer.Option(metavar=menu(Device), help="Where to compute.")] = "auto",
    events: Annotated[bool, typer.Option("--events", help="Print one JSON object a line.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace passes made with other lights.")
    ] = False,
) -> None:
    """Light a finished job anew: a pass to multiply the plate by, with shadows told from depth."""
    from ..models.device import pick_device
    from ..views.lighting.lights import parse_lights
    from ..views.lighting.relight import relight as run

    lights = parse_lights(light)
    with watching(out, _WORDS, events) as progress:
        where = pick_device(device)
        result = run(out, lights, destination, frames, not no_movie, where, overwrite, progress, clip)
        finished(progress, result.record)
    if not events:
        typer.echo(result.film or result.record)
