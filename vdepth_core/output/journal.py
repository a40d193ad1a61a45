"""The journal of an output folder: each file vdepth wrote there, known by name and content before it appears.

Nothing else in the folder is ever replaced or removed. ``OUT/.vdepth/journal.jsonl`` grows by one JSON line a
file, flushed to disk before the file gets its name; a file whose content is not (or no longer) what a line
says is the user's. Files are made in ``OUT/.vdepth/tmp``, so what a killed process leaves half-written lies
among nobody else's files.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..checksums import Checksums, read_digest
from ..errors import JobConflictError
from ..files import NOFOLLOW, Draft, flush_folder, write_bytes, write_error
from .damage import damaged

WORK = ".vdepth"
LOCK = "lock"
JOURNAL = "journal.jsonl"
_PARTS = "journal.*.jsonl"
JOB = "job.json"
SEEN = "seen.json"
DAMAGED = "damaged"  # folder of what damaged files held that were written again
_HEADER = b'{"vdepth": "journal", "format": 1}\n'
_TEMPORARY = re.compile(r"[0-9a-f]{16}\.tmp")
_INSIDE = re.compile(
    r"(?!\.{0,2}(/|$))[^/\\\0]+(/(?!\.{0,2}(/|$))[^/\\\0]+)*"
)  # a name that leads nowhere else


class FileEntry(BaseModel):
    """What a written file holds: its SHA-256 and its size in bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """Reads a file; symbolic links are not followed.

        Args:
            path: The file.

        Raises:
            OSError: it cannot be read.
        """
        digest, size = read_digest(path, follow=False)
        return cls(sha256=digest, size=size)


@dataclass(frozen=True)
class Fault:
    """A file that is not what it should be.

    Attributes:
        name: The file.
        kind: ``missing``, ``damaged``, or ``unreadable``: it may be whole.
    """

    name: str
    kind: Literal["missing", "damaged", "unreadable"]


def find_fault(out: Path, name: str, entry: FileEntry | None, checksums: Checksums) -> Fault | None:
    """What is wrong with file ``name`` in ``out``, which should hold ``entry``.

    Args:
        out: The job's folder.
        name: Of the file in it.
        entry: What the file should hold; None: whatever it does.
        checksums: Of files read before.
    """
    path = out / name
    if not path.is_file():
        return Fault(name, "missing")
    if entry is None:
        return None
    try:
        whole = path.stat().st_size == entry.size and checksums.of(path) == entry.sha256
    except OSError:
        return Fault(name, "unreadable")
    return None if whole else Fault(name, "damaged")


class Journal:
    """What vdepth wrote into ``out``. Reading it changes nothing; `open` before anything is written.

    Thread-safe. Only who holds the folder's lock may open it, or the locks of some of its shots and then as a
    ``part``: several processes write one job, each into a journal of its own, which the next one to open the
    whole reads too.

    Attributes:
        exists: Whether the folder has a journal.
        job: The job its latest files belong to; None before the first.
    """

    exists: bool
    job: str | None
    _latest: set[str]  # names noted for the job
    _recalled: list[dict[str, Any]]  # lines that are yet to be written
    _length: int  # of the whole lines of the one that is written

    def __init__(self, out: Path, checksums: Checksums | None = None, part: str = "") -> None:
        """Reads the journal.

        Args:
            out: The folder.
            checksums: Of files read before; None: those the folder remembers.
            part: Name of the part of the job that is to be written; empty: the whole.
        """
        self.out, self.work, self._part = out, out / WORK, part
        self._own = self.work / (f"journal.{part}.jsonl" if part else JOURNAL)
        self._temporaries = self.work / (f"tmp.{part}" if part else "tmp")
        self._checksums = checksums or Checksums(self.work / SEEN)
        self._file: int | None = None
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._waiting: list[bytes] = []
        self._asked = self._written = 0
        self.reload()

    def recall(self, job: str, entries: Mapping[str, FileEntry]) -> None:
        """Learns what a journal that was emptied or damaged does not say any more; `open` writes it down.

        Args:
            job: The finished job.
            entries: Its files.
        """
        lost = {name: entry for name, entry in entries.items() if entry not in self._entries.get(name, ())}
        if not self.exists or not lost:
            return
        for name, entry in lost.items():
            self._entries.setdefault(name, []).insert(0, entry)
        if self.job is None:
            self.job = job
            self._recalled.append({"job": job})
        if self.job == job:
            self._latest |= lost.keys()
            self._recalled += [{"name": name, **entry.model_dump()} for name, entry in sorted(lost.items())]

    @property
    def forgot(self) -> bool:
        """Whether it was told by `recall` of something that it should know itself."""
        return bool(self._recalled)

    @property
    def names(self) -> list[str]:
        """Names of all files it knows, sorted; they need not be there any more."""
        return sorted(self._entries)

    def owned(self, name: str) -> FileEntry | None:
        """What file ``name`` holds, if it is there and as vdepth wrote it; None: it is not ours.

        Args:
            name: Of a file in the folder.
        """
        entries = self._entries.get(name)
        path = self.out / name
        try:
            facts = path.lstat()
            if not entries or not stat.S_ISREG(facts.st_mode):
                return None
            if facts.st_size not in {entry.size for entry in entries}:
                return None
            content = FileEntry(sha256=self._checksums.of(path), size=facts.st_size)
        except OSError:
            return None
        return content if content in entries else None

    def expected(self) -> list[str]:
        """Names of the files of `job` that should be there, sorted.

        A process killed between noting a file and giving it its name leaves it among the unfinished ones.
        """
        half = {FileEntry.of(left) for left in self._unnamed(self.work.glob("tmp*"))}
        return sorted(
            name
            for name in self._latest
            if os.path.lexists(self.out / name) or not half & set(self._entries.get(name, ()))
        )

    def damaged(self, name: str) -> bool:
        """Whether a file (see `owned`) is one that vdepth wrote and that was spoiled since; see `damaged`."""
        path, entries = self.out / name, self._entries.get(name)
        if not entries or path.is_symlink() or not path.is_file() or self.owned(name) is not None:
            return False
        return damaged(path, {entry.size for entry in entries})

    def ours(self, name: str) -> bool:
        """Whether a file may be replaced: vdepth wrote it, and nobody's work is in it; see `owned`."""
        return self.owned(name) is not None or self.damaged(name)

    def open(self, *, shared: bool = False) -> None:
        """Makes or continues the journal, drops a torn last line and what a killed process left half-made.

        Args:
            shared: Others may be at work on parts: what they have half-made stays.

        Raises:
            ResourceError: the folder cannot be written.
        """
        path = self._own
        try:
            self._temporaries.mkdir(exist_ok=True)
            for left in self._unnamed(
                [self._temporaries] if self._part or shared else self.work.glob("tmp*")
            ):
                left.unlink()
            flags = os.O_RDWR | os.O_CREAT | NOFOLLOW | getattr(os, "O_BINARY", 0)
            self._file = os.open(path, flags, 0o666)
            os.ftruncate(self._file, self._length)
            os.lseek(self._file, 0, os.SEEK_END)
            if not self._length:
                self._put([_HEADER] + ([_line({"job": self.job})] if self._part else []))
                flush_folder(self.work)
            if self._recalled and not self._part:
                self._put([_line(facts) for facts in self._recalled])
                self._recalled = []
        except OSError as error:
            raise write_error(path, error) from error
        self.exists = True

    def close(self) -> None:
        """Closes the file; harmless when it is not open."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def begin(self, job: str) -> None:
        """Notes that files written from now on belong to ``job``.

        Args:
            job: Its identity, 16 hex digits.
        """
        self._append({"job": job})
        self._latest = self._latest if job == self.job else set()
        self.job = job

    def place(self, path: Path) -> Draft:
        """A draft of the file ``path`` of this folder, noted before it takes its place.

        Args:
            path: In the folder itself, not below it.

        Raises:
            ResourceError: the disk is full or the folder cannot be written.
            JobConflictError: on commit, when a file that vdepth did not write stands there.
        """
        return _Noted(self, path)

    def temporary(self) -> Path:
        """A new name for an unfinished file, on the folder's own disk."""
        return self._temporaries / f"{secrets.token_hex(8)}.tmp"

    def note(self, name: str, entry: FileEntry) -> None:
        """Writes down, on disk, that file ``name`` is going to hold ``entry``.

        Args:
            name: Of a file in the folder.
            entry: Its content.
        """
        with self._lock:
            self._entries.setdefault(name, []).append(entry)
            self._latest.add(name)
        self._append({"name": name, **entry.model_dump()})

    def install(self, temporary: Path, path: Path) -> None:
        """Gives a noted file its name.

        Args:
            temporary: The finished file, on the same disk.
            path: Its place in the folder.

        Raises:
            JobConflictError: a file that vdepth did not write stands there.
            OSError: the folder cannot be written.
        """
        name = path.relative_to(self.out).as_posix()
        if self.owned(name) is not None:
            os.replace(temporary, path)
        elif self.damaged(name):
            self._keep(path)
            os.replace(temporary, path)
        else:
            _rename_beside(temporary, path)

    def learn(self, path: Path, entry: FileEntry) -> None:
        """Remembers what a file that was just installed holds: giving it its name made it look changed.

        Args:
            path: The file.
            entry: Its content.
        """
        self._checksums.learn(path, entry.sha256)

    def remove(self, name: str) -> None:
        """Removes a file if it is ours; see `owned`.

        Raises:
            ResourceError: it cannot be removed.
        """
        if self.owned(name) is not None:
            try:
                (self.out / name).unlink()
            except OSError as error:
                raise write_error(self.out / name, error) from error

    def conclude(self, names: Iterable[str]) -> None:
        """Forgets everything but the files ``names`` as they are now, and closes the journal.

        Args:
            names: Of files in the folder; those that are not ours are left out.

        Raises:
            ResourceError: the disk is full.
        """
        self.close()
        flush_folder(self.out)
        lines = [_HEADER] + ([_line({"job": self.job})] if self.job is not None else [])
        for name in sorted(names):
            entry = self.owned(name)
            if entry is not None:
                lines.append(_line({"name": name, **entry.model_dump()}))
        write_bytes(self.work / JOURNAL, b"".join(lines), lambda path: Draft(path, self.temporary()))
        for path in self.work.glob(_PARTS):  # all of it stands in the whole now
            path.unlink(missing_ok=True)
        for folder in self.work.glob("tmp.*"):
            with suppress(OSError):  # somebody else's are not empty
                folder.rmdir()

    def _unnamed(self, folders: Iterable[Path]) -> list[Path]:
        found = [left for folder in folders if folder.is_dir() for left in folder.iterdir()]
        return [left for left in found if _TEMPORARY.fullmatch(left.name) and left.is_file()]

    def reload(self) -> None:
        """Reads the journal again; what the folder's files were found to hold is not forgotten."""
        self.exists, self.job = False, None
        self._entries: dict[str, list[FileEntry]] = {}  # oldest first: a replaced file may still stand there
        self._latest = set()
        self._recalled = []
        self._length = 0
        whole = self.work / JOURNAL
        self._read(whole)
        for path in sorted(self.work.glob(_PARTS)) if self.exists else ():
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | NOFOLLOW | getattr(os, "O_BINARY", 0)), "rb") as file:
                data = file.read()
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        if not whole.startswith(_HEADER):
            # A process killed while it made the journal leaves a beginning of the header, or nothing.
            self.exists = self.exists or _HEADER.startswith(data)
            return
        self.exists = True
        if path == self._own:
            self._length = len(whole)
        for line in whole.splitlines()[1:]:
            self._learn(line)

    def _learn(self, line: bytes) -> None:
        with suppress(ValueError, RecursionError):  # a damaged line says nothing: its file is not ours
            facts = json.loads(line)
            if not isinstance(facts, dict):
                return
            name, job = facts.get("name"), facts.get("job")
            if isinstance(job, str):
                self._latest = self._latest if job == self.job else set()
                self.job = job
            elif isinstance(name, str) and _INSIDE.fullmatch(name):
                self._entries.setdefault(name, []).append(FileEntry.model_validate(facts))
                self._latest.add(name)

    def _keep(self, path: Path) -> None:
        """Keeps what a damaged file holds under another name, should it be somebody's work after all."""
        folder = self.work / DAMAGED
        folder.mkdir(exist_ok=True)
        kept = folder / f"{self._checksums.of(path)[:12]}.{path.name}"
        if not path.stat().st_size or os.path.lexists(kept):
            return
        try:
            os.link(path, kept, follow_symlinks=False)
        except (OSError, NotImplementedError):  # a disk without hard links
            shutil.copy2(path, kept)

    def _append(self, facts: dict[str, Any]) -> None:
        """Writes a line and flushes it; lines of several threads share one flush."""
        with self._lock:
            self._waiting.append(_line(facts))
            self._asked += 1
            mine = self._asked
        with self._writing:
            if self._written >= mine:  # another thread took it along
                return
            with self._lock:
                lines, self._waiting, upto = self._waiting, [], self._asked
            try:
                self._put(lines)
            except OSError as error:
                with self._lock:
                    self._waiting[:0] = lines  # the others try themselves and get their own error
                raise write_error(self._own, error) from error
            self._written = upto

    def _put(self, lines: list[bytes]) -> None:
        assert self._file is not None, "open the journal first"
        data = memoryview(b"".join(lines))
        try:
            rest = data
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._length)
                os.lseek(self._file, 0, os.SEEK_END)
            raise
        self._length += len(data)


class _Noted(Draft):
    """A draft that enters its content into the journal before it takes its place."""

    def __init__(self, journal: Journal, path: Path) -> None:
        assert path.parent == journal.out, f"{path} is not in {journal.out}"
        super().__init__(path, journal.temporary())
        self._journal = journal

    def _take_place(self) -> None:
        entry = FileEntry.of(self.temporary)
        self._journal.note(self.path.name, entry)
        self._journal.install(self.temporary, self.path)
        self._journal.learn(self.path, entry)


def not_ours(paths: Iterable[Path]) -> JobConflictError:
    """The refusal to touch files that vdepth did not write, or that were changed since.

    Args:
        paths: One at least.
    """
    names = [str(path) for path in paths]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    was, it = ("was", "it") if len(names) == 1 else ("were", "them")
    return JobConflictError(
        f"{', '.join(names[:3])}{more} {was} not written by vdepth, or {was} changed since; "
        f"this job would replace {it}.",
        f"Move {it} away, or choose another folder with -o.",
    )


def _rename_beside(temporary: Path, path: Path) -> None:
    """Renames without ever replacing: a file put there in this very moment stays."""
    try:
        os.link(temporary, path, follow_symlinks=False)
    except FileExistsError as error:
        raise not_ours([path]) from error
    except (OSError, NotImplementedError):  # a disk without hard links
        if os.path.lexists(path):
            raise not_ours([path]) from None
        os.rename(temporary, path)
    else:
        os.unlink(temporary)


def _line(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts).encode() + b"\n"
