"""``vdepth export``: a finished job to another format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from .fields import FieldsCommand, Option, given, options_of


class ExportCommand(FieldsCommand):
    """Takes the options of every format."""

    def fields(self) -> Iterable[Option]:
        """The format, then what each takes."""
        from pydantic import Field
        from pydantic.fields import FieldInfo

        from ..output.exports.registry import EXPORTERS

        formats: FieldInfo = Field(description=f"Format: {EXPORTERS.words()}.")
        yield Option("to", formats)
        yield from options_of(EXPORTERS)


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="Output folder of a finished vdepth estimate.")],
    destination: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the files; default OUT/export_FORMAT.")
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="The clip, if it is not where the job found it.")] = None,
) -> None:
    """Export a finished depth sequence to another format."""
    from ..output.exports.export import export as run
    from ..output.exports.registry import EXPORTERS
    from .bars import Bars

    options = given(context)
    to = options.pop("to")
    with Bars() as progress:
        files = run(out, to, destination, progress=progress, clip=clip, **options)
    for file in files[:1] + files[1:][-1:]:  # the first and the last say enough of a thousand
        typer.echo(file)
    chosen = EXPORTERS.read(to, options)
    words = "".join(f", {_said(name, value)}" for name, value in chosen if value not in (None, False))
    typer.echo(f"{len(files)} file{'s' * (len(files) != 1)} written{words}", err=True)


def _said(name: str, value: object) -> str:
    """An option as the last line has it; a switch is its name."""
    words = name.replace("_", " ")
    return words if value is True else f"{words} {value}"
