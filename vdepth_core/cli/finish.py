"""``vdepth finish``: puts jobs together whose shots several processes made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def finish(
    out: Annotated[
        Path,
        typer.Argument(help="Output folder of vdepth estimate --shard or --shots, or one above several."),
    ],
) -> None:
    """Assemble what shards wrote: preview, report and manifest."""
    from ..errors import VdepthError
    from ..jobs.assemble import jobs_in

    folders, failed = jobs_in(out), []
    for folder in folders:
        try:
            _finish(folder)
        except VdepthError as error:  # one that lacks a shot does not stop the others
            if len(folders) == 1:
                raise
            failed.append(error)
            typer.echo(f"vdepth: {error}", err=True)
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _finish(out: Path) -> None:
    from ..jobs.assemble import finish as run
    from ..output.naming import manifest_path
    from .bars import Bars

    with Bars() as progress:
        manifest = run(out, progress)
    frames, shots = manifest.count, len(manifest.shots)
    words = f"{frames} frame{'s' * (frames != 1)} of {shots} shot{'s' * (shots != 1)}"
    typer.echo(f"{words} {'are' if frames != 1 else 'is'} finished.", err=True)
    typer.echo(str(manifest_path(out)))
