"""The unfinished download: ``<target>.part`` with the bytes so far, hashed as they come.

Beside it ``<target>.part.json`` says where the bytes are from and which version of the file they belong to
(its ETag or Last-Modified), so that a later run goes on with the same file or starts over. The target itself
appears in one rename, when everything is there and checked.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ...errors import ResourceError
from ...files import take_place
from ...progress import Progress

_CHUNK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class PartialFile:
    """Context manager over the unfinished file of ``target``; one process at a time may have it open.

    Attributes:
        size: Bytes so far.
        most: The largest ``size`` there ever was; it does not fall when the file is started over.
        validator: What the server calls this version of the file, for ``If-Range``; None: it gave no name.
        known: The whole file's hash is known, so a wrong byte shows in the end, and no validator is needed.
    """

    def __init__(self, target: Path, url: str, known: bool) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self.notes = target.with_name(f"{target.name}.part.json")
        self.size = self.most = 0
        self.validator: str | None = None
        self.known = known
        self._digest = hashlib.sha256()
        self._source = hashlib.sha256(url.encode()).hexdigest()  # the address itself may hold a secret
        self._file: BinaryIO

    def __enter__(self) -> Self:
        with self._writing():
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        with suppress(OSError):
            if self.path.stat().st_size == 0:
                self._forget(self.path, self.notes)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, as 64 hex digits."""
        return self._digest.hexdigest()

    @property
    def resumable(self) -> bool:
        """More bytes of the same file can be told from those of another one."""
        return self.known or self.validator is not None

    def recall(self, progress: Progress, size: int | None) -> None:
        """Takes up what an earlier run left, or empties it where that cannot be the same file.

        Args:
            progress: Asked for cancellation while the bytes are hashed.
            size: The whole file's size, where it is known.
        """
        notes: object = None
        with suppress(OSError, ValueError):
            notes = json.loads(self.notes.read_text(encoding="utf-8"))
        if isinstance(notes, dict) and notes.get("source") == self._source:
            validator = notes.get("validator")
            self.validator = validator if isinstance(validator, str) else None
        else:
            self.restart()
        with self._writing():
            left = os.fstat(self._file.fileno()).st_size
            if not self.resumable or (size is not None and left > size):
                self.restart()
            self._file.seek(0)
            while chunk := self._file.read(_CHUNK):
                progress.check()
                self._count(chunk)

    def restart(self) -> None:
        """Forgets all bytes."""
        with self._writing():
            self._file.truncate(0)
        self.size, self.validator, self._digest = 0, None, hashlib.sha256()

    def name(self, validator: str | None) -> None:
        """Notes which version of the file the bytes to come belong to.

        Args:
            validator: ETag or date by which the server knows the version; None: it named none.
        """
        self.validator = validator
        with self._writing():
            notes = json.dumps({"source": self._source, "validator": validator})
            self.notes.write_text(notes, encoding="utf-8")

    def append(self, chunk: bytes) -> None:
        """Adds bytes at the end.

        Args:
            chunk: What arrived.

        Raises:
            ResourceError: the disk is full; the bytes so far stay for the next run.
        """
        with self._writing():
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._count(chunk)

    def finish(self) -> None:
        """Flushes the bytes to disk and gives them the target's name."""
        with self._writing():
            os.fsync(self._file.fileno())
            self._file.close()  # before the rename: Windows renames no open file
            take_place(self.path, self.target)
        self._forget(self.notes)

    def discard(self) -> None:
        """Removes the unfinished file."""
        self._file.close()
        self._forget(self.path, self.notes)

    def _count(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size += len(chunk)
        self.most = max(self.most, self.size)

    @staticmethod
    def _forget(*paths: Path) -> None:
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._write_error(error) from error

    def _write_error(self, error: OSError) -> ResourceError:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno in _FULL:
            kept = f"it goes on after the {self.size / 1e6:.1f} MB kept in {self.path.name}"
            hint = f"Free some space and run the same command again: {kept}."
        else:
            hint = "Make the folder writable, or choose another one."
        return ResourceError(f"{self.target} cannot be written: {reason}.", hint)
