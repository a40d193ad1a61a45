"""The job folder: who works in it, what it was made for, and what may be replaced or removed in it.

``OUT`` holds the frames, ``manifest.json``, ``preview.mp4`` (of a still ``preview.png``) and ``report.html``;
``OUT/.vdepth`` holds the lock, the journal of every file written, the configuration (``job.json``), the scan
and the prediction stores, everything a killed job needs to go on. What the journal does not know is the
user's, and stays.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from ..checksums import Checksums
from ..clip import ClipScan
from ..errors import JobConflictError, ResourceError, VdepthError
from ..files import Draft, make_folder, plain_files, require_space, write_bytes, write_error
from ..output.journal import DAMAGED, JOB, LOCK, SEEN, WORK, Journal, not_ours
from ..output.locks import lock_folder
from ..output.manifest import Manifest, found_manifest, known_journal, recall, write_manifest
from ..output.naming import JobNames, manifest_path
from ..store import has_predictions, remove_store
from .identity import told
from .record import JobRecord, read_record
from .results import ShotResult, film_path, read_result, result_path

_SCAN = "scan.json"
_READERS = min(4, os.cpu_count() or 1)  # threads; hashing releases the interpreter
_SHOT_LOCK = f"{LOCK}.shot_"
_STORE = re.compile(r"shot_\d{4,}(_\d+-\d+)?")  # of a shot, of a range of one


class JobFolder:
    """One clip's output folder, locked while open: all of it, or some shots of a job that is there.

    Use as a context manager.

    Attributes:
        journal: What vdepth wrote into the folder.
        checksums: Of the files in it, and of the clip's.
    """

    def __init__(
        self,
        out: Path,
        names: JobNames,
        sources: Sequence[Path],
        checksums: Checksums | None = None,
        shots: range | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """Looks whether the job can do its work without touching what is not its own, then locks the folder.

        Args:
            out: The folder; made if it is not there.
            names: The names of the files that the job is going to write.
            sources: The files of the clip, and of others that it must not write beside.
            checksums: Of files read before; None: those the folder remembers.
            shots: Lock only these: other processes work on others. None: everything.
            shared: Of everything, let others go on with the shots they have.

        Raises:
            JobConflictError: another process works in it; it holds the clip; or something stands there under
                one of the job's names that vdepth did not write.
            ResourceError: the folder cannot be made or written, or its work folder holds links.
        """
        self.out, self.work = out, out / WORK
        self.checksums = checksums or folder_checksums(out)
        part = f"shots_{shots.start:04d}-{shots.stop - 1:04d}" if shots is not None else ""
        self.journal = Journal(out, self.checksums, part)
        self._shared, self._locks = shared, ExitStack()
        self._survey(names, sources)
        try:
            if shots is None:
                self._locks.callback(lock_folder(out).release)
                for path in sorted(self.work.glob(f"{_SHOT_LOCK}*")) if not shared else ():
                    number = path.name.removeprefix(_SHOT_LOCK).partition("_")[0]
                    lock_folder(out, path.name, f"shot {int(number)}").release()
            else:
                lock = lock_folder(out)
                self._locks.callback(lock.release)
                for shot in shots:
                    held = lock_folder(out, f"{_SHOT_LOCK}{shot:04d}", f"shot {shot}")
                    self._locks.callback(held.release)
                    for path in self.work.glob(f"{_SHOT_LOCK}{shot:04d}_*"):  # ranges of it
                        lock_folder(out, path.name, f"shot {shot}").release()
                lock.release()
            self._survey(names, sources)  # another process may have finished meanwhile
            self.journal.open(shared=shared)
        except BaseException:
            self._locks.close()
            raise

    def __enter__(self) -> JobFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.checksums.save(self.own)
        self.journal.close()
        self._locks.close()

    def claim(self, record: JobRecord, *, overwrite: bool) -> bool:
        """Makes the folder this job's own; returns True when it goes on from an earlier run of the same job.

        Another job's files then stay until this one replaces them, one by one; a job that has
        neither predicted nor written anything yet gives way without being asked. A job that is not finished
        goes on when its clip has changed: what it keeps of each frame says which picture it was made of.

        Args:
            record: Of this job.
            overwrite: Whether another job gives way.

        Raises:
            JobConflictError: the folder belongs to another configuration, or its job was finished with
                another state of the clip, and ``overwrite`` is off.
        """
        before = read_record(self.out)
        known = before.job if before else self.journal.job
        goes_on = known == record.job or (
            before is not None and record.goes_on(before) and not self._finished(before.job)
        )
        if goes_on:
            if self.journal.job != record.job:
                self.journal.begin(record.job)
            if before is None or before.job != record.job:
                self.record(record)
            return True
        if not overwrite and self._has_work():
            raise self._conflict(before, record)
        if before is None or before.predictions != record.predictions:  # else they are what would come out
            self.drop_stores()
            (self.work / _SCAN).unlink(missing_ok=True)
        self.journal.begin(record.job)
        self.record(record)
        return False

    def record(self, record: JobRecord) -> None:
        """Writes ``job.json``.

        Args:
            record: Of this job.
        """
        self._save(JOB, record.model_dump_json(indent=1))

    def save_scan(self, predictions: str, scan: ClipScan) -> None:
        """Keeps what the pass over the clip found, for jobs with these `JobRecord.predictions`.

        Args:
            predictions: What they are identified by.
            scan: The clip's.
        """
        self._save(_SCAN, json.dumps({"of": predictions, "scan": json.loads(scan.to_json())}))

    def load_scan(self, predictions: str) -> ClipScan | None:
        """What `save_scan` kept; None where it is missing or damaged.

        Args:
            predictions: As of `save_scan`.
        """
        return read_scan(self.out, predictions)

    def result(self, shot: int, job: str) -> ShotResult | None:
        """What is left of a shot of ``job`` that is finished; its EXR files need not be there any more.

        Args:
            shot: Its number, from 0.
            job: Its identity.
        """
        return read_result(self.work, shot, job)

    def whole(self, result: ShotResult) -> bool:
        """Whether every EXR file of a finished shot is there and as it was written.

        Args:
            result: Of the shot.
        """
        return not self.lost(result)

    def lost(self, result: ShotResult) -> set[str]:
        """Names of the EXR files of a finished shot that are missing or damaged.

        Args:
            result: Of the shot.
        """
        return {name for name, entry in result.files.items() if self.journal.owned(name) != entry}

    def save_result(self, result: ShotResult) -> None:
        """Keeps the result of a shot, whose film is there.

        Args:
            result: Of the shot.

        Raises:
            ResourceError: the disk is full.
        """
        write_bytes(result_path(self.work, result.entry.index), result.to_json(), self.own)

    def film(self, shot: int, still: bool) -> Path:
        """A shot's part of the preview; see `film_path`.

        Args:
            shot: Its number, from 0.
            still: Whether it is a picture: the job is of a single image.
        """
        make_folder(self.work / "results")
        return film_path(self.work, shot, still)

    def place(self, path: Path) -> Draft:
        """A draft of a file of the job; see `Journal.place`."""
        return self.journal.place(path)

    def retire(self, keep: Iterable[str]) -> None:
        """Removes the files of former jobs except those named ``keep``, where they are still as written.

        Args:
            keep: Names of files of this job.

        Raises:
            ResourceError: one cannot be removed.
        """
        kept = set(keep)
        for name in self.journal.names:
            if name not in kept:
                self.journal.remove(name)

    def keep(self, manifest: Manifest) -> None:
        """Keeps a second manifest, for when the first is lost or damaged.

        Args:
            manifest: The finished job's.

        Raises:
            ResourceError: the disk is full or not writable.
        """
        write_manifest(manifest, manifest_path(self.work), self.own)

    def conclude(self, names: Iterable[str]) -> None:
        """The job is done, its files are ``names``; nothing can be written any more.

        Args:
            names: All others that are ours are forgotten.
        """
        self.journal.conclude(names)

    def store(self, shot: int) -> Path:
        """Folder of a shot's prediction store.

        Args:
            shot: Its number, from 0.
        """
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

        Args:
            size: Bytes.

        Raises:
            ResourceError: less than ``size`` bytes are free.
        """
        require_space(
            self.out,
            size,
            "this job needs at least",
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
        self.journal.reload()  # after looking: what another process puts there it has noted before
        recall(self.journal)
        self._refuse_foreign(names, present)

    def check_names(self, names: JobNames) -> None:
        """Looks again, now that it is known how long the clip really is.

        Args:
            names: The names of the files that the job is going to write.

        Raises:
            JobConflictError: something that vdepth did not write stands under one of the job's names.
        """
        self._refuse_foreign(names, os.listdir(self.out))

    def _refuse_foreign(self, names: JobNames, present: Sequence[str]) -> None:
        wanted = [name for name in names.among(present) if os.path.lexists(self.out / name)]
        with ThreadPoolExecutor(_READERS) as pool:  # a finished job may hold a hundred gigabytes
            ours = list(pool.map(self.journal.ours, wanted))
        foreign = [self.out / name for name, own in zip(wanted, ours, strict=True) if not own]
        if foreign:
            raise not_ours(foreign)

    def _check_work(self) -> None:
        """Refuses a work folder that is somebody else's, or leads out of itself."""
        files = plain_files(self.work)
        strangers = [path for path, facts in files.items() if not path.name.startswith(LOCK) or facts.st_size]
        if strangers and not self.journal.exists:
            raise JobConflictError(
                f"{self.work} holds {strangers[0].name} and no journal: vdepth did not make it.",
                "Move it away, or choose another folder with -o.",
            )
        for path, facts in files.items():
            # A second name is somebody's, and would change with it. In these two nothing is changed.
            if facts.st_nlink > 1 and path.parent.name.partition(".")[0] not in ("tmp", DAMAGED):
                raise ResourceError(
                    f"{path} has another name elsewhere (a hard link), and writing would change both.",
                    "Replace it by a copy, or choose another folder with -o.",
                )

    def _finished(self, job: str) -> bool:
        """Whether ``job`` was finished here; whether all its files are still whole is another question."""
        return any(found_manifest(manifest_path(place), job) for place in (self.out, self.work))

    def _conflict(self, before: JobRecord | None, now: JobRecord) -> JobConflictError:
        if before is not None and now.goes_on(before):
            changed = before.clip.changes(now.clip)
            return JobConflictError(
                f"{self.out} was finished with another state of the clip: {changed} changed since.",
                "Use --overwrite to predict it again, or another folder with -o.",
            )
        changed = told(before.identity, now.identity) if before else ""
        kept = before is not None and before.predictions == now.predictions and any(self._stores())
        anew = "write its files anew from the predictions that were kept" if kept else "replace it"
        same = "Give the options that the other shots were begun with, or use" if self._shared else "Use"
        return JobConflictError(
            f"{self.out} holds a job with another configuration "
            f"({changed or 'the clip or the options differ'}).",
            f"{same} --overwrite to {anew}, or another folder with -o.",
        )

    def own(self, path: Path) -> Draft:
        """A draft of a file of the work folder.

        Args:
            path: Below the work folder.
        """
        return Draft(path, self.journal.temporary())

    def _save(self, name: str, text: str) -> None:
        write_bytes(self.work / name, text.encode(), self.own)

    def _has_work(self) -> bool:
        return any(map(has_predictions, self._stores())) or any(
            os.path.lexists(self.out / name) for name in self.journal.names
        )

    def _stores(self) -> list[Path]:
        return _stores(self.work)


def _folders_of(source: Path) -> set[Path]:
    """Where a file of the clip lies: by its name, and behind a link."""
    places = {source.parent}
    if source.is_symlink():
        places.add(source.resolve().parent)
    return places


def _stores(work: Path) -> list[Path]:
    return sorted(path for path in work.iterdir() if _STORE.fullmatch(path.name) and path.is_dir())


def _same_folder(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def folder_checksums(out: Path) -> Checksums:
    """What a job's folder remembers of the files in it, and of the clip's.

    Args:
        out: The job's folder.
    """
    return Checksums(out / WORK / SEEN)


def read_scan(out: Path, predictions: str) -> ClipScan | None:
    """What the pass over the clip found, if it is of these predictions, there and whole.

    Args:
        out: The job's folder.
        predictions: What they are identified by.
    """
    try:
        saved = json.loads((out / WORK / _SCAN).read_text(encoding="utf-8"))
        return ClipScan.from_json(json.dumps(saved["scan"])) if saved["of"] == predictions else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def tidy(out: Path, job: str, *, keep_store: bool = False) -> None:
    """Drops what ``job``, killed after its manifest was written, left of its work, and mends its journal.

    Does nothing where nothing is to be done, or can be.

    Args:
        out: The job's folder.
        job: Identity of a finished job.
        keep_store: Its predictions stay.
    """
    work, record = out / WORK, read_record(out)
    if record is None or record.job != job:
        return
    keep_store = keep_store or record.given.keep_store
    with suppress(VdepthError, OSError):
        left = not keep_store and (_stores(work) or any((work / "tmp").iterdir()))
        if not left and not known_journal(out).forgot:
            return
        with lock_folder(out):
            plain_files(work)
            journal = known_journal(out)
            if journal.exists:
                journal.open()
                journal.close()
                for path in _stores(work) if not keep_store else ():
                    remove_store(path)


def finished_manifest(out: Path, job: str, checksums: Checksums) -> Manifest | None:
    """The manifest of ``job``, if it and every file that it names are there and as they were written.

    Args:
        out: The job's folder.
        job: Its identity.
        checksums: Of files read before.
    """
    path = manifest_path(out)
    manifest = found_manifest(path, job)
    if manifest is None or not manifest.complete(out, checksums):
        return None
    journal = known_journal(out, checksums)
    return None if journal.exists and journal.owned(path.name) is None else manifest
