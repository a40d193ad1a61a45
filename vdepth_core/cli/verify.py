"""``vdepth verify``: whether every file of a job still holds what was written."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def verify(
    out: Annotated[Path, typer.Argument(help="Output folder of vdepth estimate, finished or not.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every file of a job against its checksum."""
    from ..errors import InputError
    from ..output.naming import ADAPTED
    from ..output.verify import verify as run
    from .bars import Bars

    with Bars() as progress:
        found = run(out, progress)
    if json_:
        typer.echo(json.dumps({**asdict(found), "out": str(found.out)}, indent=1))
    else:
        for fault in found.faults:
            typer.echo(f"{fault.kind}: {out / fault.name}")
    if found.faults:
        count = len(found.faults)
        what = "is not as it was written" if count == 1 else "are not as they were written"
        hint = (
            "Run the same vdepth estimate again to write them anew; move a file that you changed away first."
        )
        if ADAPTED in {fault.name for fault in found.faults}:  # what was made with it may be wrong as well
            hint = (
                f"Delete {ADAPTED} if it is there, and run the same vdepth estimate again with --overwrite."
            )
        if all(fault.kind == "unreadable" for fault in found.faults):
            what, hint = "cannot be read", "Check permissions and the disk; nothing may be wrong with them."
        raise InputError(
            f"Of the {found.files} file{'s' * (found.files != 1)} in {out}, {count} {what}.",
            hint,
        )
    if not json_:
        state = "" if found.finished else ", of a job that is not finished"
        files, verb = found.files, "is as it was" if found.files == 1 else "are as they were"
        typer.echo(f"{files} file{'s' * (files != 1)} in {out} {verb} written{state}.", err=True)
