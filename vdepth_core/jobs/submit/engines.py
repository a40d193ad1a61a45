"""The farms there are; adding one is one file and one line."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ...choices import one_of
from ...errors import JobConflictError, UsageError
from ...files import make_folder, write_bytes
from . import flamenco, make, opencue, openjd, slurm
from .chunks import FarmJob


class Engine(NamedTuple):
    """How jobs of one farm are written.

    Attributes:
        files: Name of a file -> what it holds.
        how: How the job in a folder is sent, as a command.
        about: What it is, for the help.
    """

    files: Callable[[FarmJob], dict[str, str]]
    how: Callable[[str], str]
    about: str


ENGINES = {
    "openjd": Engine(openjd.files, openjd.how, "AWS Deadline Cloud"),
    "flamenco": Engine(flamenco.files, flamenco.how, "Flamenco 3"),
    "opencue": Engine(opencue.files, opencue.how, "OpenCue"),
    "slurm": Engine(slurm.files, slurm.how, "Slurm"),
    "make": Engine(make.files, make.how, "make, GNU parallel"),
}


def write_job(engine: str, job: FarmJob, folder: Path) -> tuple[list[Path], str]:
    """Writes a job's files; returns them, and the command that sends it.

    Args:
        engine: One of `ENGINES`.
        job: What to run.
        folder: Made if it is not there.

    Raises:
        UsageError: there is no such engine, or it cannot say a name.
        JobConflictError: other files of these names are there.
        ResourceError: the folder cannot be written.
    """
    if engine not in ENGINES:
        raise UsageError(f"There is no engine {engine}.", one_of(engine, list(ENGINES)))
    texts = {folder / name: text.encode() for name, text in ENGINES[engine].files(job).items()}
    for path, text in texts.items():
        if path.exists() and path.read_bytes() != text:
            raise JobConflictError(
                f"{path} is there and holds something else.", "Move it away, or choose another --into."
            )
    make_folder(folder)
    for path, text in texts.items():
        write_bytes(path, text)
    return list(texts), ENGINES[engine].how(shlex.quote(str(folder)))
