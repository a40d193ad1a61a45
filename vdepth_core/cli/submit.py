"""``vdepth submit``: files that a render farm's own tools take."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from .estimate import EstimateCommand
from .fields import Option, given


class SubmitCommand(EstimateCommand):
    """Takes what ``vdepth estimate`` takes of options."""


def submit(
    context: typer.Context,
    engine: Annotated[
        str, typer.Argument(metavar="[openjd|flamenco|opencue|slurm|make]", help="For which farm.")
    ],
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP", help="Movies or image sequences.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder; one subfolder a clip if several.")],
    into: Annotated[Path, typer.Option("--into", help="Folder for the job's files.")] = Path("vdepth-job"),
    shares: Annotated[
        int, typer.Option(min=1, max=10_000, help="Shares of a clip, a chunk each, 1 to 10000.")
    ] = 1,
    program: Annotated[
        str | None, typer.Option(metavar="PATH", help="vdepth on the farm's machines (default: vdepth).")
    ] = None,
) -> None:
    """Write a job for a render farm; nothing is sent, and no clip is read."""
    from ..jobs.config import EstimateConfig
    from ..jobs.submit.chunks import farm_job
    from ..jobs.submit.engines import write_job

    options = given(context)
    _check_device(options.get("device", ""))
    config = EstimateConfig.parse(**options)
    words = option_words(SubmitCommand(submit.__name__).fields(), options)
    job = farm_job(clips, out, config, words, shares=shares, program=(program,) if program else ())
    paths, how = write_job(engine, job, into)
    for path in paths:
        typer.echo(str(path))
    count = len(job.chunks)
    typer.echo(f"{count} chunk{'s' * (count != 1)}. To send: {how}", err=True)


def _check_device(device: str) -> None:
    """Refuses devices that a task, which gets one GPU of its farm's choice, may not have.

    Raises:
        UsageError: it is one.
    """
    if "," in device:
        raise UsageError(
            f"A farm gives a task its machine, so {device} cannot be shared out on it.",
            "Leave --device away, and --shares N makes the tasks smaller.",
        )
    kind, _, number = device.partition(":")
    if kind == "cuda" and number not in ("", "0"):
        raise UsageError(
            f"A task of a farm gets one GPU, which is cuda:0 there, so it has no {device}.",
            "Leave --device away, or give --device cuda.",
        )


def option_words(options: Iterable[Option], values: Mapping[str, Any]) -> list[str]:
    """Options as they are typed, with paths from the root: chunks run in other folders.

    Args:
        options: All there are.
        values: What the user gave, by name.
    """
    words: list[str] = []
    for option in options:
        if option.name not in values:
            continue
        value = values[option.name]
        if isinstance(value, bool):
            words.append(option.flag if value else f"--no-{option.flag.removeprefix('--')}")
            continue
        if isinstance(value, Path) or (option.name == "model" and os.path.exists(str(value))):
            value = os.path.abspath(os.path.expanduser(value))
        # A value that looks like an option is joined to its own.
        words += [f"{option.flag}={value}"] if str(value).startswith("-") else [option.flag, str(value)]
    return words
