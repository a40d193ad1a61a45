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
    from .bars import Bars

    with Bars() as progress:
        manifest = run(out, progress)
    frames, shots = manifest.count, len(manifest.shots)
    words = f"{frames} frame{'s' * (frames != 1)} of {shots} shot{'s' * (shots != 1)}"
    typer.echo(f"{words} {'are' if frames != 1 else 'is'} finished.", err=True)
    typer.echo(str(manifest_path(out)))
