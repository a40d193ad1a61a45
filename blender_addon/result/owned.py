# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a job's folder may be deleted: those the core wrote, while they are as it wrote them.

The core notes each file it writes in its `journal`, and in the manifest under ``files``. What neither knows,
what was changed since, and what only a link leads to is the user's. No bpy in here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .journal import JOURNAL, MOST, WORK, Entry, read_entry, read_journal
from .manifest import ResultError

_NAMES = re.compile(
    r"[^/\\]+_(depth|disparity|confidence|normal|layers|sky)\.-?\d{1,10}\.exr|preview\.(mp4|png)|report\.html"
)
_KEPT = "damaged"  # in the work folder: what the core set aside, which may be the user's


@dataclass(frozen=True)
class Owned:
    """The files of a finished job.

    Attributes:
        files: The core's own, the manifest last, so that a failure in between can be tried again.
        changed: Of names the core wrote, but no longer as it wrote them: they stay.
    """

    files: list[Path]
    changed: list[Path]


def owned_files(manifest: Path, tell: Callable[[int, int], object] = lambda done, total: None) -> Owned:
    """Looks at every file that the manifest or the journal beside it names.

    Args:
        manifest: The job's manifest.
        tell: Called with the files looked at and their number.

    Raises:
        ResultError: the manifest is gone or damaged, or it notes no files.
    """
    folder = manifest.parent
    try:
        data = json.loads(manifest.read_text(encoding="utf-8"))
        noted = {str(name): [read_entry(entry)] for name, entry in (data.get("files") or {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultError(f"{manifest} cannot be read ({error}): delete its folder by hand.") from error
    if not noted:
        raise ResultError(f"{manifest} does not say what vdepth wrote: delete its folder by hand.")
    journal = read_journal(folder)
    own = [entry for name, entry in journal if name == manifest.name]
    for name, entry in journal:
        noted.setdefault(name, []).append(entry)
    if len(noted) > MOST:
        raise ResultError(f"{manifest} names {len(noted)} files, which is no job: delete its folder by hand.")
    files: list[Path] = []
    changed: list[Path] = []
    for looked, name in enumerate(sorted(noted)):
        tell(looked, len(noted))
        if not _NAMES.fullmatch(name):
            continue
        path = folder / name
        if os.path.lexists(path):
            (files if _as_written(path, noted[name]) else changed).append(path)
    if not own or _as_written(manifest, own):
        files.append(manifest)
    else:
        changed.append(manifest)
    return Owned(files, changed)


def delete(owned: Owned, folder: Path) -> None:
    """Deletes the core's files, its notes on the job, and the folder if nothing else is in it.

    Raises:
        OSError: a file cannot be deleted; those before it are gone.
    """
    for path in owned.files:
        path.unlink()
    work = folder / WORK
    if not owned.changed and _is_plain_tree(work):
        shutil.rmtree(work, ignore_errors=True)
    with suppress(OSError):  # the user's own files are in it
        folder.rmdir()


def _as_written(path: Path, entries: list[Entry]) -> bool:
    """Whether a file is a plain one with the content that was noted."""
    try:
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size not in {size for _, size in entries}:
            return False
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return False
    return (digest, facts.st_size) in entries


def _is_plain_tree(work: Path) -> bool:
    """Whether a work folder is the core's own, without links, and holds nothing that was set aside."""
    if work.is_symlink() or not (work / JOURNAL).is_file():
        return False
    for folder, folders, files in os.walk(work):
        if any(Path(folder, name).is_symlink() for name in (*folders, *files)):
            return False
    kept = work / _KEPT
    return not (kept.is_dir() and any(kept.iterdir()))
