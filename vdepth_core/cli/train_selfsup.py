"""``vdepth train-selfsup``: train a depth network on folders of video by a published system."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from .fields import FieldsCommand, Option, given, options_of

_WORDS = {"scan": "Scanning", "read": "Reading", "train": "Training"}


class TrainSelfsupCommand(FieldsCommand):
    """Takes the settings of a training, and the options of every system."""

    def fields(self) -> Iterable[Option]:
        """The recipe, those of `Settings`, then what each system takes."""
        from pydantic import Field

        from ..learning.systems.table import SYSTEMS
        from ..training.selfsup.settings import Settings

        recipe: Any = Field("monodepth2", description=f"What to learn by: {SYSTEMS.words()}.")
        yield Option("recipe", recipe)
        yield from (Option(name, field) for name, field in Settings.model_fields.items())
        yield from options_of(SYSTEMS)


def train_selfsup(
    context: typer.Context,
    data: Annotated[
        Path, typer.Argument(help="KITTI's folder of days (with --split), or a folder of clips.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the weights to write.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in OUT.")] = False,
) -> None:
    """Train a depth network on KITTI raw or on clips, without ground truth, by a published system."""
    from ..progress import cancelling
    from ..training.selfsup.train import train_selfsup as run
    from .bars import Bars

    for room in ("learning", "training"):
        logging.getLogger(f"vdepth_core.{room}").setLevel(logging.INFO)
    with Bars(_WORDS) as progress, cancelling(progress):
        result = run(data, out, resume=resume, progress=progress, **given(context))
    for name, error in result.held_out.items():
        typer.echo(f"Held-out {name}: {error:.4f}")
    typer.echo(f"{result.steps} steps. Use the weights with --model {result.folder}")
