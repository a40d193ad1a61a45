"""``vdepth adapt``: fine-tune a model on the user's own clip."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..choices import Device, StereoLayout, menu
from .fields import FieldsCommand, Option, given, options_of

_training, _camera, _stereo = (  # options under a heading of their own in the help
    partial(typer.Option, rich_help_panel=heading) for heading in ("Training", "Camera", "Stereo clips")
)
_WORDS = {
    "scan": "Reading",
    "infer": "Predicting depth",
    "settle": "Steadying depth",
    "flow": "Following motion",
    "match": "Matching the eyes",
    "solve": "Finding the cameras",
    "moving": "Finding what moves",
    "depth": "Triangulating",
    "adapt": "Adapting",
    "report": "Writing the report",
}


class AdaptCommand(FieldsCommand):
    """Takes what says how a clip is read, and the options of every recipe."""

    def fields(self) -> Iterable[Option]:
        """The recipe, those of `ClipOptions`, then what each recipe takes."""
        from pydantic import Field

        from ..adaptation.recipes import RECIPES
        from ..clip.options import ClipOptions

        recipe: Any = Field("tc", description=f"What to learn: {RECIPES.words()}.")
        yield Option("recipe", recipe)
        yield from (
            Option(name, field, "Reading the clip") for name, field in ClipOptions.model_fields.items()
        )
        yield from options_of(RECIPES)


def adapt(
    context: typer.Context,
    clip: Annotated[Path, typer.Argument(help="A movie or image sequence.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Weights file to write (.safetensors).")],
    model: Annotated[str, typer.Option(help="Model to adapt: name, or path of weights.")] = "embedded",
    teacher: Annotated[
        str | None, typer.Option(help="Model whose depth to keep (default: the model before it is adapted).")
    ] = None,
    minutes: Annotated[float, _training(help="Training time, minutes over all runs.")] = 5.0,
    steps: Annotated[
        int | None, _training(help="Train this many steps instead; makes the run repeatable.")
    ] = None,
    size: Annotated[
        int | None, _training(help="Shorter side of the network input, pixels (default: model's).")
    ] = None,
    seed: Annotated[int, _training(help="Seed of the order of samples.")] = 0,
    device: Annotated[
        str, _training(metavar=menu(Device), help="Where the network runs; cuda:1 is the second GPU.")
    ] = "auto",
    frames: Annotated[
        str | None,
        typer.Option(
            metavar="A-B", help="Frames A to B, inclusive; a movie counts from 0, a sequence as its files."
        ),
    ] = None,
    right: Annotated[Path | None, _stereo(help="Right eye's clip, for recipes that learn from two.")] = None,
    stereo: Annotated[
        str | None,
        _stereo(metavar=menu(StereoLayout), help="How both eyes lie in CLIP, the left one first."),
    ] = None,
    camera: Annotated[
        Path | None, _camera(help="File with the camera's path (default: found from the clip).")
    ] = None,
    camera_out: Annotated[
        Path | None, _camera(metavar="FILE", help="Write the camera's path to this file.")
    ] = None,
    fov: Annotated[float | None, _camera(help="Horizontal field of view, degrees (default: learnt).")] = None,
    intrinsics: Annotated[
        Path | None, _camera(help="JSON file with fx, fy, cx, cy, pixels (default: learnt).")
    ] = None,
    resume: Annotated[bool, _training("--resume", help="Go on from the checkpoint beside OUT.")] = False,
) -> None:
    """Fine-tune a per-frame model on a clip, so that its depth is right or steady there."""
    from ..adaptation.adapt import adapt as run
    from ..adaptation.release import LENSES
    from ..progress import cancelling
    from .bars import Bars

    with Bars(_WORDS) as progress, cancelling(progress):
        result = run(
            clip,
            out,
            model=model,
            teacher=teacher,
            minutes=minutes,
            steps=steps,
            size=size,
            seed=seed,
            device=device,
            frames=frames,
            right=right,
            stereo=stereo,
            camera=camera,
            camera_out=camera_out,
            fov=fov,
            intrinsics=intrinsics,
            resume=resume,
            progress=progress,
            **given(context),
        )
    for name, before in result.before.items():
        typer.echo(f"Held-out {name} loss: {before:.4f} before, {result.after[name]:.4f} after")
    if result.path is not None:
        lens = result.path.intrinsics[0]
        degrees = 2 * math.degrees(math.atan(result.path.width / 2 / lens.fx))
        typer.echo(f"Lens: {degrees:.1f} degrees across, {LENSES[lens.source]}")
    if not result.changed:
        typer.echo("Nothing improved: the weights are those of the model as it was.", err=True)
    elif result.early:
        typer.echo(
            f"Stopped after {result.steps} step{'s' * (result.steps != 1)}: nothing improved any more.",
            err=True,
        )
    typer.echo(f"Before and after: {result.report}")
    typer.echo(f"Weights: {result.weights}. Use them with --model {result.weights}")
