"""``vdepth metric``: a finished job again, in metres."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..choices import Compression, Device, menu
from .watching import finished, watching

if TYPE_CHECKING:
    from ..output.manifest import ShotEntry
    from ..output.metric_entry import ShotMetric

_WORDS = {"scan": "Reading", "model": "Predicting in metres", "metric": "Writing"}


def metric(
    out: Annotated[Path, typer.Argument(help="Output folder of a finished vdepth estimate.")],
    destination: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the files; default OUT/metric.")
    ] = None,
    known_distance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,FRAME,METRES",
            help="Distance of pixel X,Y in the file numbered FRAME from the camera's plane; again for more.",
        ),
    ] = None,
    along_ray: Annotated[
        bool,
        typer.Option("--along-ray", help="Known distances are along the line of sight, as by a tape."),
    ] = False,
    points: Annotated[
        Path | None,
        typer.Option(help="Points of a camera solve: COLMAP's folder in text, or a JSON file."),
    ] = None,
    unit: Annotated[
        float | None,
        typer.Option(help="Metres of one unit of the solve, above 0 (default: as its file says)."),
    ] = None,
    near: Annotated[float | None, typer.Option(help="Metres at the near end of every shot, above 0.")] = None,
    far: Annotated[float | None, typer.Option(help="Metres at the far end of every shot, above 0.")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="A metric model, run on a few frames of each shot."),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, max=1000, help="How many frames of a shot the model looks at, 1 to 1000.")
    ] = 8,
    device: Annotated[str, typer.Option(metavar=menu(Device), help="Where the model runs.")] = "auto",
    compression: Annotated[
        str,
        typer.Option(
            metavar=menu(Compression),
            help="EXR compression: pxr24 keeps 24 bits of a number, the others all.",
        ),
    ] = "zip",
    clip: Annotated[Path | None, typer.Option(help="The clip, if it is not where the job found it.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print what was found as one JSON object.")] = False,
    events: Annotated[bool, typer.Option("--events", help="Print one JSON object a line.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what was made with other distances.")
    ] = False,
) -> None:
    """Bring a finished job to metres: by known distances, a camera solve, near and far, or a metric model."""
    from ..metric.known import Distance, Known
    from ..metric.make import make_metric
    from ..output.naming import manifest_path

    distances = tuple(Distance.parse(text) for text in known_distance or ())
    known = Known(distances, along_ray, points, unit, near, far, model, frames)
    with watching(out, _WORDS, events) as progress:
        where = "cpu"
        if model is not None:
            from ..models.device import pick_device

            where = pick_device(device)
        result = make_metric(
            out, known, destination, device=where, compression=compression, overwrite=overwrite,
            progress=progress, clip=clip,
        )  # fmt: skip
        finished(progress, manifest_path(result.out))
    found = result.manifest.metric
    if events or found is None:
        return
    if json_:
        typer.echo(json.dumps({"version": 1, **found.model_dump(mode="json")}))
        return
    for shot in found.shots:
        typer.echo(_said(shot, result.manifest.shots[shot.index]), err=True)
    typer.echo(str(manifest_path(result.out)))


def _said(shot: ShotMetric, entry: ShotEntry) -> str:
    from ..metric.known import FARTHEST

    agree = ""
    if shot.points > 2:
        agree = (
            f"; {100 * shot.inliers:.0f} % of {shot.points} points agree, within {100 * shot.residual:.2g} %"
        )
    far = f"{entry.far:.3g} m" if entry.far < FARTHEST else "infinity"
    last = entry.start_number + entry.count - 1
    frames = f"frames {entry.start_number}-{last}" if entry.count > 1 else f"frame {last}"
    return f"Shot {shot.index + 1} ({frames}): {entry.near:.3g} m to {far}, by {shot.source}{agree}."
