"""``vdepth demo``: the main job on the bundled clip, and its error against the clip's exact truth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ..choices import Preset, menu

MAX_DEPTH = 100.0  # metres; the room is smaller, so every surface counts


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder.")] = Path("vdepth-demo"),
    preset: Annotated[str, typer.Option(metavar=menu(Preset), help="Chooses method and size.")] = "balanced",
    method: Annotated[str | None, typer.Option(help="framewise or temporal (default: the preset's).")] = None,
    model: Annotated[str | None, typer.Option(help="Model name or weights file.")] = "embedded",
    events: Annotated[bool, typer.Option("--events", help="Print one JSON object a line.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a different job in OUT.")] = False,
) -> None:
    """Run the main job on the bundled clip and measure it."""
    from ..demo import demo_clip, demo_truth
    from .estimate import run_clips

    truth = demo_truth()
    width = truth.depth[0].shape[1]
    fov = math.degrees(2 * math.atan(width / 2 / truth.intrinsics.fx))
    options: dict[str, object] = {"preset": preset, "method": method, "model": model, "fov": round(fov, 4)}
    run_clips([demo_clip()], out, options, events=events, overwrite=overwrite)
    if events:
        return
    from ..evaluation.accuracy import evaluate_clip
    from ..output.sequence import read_sequence

    sequence = read_sequence(out)
    result = evaluate_clip(sequence.disparity, truth.depth, max_depth=MAX_DEPTH)
    files = sorted(path.name for path in out.iterdir() if path.suffix == ".exr")
    typer.echo(f"{len(files)} EXR files in {out}, from {files[0]} to {files[-1]}")
    for name in ("manifest.json", "preview.mp4", "report.html"):
        typer.echo(f"{out / name}")
    typer.echo(
        f"Error against the truth ({result.protocol}): AbsRel {result.abs_rel:.3f}, δ1 {result.delta1:.3f}"
    )
