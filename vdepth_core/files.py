"""Files that are either whole or not there: a temporary name in the same folder, fsync, rename."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import ResourceError

_TEMPORARY = re.compile(r"\..+\.\d+-\d+\.tmp")
_HINTS = {
    errno.ENOSPC: "Free some space on the disk, then run the same command again to go on.",
    errno.EDQUOT: "The disk quota is used up: free some space, then run the same command again to go on.",
    errno.EFBIG: "The file system or a limit of the process refuses files of this size.",
    errno.EROFS: "The disk is read-only: choose another output folder.",
    errno.EACCES: "Make the folder writable, or choose another output folder.",
    errno.EPERM: "Make the folder writable, or choose another output folder.",
    errno.ENOENT: "The output folder is gone: create it again, or choose another one.",
    errno.ENOTDIR: "A part of the output path is a file: choose another output folder.",
}


def temporary_beside(path: Path) -> Path:
    """A name for the unfinished ``path``: same folder, and no host takes it for a frame of the sequence."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")


def commit(temporary: Path, path: Path) -> None:
    """Flushes ``temporary`` to disk and lets it take the place of ``path``.

    The rename itself is not flushed: if a crash forgets it, the file is simply not there and will be written
    again.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    try:
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside ``path`` that takes its place on success.

    The temporary file is removed on any failure, so an interrupted write leaves the old file, or none.

    Raises:
        ResourceError: the folder cannot be written or the disk is full.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        commit(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Removes unfinished files of a killed process; only for who has the folder to himself."""
    for path in folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_error(path: Path, error: OSError) -> ResourceError:
    """The sentence and the hint for a failed write of ``path``."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return ResourceError(f"Cannot write {path}: {reason}.", _HINTS.get(error.errno or 0, "Check the disk."))


def write_bytes(path: Path, data: bytes) -> None:
    """Writes ``data`` to ``path`` atomically.

    Raises:
        ResourceError: see `atomic_path`.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def make_folder(path: Path) -> Path:
    """Creates folder ``path`` with its parents and returns it.

    Raises:
        ResourceError: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    return path
