"""``vdepth train-diffusion``: fine-tune Marigold, RollingDepth or ChronoDepth on clips with known depth."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from .fields import FieldsCommand, Option, given, options_of

_WORDS = {"train": "Training"}


class TrainDiffusionCommand(FieldsCommand):
    """Takes the settings of a training, and the options of every recipe."""

    def fields(self) -> Iterable[Option]:
        """Those of `Settings`, then what each recipe takes."""
        from ..learning.diffusion.table import RECIPES
        from ..training.diffusion.settings import Settings

        yield from (Option(name, field) for name, field in Settings.model_fields.items())
        yield from options_of(RECIPES)


def train_diffusion(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="What to train: marigold, rolling or chrono.")],
    init: Annotated[str, typer.Option("--init", help="Folder or installed name of the model to start from.")],
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders: shards, RGB-D, Hypersim, TartanAir, Virtual KITTI; or the word procedural."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder of the model to write.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say how much memory it would take, computed, and train nothing.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in OUT.")] = False,
) -> None:
    """Fine-tune Marigold, RollingDepth or ChronoDepth on clips with known depth."""
    options: dict[str, Any] = given(context)
    if plan:
        _say_plan(recipe, init, options)
        return
    if out is None:
        raise UsageError("Nothing says where to write the model.", "Give a folder with --out.")
    from ..progress import cancelling
    from ..training.diffusion.train import train_diffusion as run
    from .bars import Bars

    for room in ("learning", "training"):
        logging.getLogger(f"vdepth_core.{room}").setLevel(logging.INFO)
    with Bars(_WORDS) as progress, cancelling(progress):
        result = run(recipe, data or [], init, out, resume=resume, progress=progress, **options)
    before, after = result.held_out
    typer.echo(f"Held-out AbsRel: {before:.4f} before, {after:.4f} after {result.steps} steps.")
    typer.echo(f"Use the model with --model {result.folder}")


def _say_plan(recipe: str, init: str, options: dict[str, Any]) -> None:
    from ..training.diffusion.request import planned

    typer.echo("| stage | trained | weights, GiB | gradients, moments, average | activations | in all |")
    typer.echo("|---|---|---|---|---|---|")
    for stage, found in planned(recipe, init, **options).items():
        typer.echo(f"| {stage} | {found.row()} |")
    typer.echo("The image coder (0.3 GiB where it is Stable Diffusion's) and the libraries come on top.")
