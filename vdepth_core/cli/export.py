"""``vdepth export``: a finished job to another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..choices import Convention, menu


def export(
    out: Annotated[Path, typer.Argument(help="Output folder of a finished vdepth estimate.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="Format: png16, npz, mp4 (lossless), mp4-edit (for editors), or a plug-in's."
        ),
    ],
    convention: Annotated[
        str, typer.Option(metavar=menu(Convention), help="What depth means in the files.")
    ] = "z",
    destination: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the files; default OUT/export_FORMAT.")
    ] = None,
) -> None:
    """Export a finished depth sequence to another format."""
    from ..output.exports.registry import export as run
    from .bars import Bars

    with Bars() as progress:
        files = run(out, to, destination, convention, progress)
    for file in files[:1] + files[1:][-1:]:  # the first and the last say enough of a thousand
        typer.echo(file)
    typer.echo(
        f"{len(files)} {'file' if len(files) == 1 else 'files'} written, convention {convention}", err=True
    )
