"""Files that are either whole or not there, and folders that are what they seem.

A file is written under a temporary name on the same disk, flushed, and takes its place by a rename.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .errors import InputError, ResourceError

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has no such flag; links there need a privilege
_REPARSE_POINT = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)  # junctions are links, too
_HINTS = {
    errno.ENOSPC: "Free some space on the disk, then run the same command again to go on.",
    errno.EDQUOT: "The disk quota is used up: free some space, then run the same command again to go on.",
    errno.EFBIG: "The file system or a limit of the process refuses files of this size.",
    errno.EROFS: "The disk is read-only: choose another output folder.",
    errno.EACCES: "Make the folder writable, or choose another output folder.",
    errno.EPERM: "Make the folder writable, or choose another output folder.",
    errno.ENOENT: "The output folder is gone: create it again, or choose another one.",
    errno.EEXIST: "A file of that name is there: choose another output folder.",
    errno.ENOTDIR: "A part of the output path is a file: choose another output folder.",
}


class Draft:
    """An unfinished file: written under `temporary`, it takes the place of `path` when it is whole.

    As a context manager it gives the temporary path, commits on success and discards on any failure, so an
    interrupted write leaves the old file, or none.

    Attributes:
        path: The file's name when it is whole.
        temporary: Its name until then; the empty file is there, made by nobody else and no link.
    """

    def __init__(self, path: Path, temporary: Path) -> None:
        """Makes the temporary file.

        Raises:
            ResourceError: the folder cannot be written.
        """
        self.path, self.temporary = path, temporary
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | NOFOLLOW, 0o666))
        except OSError as error:
            raise write_error(path, error) from error

    def commit(self) -> None:
        """Flushes the file to disk and gives it its name.

        The rename itself is not flushed: if a crash forgets it, the file is simply not there and will be
        written again.

        Raises:
            ResourceError: the disk is full or the folder cannot be written.
        """
        try:
            flush(self.temporary)
            self._take_place()
        except OSError as error:
            raise write_error(self.path, error) from error

    def discard(self) -> None:
        """Removes the temporary file; harmless after `commit`."""
        with suppress(OSError):
            self.temporary.unlink(missing_ok=True)

    def _take_place(self) -> None:
        take_place(self.temporary, self.path)

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.commit()
            elif isinstance(error, OSError):
                raise write_error(self.path, error) from error
        finally:
            self.discard()


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text for people, manifests and events: bytes that are no UTF-8 become question marks.

    Args:
        path: As the system has it.
    """
    return os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


Place = Callable[[Path], Draft]
"""How a writer gets a file to its place: `atomic_path`, or a job's journal, which notes it first."""


def atomic_path(path: Path) -> Draft:
    """A draft of ``path`` in the same folder; no host takes its temporary name for a frame of a sequence.

    Args:
        path: The file, replaced if it is there.

    Raises:
        ResourceError: the folder cannot be written or the disk is full.
    """
    return Draft(path, path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp"))


def take_place(temporary: Path, path: Path) -> None:
    """Gives what is finished, a file or a folder, its name, in one step; a file of that name is replaced.

    Args:
        temporary: On the same disk.
        path: Its place.

    Raises:
        OSError: the folder cannot be written, or a folder that is not empty has the name.
    """
    os.replace(temporary, path)


def flush(path: Path) -> None:
    """Forces a file to the disk.

    Args:
        path: The file.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Forces the names in a folder to the disk, where the system can.

    Args:
        folder: The folder.
    """
    if os.name == "nt":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_error(path: Path, error: OSError) -> ResourceError:
    """The sentence and the hint for a failed write of ``path``.

    Args:
        path: What was to be written.
        error: What writing it raised.
    """
    reason = os.strerror(error.errno) if error.errno else str(error)
    return ResourceError(f"Cannot write {path}: {reason}.", _HINTS.get(error.errno or 0, "Check the disk."))


def write_bytes(path: Path, data: bytes, place: Place = atomic_path) -> None:
    """Writes ``data`` to ``path``, whole or not at all.

    Args:
        path: The file, replaced if it is there.
        data: All of its content.
        place: How the file gets to its place.

    Raises:
        ResourceError: see `atomic_path`.
    """
    with place(path) as temporary:
        temporary.write_bytes(data)


def make_folder(path: Path) -> Path:
    """Creates folder ``path`` with its parents and returns it.

    Args:
        path: May be there already.

    Raises:
        ResourceError: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    return path


def require_folder(path: Path) -> None:
    """Refuses a file where a folder is to be made.

    Args:
        path: Need not be there.

    Raises:
        ResourceError: ``path``, or what it would lie in, is there and no folder.
    """
    there = next((part for part in (path, *path.parents) if part.exists()), path)
    if there.exists() and not there.is_dir():
        which = "it" if there == path else there
        raise ResourceError(f"{path} cannot be a folder: {which} is a file.", "Name a folder with -o.")


def require_file(path: Path) -> None:
    """Refuses what is there and no file: a pipe or a device may be waited for without end.

    Args:
        path: Need not be there.

    Raises:
        InputError: it is.
    """
    with suppress(OSError):  # opening it says what is wrong
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "folder" if stat.S_ISDIR(mode) else "pipe or device"
            raise InputError(f"{path} is a {kind}, not a file.", "Give a file.")


def said_by_oiio(source: Any) -> str:
    """Takes the message OpenImageIO, or one of its images, holds: it would be printed on stdout at the end.

    Names out of damaged files need not be text, and then there is no message.

    Args:
        source: The library, or an image of it.
    """
    try:
        return str(source.geterror())
    except UnicodeDecodeError:
        return ""


def plain_files(folder: Path) -> dict[Path, os.stat_result]:
    """All files below a work folder, after making sure that it leads nowhere else.

    What lies behind a link is not ours: a program that empties or writes its work folder must not get there.

    Args:
        folder: Need not be there.

    Raises:
        ResourceError: the folder, or anything in it, is a link, or no plain file or folder.
    """
    try:
        facts = folder.lstat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise write_error(folder, error) from error
    refuse_link(folder, facts)
    if not stat.S_ISDIR(facts.st_mode):
        raise ResourceError(
            f"{folder} is a file, where vdepth keeps a folder of its own.",
            "Move it away, or choose another folder.",
        )
    found: dict[Path, os.stat_result] = {}
    waiting = [folder]
    while waiting:
        try:
            entries = list(_entries(waiting.pop()))
        except OSError as error:
            raise write_error(folder, error) from error
        for path, facts in entries:
            refuse_link(path, facts)
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(path)
            elif stat.S_ISREG(facts.st_mode):
                found[path] = facts
            else:
                raise ResourceError(f"{path} is neither a file nor a folder.", "Move it away.")
    return found


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What lies in a folder, except what whoever works there just now removes meanwhile."""
    with suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            with suppress(FileNotFoundError):
                yield path, path.lstat()


def refuse_link(path: Path, facts: os.stat_result | None = None) -> None:
    """Refuses a link where vdepth works on what is its own; what is not there is none.

    Args:
        path: Need not be there.
        facts: Its ``lstat``, where that is known already.

    Raises:
        ResourceError: ``path`` is a symbolic link, or a junction of Windows.
    """
    if facts is None:
        try:
            facts = path.lstat()
        except OSError:
            return
    if stat.S_ISLNK(facts.st_mode) or getattr(facts, "st_file_attributes", 0) & _REPARSE_POINT:
        raise ResourceError(
            f"{path} is a link; vdepth follows none in a folder of its own work.",
            "Remove the link, or choose another folder.",
        )


def free_space(folder: Path) -> int:
    """Bytes that are free on the disk of ``folder``.

    Args:
        folder: Any on the disk.

    Raises:
        OSError: the folder is not there.
    """
    return shutil.disk_usage(folder).free


def require_space(folder: Path, size: int, what: str, hint: str) -> None:
    """Refuses to begin what cannot fit.

    Args:
        folder: Where it is to be written.
        size: Bytes it needs.
        what: Of it, behind the figure of what is free: ``"this job needs at least"``.
        hint: What to do.

    Raises:
        ResourceError: less than ``size`` bytes are free.
    """
    free = free_space(folder)
    if free < size:
        raise ResourceError(f"{folder} has {free / 1e9:.2f} GB free, and {what} {size / 1e9:.2f} GB.", hint)
