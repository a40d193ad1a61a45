"""``vdepth estimate``: clips in, depth EXR sequences out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from .fields import FieldsCommand, Option, given, options_of


class EstimateCommand(FieldsCommand):
    """Takes what `EstimateConfig` takes."""

    def fields(self) -> Iterable[Option]:
        """A job's, a clip's, then those of each method and refiner."""
        from ..clip.options import ClipOptions
        from ..jobs.config import JobOptions
        from ..methods.registry import METHODS
        from ..refiners.registry import REFINERS

        job = JobOptions.model_fields
        of_clip = ClipOptions.model_fields
        yield from (Option(name, field) for name, field in job.items() if name not in of_clip)
        yield from (Option(name, field, "Reading the clip") for name, field in of_clip.items())
        for seam in (METHODS, REFINERS):
            yield from options_of(seam, taken=job)


def estimate(
    context: typer.Context,
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP", help="Movies or image sequences.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder; one subfolder a clip if several.")],
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
    run_clips(clips, out, given(context), events=events, overwrite=overwrite, shots=part, shard=shard)


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
    """Runs the jobs with a live display or events on stdout; exits with the first failure's code.

    Args:
        clips: As the user named them.
        out: Output folder.
        options: Fields of `EstimateConfig` that the user gave.
        events: Whether to print events, not a display.
        overwrite: Whether a different job in the folder gives way.
        shots, shard: As of `Part.parse`.
    """
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
