"""A finished job to another format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...options import flag, user_names
from ...plugins import answering
from ...progress import Progress
from ..sequence import read_sequence
from .folder import ExportFolder
from .registry import EXPORTERS


def export(
    out: str | Path,
    to: str,
    destination: str | Path | None = None,
    convention: str | None = None,
    progress: Progress | None = None,
    clip: str | Path | None = None,
    **options: Any,
) -> list[Path]:
    """Exports a finished job to another format.

    Args:
        out: Output folder of `estimate`.
        to: Name of the format; ``vdepth models`` lists them.
        destination: Folder for the files; default: ``out/export_<format>``.
        convention: What depth means in the files: z, inverse-z, ray or white-near; default: the format's.
        progress: Hears of the work and may stop it.
        clip: Where the job's clip is now; None: where it was, or as far from the folder as it was.
        options: Others of the format, named as ``vdepth export --help`` has them, with underscores.

    Returns:
        The files written.

    Raises:
        UsageError: no such format, or an option it does not take.
        InputError: the job is not finished, or a frame is missing or damaged.
        JobConflictError: a file that vdepth did not write would be replaced.
        ResourceError: the disk is full or not writable.
        PluginError: the format is another package's, which failed.

    Examples:
        >>> import vdepth_core
        >>> [file.name for file in vdepth_core.export("depth/", "npz", convention="inverse-z")]
        ['shot_inverse-z.npz']
    """
    given = {**options, **({} if convention is None else {"convention": convention})}
    known = user_names(to, EXPORTERS.options_of(to))
    for name in given:
        if name not in known:
            raise UsageError(
                f"{flag(name)} makes no difference to the format {to}.",
                f"It takes {', '.join(map(flag, known)) or 'no options'}.",
            )
    exporter = EXPORTERS.create(to, EXPORTERS.read(to, given))
    sequence = read_sequence(out, clip)
    with ExportFolder(Path(destination) if destination else Path(out) / f"export_{to}") as folder:
        with answering(EXPORTERS.plugin(to)):
            files = exporter.export(sequence, folder.stage, progress or Progress())
            _check_files(files, folder.stage)
        return folder.publish(files)


def _check_files(files: Iterable[object], stage: Path) -> None:
    for file in files:
        if not isinstance(file, Path) or stage not in file.parents or not file.is_file():
            raise ValueError(f"export gave {file!r}, which is no file of its folder")
