"""SHA-256 of files, read again only where the file system says that something may have changed."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from .errors import VdepthError
from .files import NOFOLLOW, Place, atomic_path, write_bytes

WHOLE = 512 << 20
"""Bytes; a movie up to this size is read whole. What lies above is sampled: so many bytes of it."""
_SAMPLE = 64 << 10  # bytes a sample; 8192 of them, so 10 GB are looked at every 1.25 MB
_BLOCK = 1 << 20
_COARSE_S = 2.0  # FAT counts time in steps of two seconds, others in whole ones


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content.

    Args:
        path: The file; links are followed.

    Raises:
        OSError: it cannot be read.
    """
    return read_digest(path)[0]


def read_digest(path: Path, *, follow: bool = True) -> tuple[str, int]:
    """SHA-256 of a file's content, and how many bytes that is.

    Args:
        path: The file.
        follow: Whether to follow a symbolic link; else it is refused.

    Raises:
        OSError: it cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | (0 if follow else NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def sampled_sha256(path: Path) -> str:
    """SHA-256 of a file up to `WHOLE` bytes; of its size, its ends and evenly spread samples of a larger one.

    Args:
        path: The file; links are followed.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if size <= WHOLE:
        return sha256_of(path)
    digest = hashlib.sha256(f"{size}\n".encode())
    steps = max(2, WHOLE // _SAMPLE)
    with path.open("rb") as file:
        for step in range(steps):  # the first sample is the file's beginning, the last its end
            file.seek((size - _SAMPLE) * step // (steps - 1))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


class Checksums:
    """Checksums of files, remembered by what the file system says of them; thread-safe.

    Device, file number, size and the times of the last change stand for the content. No name does, so a
    moved file is known. Nobody can set the time of a change of any kind (``ctime``), except on Windows, where
    it is the time of creation. A disk that counts in seconds proves nothing of the last two.
    """

    def __init__(self, memory: Path | None = None, *, keep: int = 0) -> None:
        """Reads what is remembered.

        Args:
            memory: File that `save` writes; missing or damaged, everything is read anew.
            keep: How many files that nobody asked for this time are remembered further.
        """
        self._memory, self._keep = memory, keep
        self._known: dict[str, str] = {}
        self._asked: dict[str, str] = {}
        self._lock = threading.Lock()
        with suppress(OSError, ValueError, RecursionError):
            known = json.loads(memory.read_text(encoding="utf-8")) if memory else {}
            if isinstance(known, dict):
                self._known = {str(key): value for key, value in known.items() if isinstance(value, str)}

    def of(self, path: Path, *, sampled: bool = False) -> str:
        """SHA-256 of a file, or of a large one's samples.

        Args:
            path: The file; links are followed.
            sampled: Whether a large file's samples will do.

        Raises:
            OSError: it cannot be read.
        """
        before = path.stat()
        key = f"{_key(before)}:sampled" if sampled and before.st_size > WHOLE else _key(before)
        with self._lock:
            digest = self._asked.get(key) or self._known.get(key)
        if digest is None:
            began = time.time()
            digest = sampled_sha256(path) if sampled else sha256_of(path)
            if _key(path.stat()) != _key(before) or not _settled(before, began):
                return digest
        with self._lock:
            self._asked[key] = digest
        return digest

    def learn(self, path: Path, digest: str) -> None:
        """Remembers the SHA-256 of a file whose content the caller just wrote, and nobody else could.

        Args:
            path: The file.
            digest: 64 hex digits.
        """
        with suppress(OSError):
            facts = path.stat()
            if _settled(facts, time.time()):
                with self._lock:
                    self._asked[_key(facts)] = digest

    def save(self, place: Place = atomic_path) -> None:
        """Remembers what was asked for; a folder that cannot be written only costs reading again.

        Args:
            place: How the file gets to its place.
        """
        with self._lock:
            asked = dict(self._asked)
        if self._memory is None or asked == self._known:
            return
        if self._keep:
            rest = [key for key in self._known if key not in asked]
            asked = {key: self._known[key] for key in rest[-self._keep :]} | asked
            if asked.keys() == self._known.keys():
                return
        with suppress(VdepthError, OSError):
            write_bytes(self._memory, json.dumps(asked, indent=0).encode(), place)


def _settled(facts: os.stat_result, now: float) -> bool:
    changed = max(facts.st_mtime_ns, facts.st_ctime_ns)
    return changed % 1_000_000_000 != 0 or changed / 1e9 < now - _COARSE_S


def _key(facts: os.stat_result) -> str:
    return f"{facts.st_dev}:{facts.st_ino}:{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}"
