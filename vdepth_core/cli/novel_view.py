"""``vdepth novel-view``: a finished job from another camera."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..choices import Device, menu
from .fields import FieldsCommand, Option, given
from .watching import finished, watching

if TYPE_CHECKING:
    from ..progress import Progress

_WORDS = {
    "scan": "Reading",
    "solve": "Finding the cameras",
    "moving": "Finding what moves",
    "fuse": "Looking behind things",
    "view": "Rendering",
    "film": "Writing the film",
}


class NovelViewCommand(FieldsCommand):
    """Takes what `ViewOptions` takes."""

    def fields(self) -> Iterable[Option]:
        """Where the camera goes, and what is made of its pictures."""
        from ..views.options import ViewOptions

        yield from (Option(name, field) for name, field in ViewOptions.model_fields.items())


def novel_view(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="Output folder of a finished vdepth estimate.")],
    destination: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the files; default OUT/view_PATH.")
    ] = None,
    clean: Annotated[
        Path | None, typer.Option(help="Folder of vdepth fuse (default: OUT/clean, made if it is not there).")
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="The clip, if it is not where the job found it.")] = None,
    no_temporal: Annotated[
        bool, typer.Option("--no-temporal", help="Do not look in other frames for what the plate hides.")
    ] = False,
    device: Annotated[str, typer.Option(metavar=menu(Device), help="Where to render.")] = "auto",
    events: Annotated[bool, typer.Option("--events", help="Print one JSON object a line.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a view made with other options.")
    ] = False,
) -> None:
    """Render a finished job from another camera: a move, a second eye, or a path of yours."""
    from ..models.device import pick_device
    from ..views.novel_view import check
    from ..views.novel_view import novel_view as run
    from ..views.options import ViewOptions

    options = given(context)
    wanted = ViewOptions.parse(options)
    with watching(out, _WORDS, events) as progress:
        where = pick_device(device)
        check(out, clip, **options)
        if clean is None and not no_temporal and wanted.layout != "rgbd":
            clean = _fused(out, wanted.camera, clip, progress)
        result = run(out, destination, clean, where, overwrite, progress, clip, **options)
        finished(progress, result.record)
    if events:
        return
    if result.made and result.holes:
        some = "" if result.made == result.frames else f" in the {result.made} frames made now"
        typer.echo(
            f"{100 * result.holes:.2f} % of the picture is hidden in the plate{some}; other frames show "
            f"{100 * result.found / result.holes:.0f} % of that.",
            err=True,
        )
    typer.echo(result.film or result.record)


def _fused(out: Path, camera: Path | None, clip: Path | None, progress: Progress) -> Path | None:
    """The job's clean plates, made if they are not there; None: its camera does not travel."""
    from ..errors import InputError
    from ..plates.fuse import fuse

    try:
        done: dict[str, Any] = {"camera": camera, "clip": clip, "progress": progress}
        return fuse(out, **done)[0].parent
    except InputError as error:
        progress.warn(f"Other frames show nothing of what the plate hides: {error.message}")
        return None
