"""The job folder: who works in it, what it was made for, and what may be replaced or removed in it.

``OUT`` holds the frames, ``manifest.json``, ``preview.mp4`` and ``report.html``; ``OUT/.vdepth`` holds the
lock, the journal of every file written, the configuration (``job.json``), the scan and the prediction stores,
everything a killed job needs to go on. What the journal does not know is the user's, and stays.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import JobConflictError, ResourceError
from ..files import Draft, plain_files, write_bytes, write_error
from ..output.journal import WORK, Journal, not_ours
from ..output.naming import JobNames
from ..store import remove_store

_LOCK, _JOB, _SCAN = "lock", "job.json", "scan.json"
_READERS = min(4, os.cpu_count() or 1)  # threads; hashing releases the interpreter
_STORE = re.compile(r"shot_\d{4,}")


class JobFolder:
    """One clip's output folder, locked while open.

    Use as a context manager.

    Attributes:
        journal: What vdepth wrote into the folder.
    """

    def __init__(self, out: Path, names: JobNames, sources: Sequence[Path]) -> None:
        """Looks whether the job can do its work without touching what is not its own, then locks the folder.

        Args:
            out: The folder; made if it is not there.
            names: The names of the files that the job is going to write.
            sources: The files of the clip, and of others that it must not write beside.

        Raises:
            JobConflictError: another process works in it; it holds the clip; or something stands there under
                one of the job's names that vdepth did not write.
            ResourceError: the folder cannot be made or written, or its work folder holds links.
        """
        self.out, self.work = out, out / WORK
        self.journal = Journal(out)
        self._survey(names, sources)
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.work / _LOCK)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise JobConflictError(
                f"Another vdepth process is working in {out}.",
                "Wait for it, or choose another folder with -o.",
            ) from error
        except OSError as error:
            raise ResourceError(
                f"The output folder {out} cannot be written ({error.strerror or error}).",
                "Choose a folder you may write to with -o.",
            ) from error
        try:
            self.journal.reload()  # another process may have finished meanwhile
            self._survey(names, sources)
            self.journal.open()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> JobFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()
        self._lock.release()

    def claim(self, job: str, facts: dict[str, Any], *, overwrite: bool) -> bool:
        """Makes the folder this job's own; returns True when it resumes an earlier run of the same job.

        With ``overwrite`` another job's files stay until this one replaces them, one by one; a job that has
        neither predicted nor written anything yet gives way without being asked.

        Raises:
            JobConflictError: it belongs to another configuration and ``overwrite`` is off.
        """
        before = self.load(_JOB)
        before = before if isinstance(before, dict) else {}
        known = before.get("job", self.journal.job)
        if known == job:
            if self.journal.job != job:
                self.journal.begin(job)
            if not before:
                self.save(_JOB, {"job": job, **facts})
            return True
        if not overwrite and self._has_work():
            changed = _differences(before.get("config"), facts.get("config")) or ["the clip or the weights"]
            raise JobConflictError(
                f"{self.out} holds a job with another configuration ({', '.join(changed)} differ).",
                "Use --overwrite to replace it, or another folder with -o.",
            )
        self.drop_stores()
        (self.work / _SCAN).unlink(missing_ok=True)
        self.journal.begin(job)
        self.save(_JOB, {"job": job, **facts})
        return False

    def place(self, path: Path) -> Draft:
        """A draft of a file of the job; see `Journal.place`."""
        return self.journal.place(path)

    def retire(self, keep: Iterable[str]) -> None:
        """Removes the files of former jobs except those named ``keep``, where they are still as written.

        Raises:
            ResourceError: one cannot be removed.
        """
        kept = set(keep)
        for name in self.journal.names:
            if name not in kept:
                self.journal.remove(name)

    def conclude(self, names: Iterable[str]) -> None:
        """The job is done, its files are ``names``; nothing can be written any more."""
        self.journal.conclude(names)

    def load(self, name: str) -> Any:
        """Reads a JSON file of the work folder; None when it is missing or damaged."""
        try:
            return json.loads((self.work / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def save(self, name: str, value: Any) -> None:
        """Writes a JSON file of the work folder atomically."""
        content = json.dumps(value, indent=1).encode()
        write_bytes(self.work / name, content, lambda path: Draft(path, self.journal.temporary()))

    def store(self, shot: int) -> Path:
        """Folder of a shot's prediction store."""
        return self.work / f"shot_{shot:04d}"

    def drop_stores(self) -> None:
        """Deletes the prediction stores of a finished job.

        Raises:
            ResourceError: one cannot be removed.
        """
        for path in self._stores():
            try:
                remove_store(path)
            except OSError as error:
                raise write_error(path, error) from error

    def need(self, size: int) -> None:
        """Refuses to start what cannot fit.

        Raises:
            ResourceError: less than ``size`` bytes are free.
        """
        free = shutil.disk_usage(self.out).free
        if free < size:
            raise ResourceError(
                f"{self.out} has {free / 1e9:.1f} GB free, and this job needs at least {size / 1e9:.1f} GB.",
                "Free some space, choose a shorter range with --frames, or another disk with -o.",
            )

    def _survey(self, names: JobNames, sources: Sequence[Path]) -> None:
        """Refuses a folder in which the job would touch what vdepth did not write; changes nothing."""
        if not self.out.is_dir():
            return  # making it says what is wrong
        places = {place: source for source in sources for place in _folders_of(source)}
        for place, source in places.items():
            if _same_folder(place, self.out):
                raise JobConflictError(
                    f"{self.out} holds the clip itself ({source.name}); depth never goes beside it.",
                    "Choose another folder with -o.",
                )
        self._check_work()
        try:
            present = os.listdir(self.out)
        except OSError as error:
            raise write_error(self.out, error) from error
        wanted = [name for name in names.among(present) if os.path.lexists(self.out / name)]
        with ThreadPoolExecutor(_READERS) as pool:  # a finished job may hold a hundred gigabytes
            owned = list(pool.map(self.journal.owned, wanted))
        foreign = [self.out / name for name, entry in zip(wanted, owned, strict=True) if entry is None]
        if foreign:
            raise not_ours(foreign)

    def _check_work(self) -> None:
        """Refuses a work folder that is somebody else's, or leads out of itself."""
        files = plain_files(self.work)
        strangers = [path for path, facts in files.items() if path != self.work / _LOCK or facts.st_size]
        if strangers and not self.journal.exists:
            raise JobConflictError(
                f"{self.work} holds {strangers[0].name} and no journal: vdepth did not make it.",
                "Move it away, or choose another folder with -o.",
            )
        for path, facts in files.items():
            # A second name of a file is somebody's, and would change with it; drafts get a new name so.
            if facts.st_nlink > 1 and path.parent.name != "tmp":
                raise ResourceError(
                    f"{path} has another name elsewhere (a hard link), and writing would change both.",
                    "Replace it by a copy, or choose another folder with -o.",
                )

    def _has_work(self) -> bool:
        return bool(self._stores()) or any(os.path.lexists(self.out / name) for name in self.journal.names)

    def _stores(self) -> list[Path]:
        return sorted(path for path in self.work.iterdir() if _STORE.fullmatch(path.name) and path.is_dir())


def _folders_of(source: Path) -> set[Path]:
    """Where a file of the clip lies: by its name, and behind a link."""
    places = {source.parent}
    if source.is_symlink():
        places.add(source.resolve().parent)
    return places


def _same_folder(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _differences(before: Any, now: Any) -> list[str]:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return []
    keys = sorted(before.keys() | now.keys())
    return [key.replace("_", "-") for key in keys if before.get(key) != now.get(key)]
