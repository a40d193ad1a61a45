"""``vdepth finish``: puts a job together whose shots several processes made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def finish(
    out: Annotated[Path, typer.Argument(help="Output folder of vdepth estimate --shard or --shots.")],
) -> None:
    """Assemble what shards wrote: preview, report and manifest."""
    from ..jobs.assemble import finish as run
    from ..output.naming import manifest_path

    manifest = run(out)
    typer.echo(f"{manifest.count} frames of {len(manifest.shots)} shots are finished.", err=True)
    typer.echo(str(manifest_path(out)))
