"""``vdepth ground``: where the ground and the horizon of a finished job are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..choices import HorizonSource, menu

if TYPE_CHECKING:
    import numpy as np

    from ..views.ground import ShotGround


def ground(
    out: Annotated[Path, typer.Argument(help="Output folder of a finished vdepth estimate.")],
    horizon: Annotated[
        str,
        typer.Option(
            metavar=menu(HorizonSource),
            help="What the horizon is from: points picked, upright edges, lines on the ground, the far end "
            "of the depth, a level camera, or the depth as it is; default auto: the first the shot shows.",
        ),
    ] = "auto",
    frame: Annotated[int | None, typer.Option(help="File number of the frame the points are of.")] = None,
    ground_at: Annotated[
        str, typer.Option(help="Three or more pixels on the ground: X,Y X,Y X,Y in one argument.")
    ] = "",
    horizon_at: Annotated[
        str, typer.Option(help="Two or more pixels on the horizon: X,Y X,Y in one argument.")
    ] = "",
    clip: Annotated[Path | None, typer.Option(help="The clip, if it is not where the job found it.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find ground and horizon: shift, scale and tilt that make the depth level."""
    from ..errors import UsageError
    from ..views.ground import WORDS, Picked, find_ground
    from .bars import Bars

    picked = None
    if frame is not None and not (ground_at or horizon_at):
        raise UsageError(
            f"--frame {frame} does nothing: no points are given.",
            "Give --ground-at or --horizon-at, or leave --frame away.",
        )
    if ground_at or horizon_at:
        if frame is None:
            raise UsageError(
                "The points are of no frame.", "Say which with --frame NUMBER, as in the file names."
            )
        picked = Picked(frame, _points(ground_at, 3, "--ground-at"), _points(horizon_at, 2, "--horizon-at"))
    if horizon == "picked" and not horizon_at:
        raise UsageError("No horizon is picked.", "Give two or more pixels on it with --horizon-at.")
    with Bars() as progress:
        source = cast("HorizonSource", horizon)
        found = find_ground(out, horizon=source, picked=picked, clip=clip, progress=progress)
    if json_:
        typer.echo(json.dumps({"version": 1, "shots": [_facts(one) for one in found]}))
        return
    for one in found:
        row, wander = float(one.horizon.mean()), float(one.fitted.std())
        typer.echo(
            f"{one.numbers[0]}-{one.numbers[-1]}: horizon at row {row:.1f} "
            f"(by each frame alone +-{wander:.1f}), shift {float(one.shift.mean()):.4g}, "
            f"camera {one.height:.4g} above the ground, by {WORDS[one.source]}"
        )


def _points(text: str, least: int, option: str) -> np.ndarray:
    """Pixels from ``X,Y X,Y``; none from nothing."""
    import numpy as np

    from ..errors import UsageError

    try:
        points = np.array([[float(part) for part in word.split(",")] for word in text.split()]).reshape(-1, 2)
    except ValueError:
        points = np.zeros((1, 2))
    if text and (len(points) < least or not np.isfinite(points).all()):
        raise UsageError(
            f"{option} takes {least} or more pixels, not {text!r}.", f'Write {option} "10,20 30,40".'
        )
    if text and np.linalg.matrix_rank(points - points[0]) < least - 1:
        what = "are one pixel" if least == 2 else "lie in one line"
        raise UsageError(
            f"The points {text} of {option} {what}.", "Pick points that lie well apart in the frame."
        )
    return points


def _facts(one: ShotGround) -> dict[str, Any]:
    from ..views.ground import WORDS

    return {
        "numbers": one.numbers.tolist(),
        "source": one.source,
        "words": WORDS[one.source],
        "share": one.share,
        "height": one.height,
        "down": one.down.tolist(),
        "scale": one.scale.tolist(),
        "shift": one.shift.tolist(),
        "horizon": one.horizon.tolist(),
        "fitted": one.fitted.tolist(),
        "estimated": one.estimated.tolist(),
        "uneven": list(one.uneven),
    }
