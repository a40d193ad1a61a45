"""The folder of a job in metres: what was asked and found is written down first, then a file at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import JobConflictError
from ..files import write_bytes
from ..output.exports.folder import ExportFolder
from ..output.journal import FileEntry
from ..output.metric_entry import MetricEntry

RECORD = "metric.json"


class MetricFolder:
    """A destination; use `opened`."""

    def __init__(self, folder: ExportFolder, asked: Mapping[str, Any], overwrite: bool) -> None:
        """Continues what is there, or clears it away.

        Args:
            folder: Locked.
            asked: All that decides the result, ready for JSON.
            overwrite: Whether files made with anything else give way.

        Raises:
            JobConflictError: there are such files, and they do not.
        """
        self._folder, self._asked = folder, dict(asked)
        self.found: tuple[MetricEntry, list[str]] | None = self._known()
        """What an earlier run found, and said, of what is asked now."""
        if self.found is None and folder.names:
            if not overwrite and any((self.path / name).exists() for name in folder.names):
                raise JobConflictError(
                    f"{self.path} holds depth made with other distances.",
                    "Choose another folder with -o, or replace it with --overwrite.",
                )
            for name in folder.names:
                folder.remove(name)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._folder.destination

    @property
    def stage(self) -> Path:
        """Where files are made."""
        return self._folder.stage

    def keep(self, found: MetricEntry, warnings: list[str]) -> None:
        """Writes down what was found.

        Args:
            found: How each shot gets its metres.
            warnings: What was said of it.
        """
        facts = {"asked": self._asked, "found": found.model_dump(mode="json"), "warnings": warnings}
        self.write(RECORD, f"{json.dumps(facts, indent=1)}\n".encode())

    def entry(self, name: str) -> FileEntry | None:
        """What a file holds that is there as it was written.

        Args:
            name: Of the file.
        """
        return self._folder.entry(name)

    def publish(self, names: list[str]) -> None:
        """Moves files from the stage to their places.

        Args:
            names: Of the files.

        Raises:
            JobConflictError: one would replace a file that vdepth did not write.
            ResourceError: the disk is full or not writable.
        """
        self._folder.publish([self.stage / name for name in names])

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, if it does not hold that already; see `publish` for what it raises.

        Args:
            name: Of the file.
            data: All of it.
        """
        if self.entry(name) is not None and (self.path / name).read_bytes() == data:
            return
        write_bytes(self.stage / name, data)
        self.publish([name])

    def copy(self, source: Path) -> None:
        """Copies a file, if it is not there; see `publish` for what it raises.

        Args:
            source: The file.
        """
        if self.entry(source.name) is None:
            shutil.copyfile(source, self.stage / source.name)
            self.publish([source.name])

    def _known(self) -> tuple[MetricEntry, list[str]] | None:
        if self.entry(RECORD) is None:
            return None
        facts = json.loads((self.path / RECORD).read_text(encoding="utf-8"))
        if facts["asked"] != self._asked:
            return None
        try:
            return MetricEntry.model_validate(facts["found"]), list(facts["warnings"])
        except ValidationError:  # an earlier version's
            return None


@contextmanager
def opened(destination: Path, asked: Mapping[str, Any], overwrite: bool) -> Iterator[MetricFolder]:
    """Opens and locks a destination.

    Args:
        destination: The folder, made if it is not there.
        asked, overwrite: As of `MetricFolder`.

    Raises:
        JobConflictError: it holds something else, or another process works in it.
        ResourceError: it cannot be made or written.
    """
    with ExportFolder(destination) as folder:
        yield MetricFolder(folder, asked, overwrite)
