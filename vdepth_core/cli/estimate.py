"""``vdepth estimate``: clips in, depth EXR sequences out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from .fields import FieldsCommand, Option, given, options_of

if TYPE_CHECKING:
    from ..jobs.fleet.crew import Crew
    from ..jobs.fleet.tasks import Setup

_ADDRESS = re.compile(r"auto|local|ray://.+|[\w.\-]+:\d+")


class EstimateCommand(FieldsCommand):
    """Takes what `EstimateConfig` takes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """``--ray`` gets its value where the next word is no address.

        Args:
            ctx: Click's.
            args: The words behind the verb.
        """
        words: list[str] = []
        for word, following in pairwise([*args, ""]):
            words.append(word)
            if word == "--ray" and "--" not in words and not _ADDRESS.fullmatch(following):
                words.append("local")
        return super().parse_args(ctx, words)

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
        typer.Option(metavar="K/N", help="Do the K-th of N shares of the clip; vdepth finish ends the job."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="[ADDRESS]", help="On a Ray cluster (alone: RAY_ADDRESS, or this machine)."),
    ] = None,
    ray_workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Workers of the cluster, at least 1 (default: all)."),
    ] = None,
    ray_gpus: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="N", help="GPUs a worker, 0.5 is half of one (default 1 where there are any)."
        ),
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Print one JSON object a line.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a different job in OUT.")] = False,
) -> None:
    """Estimate depth and write EXR sequences."""
    cluster = None if ray is None else {"address": ray, "workers": ray_workers, "gpus": ray_gpus}
    if cluster is None and (ray_workers, ray_gpus) != (None, None):
        raise UsageError("--ray-workers and --ray-gpus are for a cluster.", "Give --ray, too.")
    options = given(context)
    run_clips(
        clips, out, options, events=events, overwrite=overwrite, shots=part, shard=shard, cluster=cluster
    )


def run_clips(
    clips: list[Path],
    out: Path,
    options: dict[str, object],
    *,
    events: bool,
    overwrite: bool,
    shots: str | None = None,
    shard: str | None = None,
    cluster: dict[str, Any] | None = None,
) -> None:
    """Runs the jobs with a live display or events on stdout; exits with the first failure's code.

    Args:
        clips: As the user named them.
        out: Output folder.
        options: Fields of `EstimateConfig` that the user gave.
        events: Whether to print events, not a display.
        overwrite: Whether a different job in the folder gives way.
        shots, shard: As of `Part.parse`.
        cluster: What `RayCrew` is made of; None: no cluster.
    """
    from ..jobs.config import EstimateConfig
    from ..jobs.parts import Part
    from .display import ConsoleDisplay, EventLines

    devices = _devices(options)
    config, part = EstimateConfig.parse(**options), Part.parse(shots, shard)
    from ..jobs.batch import estimate_clips

    with EventLines() if events else ConsoleDisplay() as show:
        if cluster is None and len(devices) < 2:
            results = estimate_clips(
                clips, out, config, on_event=show.on_event, overwrite=overwrite, signals=True, part=part
            )
        else:
            from ..jobs.fleet.run import Fleet, whole_jobs_only

            whole_jobs_only(part)
            fleet = Fleet(clips, out, config, show.on_event)
            crew = _crew(fleet.setup, devices, cluster)
            results = fleet.run(crew, overwrite=overwrite, signals=True)
    failed = [result.error for result in results if result.error is not None]
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _devices(options: dict[str, object]) -> list[str]:
    """Takes several devices, ``cuda:0,cuda:1``, out of the options of a job, which get the first."""
    devices = str(options.get("device", "")).split(",")
    if len(devices) > 1:
        from ..models.device import pick_device

        for device in devices:
            pick_device(device)
        options["device"] = devices[0]
    return devices


def _crew(setup: Setup, devices: list[str], cluster: dict[str, Any] | None) -> Crew:
    """Who does it: actors of a cluster, or a process a device.

    Raises:
        UsageError: both were asked for.
    """
    from ..jobs.cluster import RayCrew
    from ..jobs.devices import DeviceCrew

    if cluster is None:
        return DeviceCrew(devices, setup)
    if len(devices) > 1:
        raise UsageError("--ray gives devices out itself.", "Leave --device away, or name one kind.")
    return RayCrew(setup=setup, **cluster)
