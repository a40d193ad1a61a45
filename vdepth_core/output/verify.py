"""Checks every file of a job, finished or not, against the checksum it was written with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..checksums import Checksums
from ..errors import InputError
from ..progress import Progress
from .journal import WORK, Fault, Journal, find_fault
from .manifest import Manifest, known_journal, read_manifest
from .naming import ADAPTED, manifest_path

STAGE = "verify"


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        out: The folder.
        job: Identity of its job.
        finished: Whether the job was finished.
        files: How many files were looked at.
        faults: Those that are missing or damaged, by name.
    """

    out: Path
    job: str | None
    finished: bool
    files: int
    faults: tuple[Fault, ...]


def verify(out: Path, progress: Progress | None = None) -> Verification:
    """Reads every file of the job in ``out``, whatever is remembered of it.

    Args:
        out: The folder.
        progress: Told of each file; may cancel.

    Raises:
        InputError: there is no job, or it kept no checksums.
        Cancelled: ``progress`` says so.
    """
    progress, checksums = progress or Progress(), Checksums()
    journal = known_journal(out, checksums)
    name = manifest_path(out).name
    manifest, reason = _finished(out, journal)
    if manifest is None:
        names = journal.expected()
        if not journal.exists:
            raise reason

        def look(name: str) -> Fault | None:
            if not (out / name).is_file():
                return Fault(name, "missing")
            return None if journal.owned(name) else Fault(name, "damaged")

        return Verification(out, journal.job, False, len(names), _all(names, look, progress))
    known = manifest
    if not known.files:
        raise InputError(
            f"{out} was written by a version of vdepth that kept no checksums.",
            "Run vdepth estimate with --overwrite to write it anew.",
        )
    faults = _all(known.names, lambda name: find_fault(out, name, known.files.get(name), checksums), progress)
    if known.adapted:
        faults = (*faults, *_weights_fault(out / ADAPTED, known.model.weights_sha256, checksums))
    faults = (*faults, *_manifest_fault(out / name, journal))
    return Verification(out, known.job, True, len(known.names) + 1 + known.adapted, faults)


def _finished(out: Path, journal: Journal) -> tuple[Manifest | None, InputError]:
    """The manifest of a job that is not being replaced by another one, or why there is none."""
    reason = InputError("")
    for path in (manifest_path(out / WORK), manifest_path(out)):  # the second one first: nobody edits it
        try:
            manifest = read_manifest(path)
        except InputError as error:
            reason = error
        else:
            if journal.job in (None, manifest.job):
                return manifest, reason
    return None, reason


def _weights_fault(path: Path, digest: str | None, checksums: Checksums) -> list[Fault]:
    if not path.is_file():
        return [Fault(path.name, "missing")]
    try:
        return [] if checksums.of(path) == digest else [Fault(path.name, "damaged")]
    except OSError:
        return [Fault(path.name, "unreadable")]


def _manifest_fault(path: Path, journal: Journal) -> list[Fault]:
    if not path.is_file():
        return [Fault(path.name, "missing")]
    if journal.exists:
        return [] if journal.owned(path.name) else [Fault(path.name, "damaged")]
    try:
        read_manifest(path)
    except InputError:
        return [Fault(path.name, "damaged")]
    return []


def _all(names: Iterable[str], look: Callable[[str], Fault | None], progress: Progress) -> tuple[Fault, ...]:
    names, faults = sorted(names), []
    progress.stage(STAGE, len(names))
    for name in names:
        with progress.step(STAGE):
            faults.append(look(name))
    return tuple(fault for fault in faults if fault is not None)
