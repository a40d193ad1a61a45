"""``vdepth make-tiny``: small random checkpoints of published layouts, to try a path without weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..choices import check_seed, one_of
from ..errors import UsageError
from ..files import make_folder


def make_tiny(
    family: Annotated[
        str, typer.Argument(help="video-depth-anything, rollingdepth, chronodepth, depth-anything, …")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty folder.")],
    seed: Annotated[int, typer.Option(help="Seed of the random weights.")] = 0,
) -> None:
    """Write a small random checkpoint: for tests, its depth means nothing."""
    from ..models.tiny import make_tiny as make
    from ..models.tiny import tiny_families

    if family not in tiny_families():
        raise UsageError(f"There is no family {family}.", one_of(family, tiny_families()))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder.", "Name a new one.")
    check_seed(seed)
    make(family, make_folder(folder), seed)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    use = f"Use it with --model {folder}"
    if "merge" in family:  # no model: it is found by its name only
        use = f"Install it: vdepth weights install {family} --accept-license {family} --from {folder}"
    typer.echo(f"{folder}: a random {family} of {size / 1e6:.1f} MB. {use}.")
