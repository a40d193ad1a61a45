"""Where an export goes: exporters write into a work folder, and what is whole is moved to its place.

A killed export leaves nothing but that work folder, which the next one empties; a file of the same name that
vdepth did not write is never replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ...errors import JobConflictError
from ...files import flush, make_folder, plain_files, refuse_link, write_error
from ..journal import JOB, JOURNAL, LOCK, WORK, FileEntry, Journal, not_ours
from ..locks import lock_folder

_STAGE = "export"


class ExportFolder:
    """A destination, locked while open; use as a context manager.

    Attributes:
        stage: The folder to write into; its files go to the destination on `publish`.
    """

    def __init__(self, destination: Path) -> None:
        """Locks the destination, which is made if it is not there.

        Raises:
            ResourceError: it cannot be made or written, or its work folder holds links.
            JobConflictError: another process exports into it, it holds a job, or vdepth did not make its
                work folder.
        """
        self._made = [folder for folder in (destination, *destination.parents) if not folder.exists()]
        self.destination = make_folder(destination)
        work = destination / WORK
        strangers = [path for path in plain_files(work) if path.name != LOCK]
        if strangers and not Journal(destination).exists:
            raise JobConflictError(
                f"{work} holds {strangers[0].name} and no journal: vdepth did not make it.",
                "Move it away, or choose another folder with -o.",
            )
        if Journal(destination).job is not None or os.path.lexists(work / JOB):
            # One journal for both, and the job's next run would remove the exports as files of its past.
            raise JobConflictError(
                f"{destination} holds a job of vdepth estimate; exports go into a folder of their own.",
                "Choose another folder with -o, or leave -o out.",
            )
        self._lock = lock_folder(destination)
        try:
            self.stage = make_folder(work / _STAGE)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> ExportFolder:
        self._journal = Journal(self.destination)
        self._journal.open()
        self._empty()
        return self

    def __exit__(self, *_: object) -> None:
        self._empty()
        self._journal.close()
        self._lock.release()
        if not self._journal.names:  # nothing was ever published: leave no trace
            with suppress(OSError):
                for name in (JOURNAL, LOCK):
                    (self.stage.parent / name).unlink(missing_ok=True)
                for folder in (self.stage, self.stage.parent / "tmp", self.stage.parent):
                    folder.rmdir()
                for folder in self._made:
                    folder.rmdir()

    def holds(self, name: str) -> bool:
        """Whether a file that was published is there as it was.

        Args:
            name: Of the file.
        """
        return self.entry(name) is not None

    def entry(self, name: str) -> FileEntry | None:
        """What a file that was published holds, if it is there as it was.

        Args:
            name: Of the file.
        """
        return self._journal.owned(name)

    @property
    def names(self) -> list[str]:
        """Names of all that was ever published here; they need not be there any more."""
        return self._journal.names

    def remove(self, name: str) -> None:
        """Removes a file that was published, if it is as it was.

        Args:
            name: Of the file.

        Raises:
            ResourceError: it cannot be removed.
        """
        self._journal.remove(name)

    def publish(self, staged: Iterable[Path]) -> list[Path]:
        """Moves finished files to the destination and returns where they are.

        Args:
            staged: In `stage`, or in folders there, which the destination gets, too.

        Raises:
            JobConflictError: one would replace a file that vdepth did not write; then none is moved.
            ResourceError: the disk is full or not writable, or a folder of the destination is a link.
        """
        names = [(path, path.relative_to(self.stage)) for path in staged]
        for folder in {parent for _, name in names for parent in name.parents if parent.name}:
            refuse_link(self.destination / folder)
        moves = [(path, self.destination / name, name.as_posix()) for path, name in names]
        foreign = [to for _, to, name in moves if os.path.lexists(to) and self._journal.owned(name) is None]
        if foreign:
            raise not_ours(foreign)
        for path, to, name in moves:
            try:
                make_folder(to.parent)
                flush(path)
                self._journal.note(name, FileEntry.of(path))
                self._journal.install(path, to)
            except OSError as error:
                raise write_error(to, error) from error
        return [to for _, to, _ in moves]

    def _empty(self) -> None:
        for path in plain_files(self.stage):
            path.unlink(missing_ok=True)
        for folder in sorted((path for path in self.stage.rglob("*") if path.is_dir()), reverse=True):
            folder.rmdir()
