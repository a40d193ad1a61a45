"""The lock file ``weights.lock.json``: which weights are installed, from where, what every file hashes to.

Only what it names can be loaded. It is replaced in one rename, so an installation is either the old one or
the new one, and whoever changes weights holds a lock of their name meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..errors import ResourceError, WeightsError
from ..files import plain_files, refuse_link, write_bytes
from ..progress import Progress
from .catalogue import is_inside

LOCK_FILE = "weights.lock.json"
WORK = ".work"  # below the weights folder: process locks and unfinished installations
_POLL_S = 0.2
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedFile(_Strict):
    """One installed file: what it hashes to, and its size in bytes."""

    sha256: _Sha256
    size: Annotated[int, Field(ge=0)]


class SeenFile(_Strict):
    """What the file system said of an installed file: where it still does, the content was not touched."""

    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> SeenFile:
        """What it says now.

        Args:
            path: The file.

        Raises:
            OSError: nothing.
        """
        facts = path.stat()
        return cls(mtime_ns=facts.st_mtime_ns, inode=facts.st_ino)


class LockedWeights(_Strict):
    """One installed model.

    Attributes:
        source: Repository, address or folder the files came from.
        revision: Commit of the repository; empty for other sources.
        installed: The day, UTC.
        license: The licence then.
        accepted: The day its licence was agreed to; None: no consent was needed.
        folder: Where the files lie, below the weights folder.
        digest: Identifies the weights: SHA-256 over the names and hashes of the files, published or
            converted, without what was computed from them.
        files: Path in ``folder`` -> file.
        original: Published path -> SHA-256 of what was fetched, before conversion.
        seen: Path in ``folder`` -> what the file system said of it; empty in older lock files. Files that
            were copied elsewhere are not what it speaks of.
    """

    source: str
    revision: str
    installed: date
    license: str
    accepted: date | None
    folder: str
    digest: _Sha256
    files: dict[str, LockedFile]
    original: dict[str, _Sha256]
    seen: dict[str, SeenFile] = Field(default_factory=dict)

    def sha256_of(self, name: str, path: Path) -> str | None:
        """SHA-256 of the file ``name``, which is ``path``, without reading it; None: it may have changed.

        Args:
            name: As the lock has it.
            path: Where it lies.

        Raises:
            OSError: it is not there.
        """
        file, seen = self.files.get(name), self.seen.get(name)
        same = file is not None and seen == SeenFile.of(path) and file.size == path.stat().st_size
        return file.sha256 if file is not None and same else None

    @field_validator("folder", "files")
    @classmethod
    def _stays_inside(cls, value: str | dict[str, LockedFile]) -> str | dict[str, LockedFile]:
        for path in [value] if isinstance(value, str) else value:
            if not is_inside(path):
                raise ValueError(f"{path!r} is no relative path")
        return value


class _LockFile(_Strict):
    format: Literal[1] = 1
    weights: dict[str, LockedWeights] = Field(default_factory=dict)


def read_lock(folder: Path) -> Mapping[str, LockedWeights]:
    """What is installed below the weights folder ``folder``, by name; empty when nothing ever was.

    Args:
        folder: The weights folder, which need not exist.

    Raises:
        WeightsError: the lock file is damaged or cannot be read.
    """
    path = folder / LOCK_FILE
    try:
        return _LockFile.model_validate_json(path.read_bytes()).weights
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.", "Make it readable.") from error
    except ValidationError as error:
        first = error.errors()[0]
        what = ": ".join([*(str(part) for part in first["loc"]), first["msg"]])
        raise WeightsError(
            f"{path}, the list of installed weights, is damaged ({what}).",
            "Move it away and install the weights again.",
        ) from error


def write_lock(folder: Path, name: str, weights: LockedWeights | None) -> None:
    """Enters ``weights`` under ``name``, or takes the entry out (None); all other entries stay.

    Args:
        folder: The weights folder.
        name: Of the weights.
        weights: What was installed.

    Raises:
        WeightsError: the lock file is damaged.
        ResourceError: the folder cannot be written.
    """
    with claim(folder, "_lock-file", Progress()):
        entries = {key: value for key, value in read_lock(folder).items() if key != name}
        if weights is not None:
            entries[name] = weights
        content = _LockFile(weights=dict(sorted(entries.items()))).model_dump_json(indent=1)
        write_bytes(folder / LOCK_FILE, f"{content}\n".encode())


@contextmanager
def claim(folder: Path, name: str, progress: Progress) -> Iterator[None]:
    """Holds the right to change the weights ``name``; waits, and says so, while another process has it.

    Args:
        folder: The weights folder.
        name: Of the weights.
        progress: Told when it waits; may cancel.

    Raises:
        ResourceError: the weights folder cannot be made or written, or what would be changed lies behind a
            link.
        Cancelled: ``progress`` asked to stop while waiting.
    """
    if folder.is_dir() or not os.path.lexists(folder):  # else making it says what is wrong
        plain_files(folder / WORK)
        refuse_link(folder / name)
    try:
        (folder / WORK).mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / WORK / f"{name}.lock")
        try:
            lock.acquire(timeout=_POLL_S)
        except Timeout:
            progress.warn(f"Another process is installing {name}; waiting for it.")
            _wait_for(lock, progress)
    except (OSError, NotImplementedError) as error:
        raise ResourceError(
            f"The weights folder {folder} cannot be written: {error}.",
            "Set VDEPTH_WEIGHTS to a folder you may write to.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _wait_for(lock: FileLock, progress: Progress) -> None:
    while True:
        progress.check()
        with suppress(Timeout):
            lock.acquire(timeout=_POLL_S)
            return
