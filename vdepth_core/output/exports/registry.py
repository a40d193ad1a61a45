"""The installed exporters, ours and other packages': entry points of group ``vdepth_core.exporters``."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ...choices import one_of
from ...errors import UsageError
from ...progress import Progress
from ...types import Exporter
from ..conventions import CONVENTIONS
from ..sequence import read_sequence
from .folder import ExportFolder

GROUP = "vdepth_core.exporters"
_LOG = logging.getLogger(__name__)


def exporter_names() -> list[str]:
    """Names of the registered formats, sorted; nothing is imported."""
    return sorted(_entries())


def load_exporter(name: str) -> Exporter:
    """Loads one exporter.

    Raises:
        UsageError: no such format, or its plug-in is broken.
    """
    entries = _entries()
    if name not in entries:
        raise UsageError(f"Unknown export format {name}.", one_of(name, entries))
    try:
        return _load(entries[name])
    except Exception as error:  # a plug-in may fail in any way at all
        raise UsageError(
            f"The export plug-in {name} ({entries[name].value}) is broken: {error}.",
            "Reinstall or remove the package that brings it.",
        ) from error


def load_exporters() -> tuple[dict[str, Exporter], dict[str, str]]:
    """Loads all exporters.

    Returns:
        The working ones by name, and for each broken plug-in what is wrong with it.
    """
    working: dict[str, Exporter] = {}
    broken: dict[str, str] = {}
    for name, entry in sorted(_entries().items()):
        try:
            working[name] = _load(entry)
        except Exception as error:  # see above
            broken[name] = f"{type(error).__name__}: {error}"
            _LOG.warning("export plug-in %s (%s) is broken: %s", name, entry.value, error)
    return working, broken


def export(
    out: str | Path,
    to: str,
    destination: str | Path | None = None,
    convention: str = "z",
    progress: Progress | None = None,
) -> list[Path]:
    """Exports a finished job to another format.

    Args:
        out: Output folder of `estimate`.
        to: Name of the format, see `exporter_names`.
        destination: Folder for the files; default: ``out/export_<format>``.
        convention: What depth means in the files: z, inverse-z, ray or white-near.
        progress: Hears of the work and may stop it.

    Returns:
        The files written.

    Raises:
        UsageError: no such format or convention.
        InputError: the job is not finished, or a frame is missing or damaged.
        JobConflictError: a file that vdepth did not write would be replaced.
        ResourceError: the disk is full or not writable.
    """
    if convention not in CONVENTIONS:
        raise UsageError(f"Unknown depth convention {convention}.", one_of(convention, CONVENTIONS))
    exporter = load_exporter(to)
    sequence = read_sequence(out)
    with ExportFolder(Path(destination) if destination else Path(out) / f"export_{to}") as folder:
        return folder.publish(exporter.export(sequence, folder.stage, convention, progress or Progress()))


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> Exporter:
    exporter = entry.load()()
    if not callable(getattr(exporter, "export", None)):
        raise TypeError(f"{entry.value} has no method export")
    return exporter
