"""``vdepth estimate``: clips in, depth EXR sequences out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..choices import Compression, Device, Dtype, Predicts, Preset, RollingPresetName, Stabilize, menu
from .clip_options import Colorspace, EveryFile, Layer, Rate, Timecode, Transfer


def estimate(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP", help="Movies or image sequences.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder; one subfolder a clip if several.")],
    preset: Annotated[
        str, typer.Option(metavar=menu(Preset), help="Chooses method, model and size.")
    ] = "balanced",
    method: Annotated[
        str | None, typer.Option(help="framewise, temporal or rolling (default: preset's).")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model name, or path of weights (default: preset's).")
    ] = None,
    predicts: Annotated[
        str | None,
        typer.Option(metavar=menu(Predicts), help="What a --model PATH means (default: its family's)."),
    ] = None,
    non_commercial: Annotated[
        bool, typer.Option("--non-commercial", help="Presets may choose non-commercial weights.")
    ] = False,
    size: Annotated[
        int | None, typer.Option(help="Shorter side of the network input, 32 to 4096 pixels.")
    ] = None,
    frames: Annotated[str | None, typer.Option(metavar="A-B", help="Frames A to B, inclusive.")] = None,
    start_frame: Annotated[
        int | None, typer.Option(help="Number of a movie's first frame, 0 to 9999999 (default 1001).")
    ] = None,
    near: Annotated[
        float | None, typer.Option(help="Nearest depth, scene units from 1e-6 to below 1e10 (default 1).")
    ] = None,
    far: Annotated[
        float | None, typer.Option(help="Farthest depth, scene units from 1e-6 to below 1e10 (default 100).")
    ] = None,
    fov: Annotated[
        float | None, typer.Option(help="Horizontal field of view, above 1 and below 175 degrees.")
    ] = None,
    intrinsics: Annotated[Path | None, typer.Option(help="JSON file with fx, fy, cx, cy, pixels.")] = None,
    rolling_preset: Annotated[
        str, typer.Option(metavar=menu(RollingPresetName), help="How thorough --method rolling is.")
    ] = "fast",
    rolling_steps: Annotated[
        int, typer.Option(help="Denoising steps of a snippet, 1 to 50, for --method rolling.")
    ] = 1,
    rolling_refine_steps: Annotated[
        int | None,
        typer.Option(help="Refinement steps, 0 to 50, for --method rolling (default: its preset's)."),
    ] = None,
    rolling_refine_length: Annotated[
        int, typer.Option(help="Frames a refinement step sees at once, 1 to 24, for --method rolling.")
    ] = 3,
    stabilize: Annotated[
        str, typer.Option(metavar=menu(Stabilize), help="What --method temporal does.")
    ] = "filter",
    normals: Annotated[bool, typer.Option("--normals", help="Also write camera-space normals.")] = False,
    layered: Annotated[bool, typer.Option("--layered", help="One layered EXR instead of several.")] = False,
    compression: Annotated[str, typer.Option(metavar=menu(Compression), help="EXR compression.")] = "zip",
    no_shots: Annotated[
        bool, typer.Option("--no-shots", help="Take the clip as one shot: look for no cuts.")
    ] = False,
    cfr: Annotated[
        str | None, typer.Option(metavar="RATE", help="Resample to a constant rate, up to 1000 fps.")
    ] = None,
    rate: Rate = None,
    timecode: Timecode = None,
    every_file: EveryFile = False,
    layer: Layer = None,
    transfer: Transfer = None,
    colorspace: Colorspace = None,
    device: Annotated[str, typer.Option(metavar=menu(Device), help="Where the network runs.")] = "auto",
    dtype: Annotated[str, typer.Option(metavar=menu(Dtype), help="In which precision.")] = "auto",
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile the network: slow start, faster long clips.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything random, 0 to 4294967295.")] = 0,
    keep_store: Annotated[bool, typer.Option("--keep-store", help="Keep the raw predictions.")] = False,
    part: Annotated[
        str | None,
        typer.Option("--shots", metavar="A-B", help="Do shots A to B only; vdepth finish ends the job."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Do the K-th of N shares of the shots; vdepth finish ends the job."),
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Print one JSON object a line.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a different job in OUT.")] = False,
) -> None:
    """Estimate depth and write EXR sequences."""
    options = {
        name.rstrip("_"): value
        for name, value in locals().items()
        if name not in {"clips", "out", "no_shots", "part", "shard", "events", "overwrite"}
    }
    options["shots"] = not no_shots
    run_clips(clips, out, options, events=events, overwrite=overwrite, shots=part, shard=shard)


def run_clips(
    clips: list[Path],
    out: Path,
    options: dict[str, object],
    *,
    events: bool,
    overwrite: bool,
    shots: str | None = None,
    shard: str | None = None,
) -> None:
    """Runs the jobs with a live display or events on stdout; exits with the first failure's code."""
    from ..jobs.config import EstimateConfig
    from ..jobs.parts import Part
    from .display import ConsoleDisplay, EventLines

    config, part = EstimateConfig.parse(**options), Part.parse(shots, shard)
    from ..jobs.batch import estimate_clips

    with EventLines() if events else ConsoleDisplay() as show:
        results = estimate_clips(
            clips, out, config, on_event=show.on_event, overwrite=overwrite, signals=True, part=part
        )
    failed = [result.error for result in results if result.error is not None]
    if failed:
        raise typer.Exit(failed[0].exit_code)
