"""A folder of frames made from a finished job: a file a frame, then a film; gone on with after a stop.

What decides the bytes is written down first, in a JSON file. A folder with another one is refused, or with
``overwrite`` emptied of what it says; the same one is continued, and frames that are there stay.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..errors import JobConflictError
from ..files import write_bytes
from ..output.exports.folder import ExportFolder
from ..output.movie import FINE, MovieWriter
from ..progress import Progress


class FrameFolder:
    """The folder, locked while open; use as a context manager.

    Attributes:
        stem: What its files' names begin with, before the number.
        ending: Of the frames, with its dot.
    """

    def __init__(
        self, destination: Path, stem: str, ending: str, facts: Mapping[str, Any], overwrite: bool
    ) -> None:
        """Locks the destination, which is made if it is not there.

        Args:
            destination: The folder.
            stem: Of the files' names.
            ending: Of the frames, with its dot.
            facts: All that decides the frames' bytes, ready for JSON.
            overwrite: Whether frames of other facts give way.

        Raises:
            ResourceError, JobConflictError: as of `ExportFolder`.
        """
        self.stem, self.ending = stem, ending
        identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        told = {"identity": identity, "frames": f"{stem}.####{ending}", **facts}
        self._facts = f"{json.dumps(told, indent=1)}\n".encode()
        self._overwrite = overwrite
        self._folder = ExportFolder(destination)

    @property
    def record(self) -> Path:
        """The JSON file that says what the frames are."""
        return self._folder.destination / f"{self.stem}.json"

    def __enter__(self) -> Self:
        self._folder.__enter__()
        try:
            self._begin()
        except BaseException:
            self._folder.__exit__()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.__exit__()

    def _begin(self) -> None:
        """Continues what is there, or clears it away."""
        if self._folder.holds(self.record.name):
            if self.record.read_bytes() == self._facts:
                return
            if not self._overwrite:
                raise JobConflictError(
                    f"{self._folder.destination} holds {self.stem} made with other options.",
                    "Choose another folder with -o, or replace it with --overwrite.",
                )
        of_it = re.compile(re.escape(self.stem) + r"(\.\d{4,})?\.(png|exr|mp4)")
        for name in self._folder.names:  # its old frames first: a stop in between leaves the old record
            if of_it.fullmatch(name):
                self._folder.remove(name)
        staged = self._folder.stage / self.record.name
        write_bytes(staged, self._facts)
        self._folder.publish([staged])

    def name(self, number: int) -> str:
        """What a frame's file is called.

        Args:
            number: Of the frame.
        """
        return f"{self.stem}.{number:04d}{self.ending}"

    def missing(self, numbers: Sequence[int]) -> list[int]:
        """Those that are not there yet.

        Args:
            numbers: Of frames.
        """
        return [number for number in numbers if not self._folder.holds(self.name(number))]

    def path(self, number: int) -> Path:
        """Where a frame's file is.

        Args:
            number: Of the frame.
        """
        return self._folder.destination / self.name(number)

    @contextmanager
    def frame(self, number: int) -> Iterator[Path]:
        """Where to write a frame's file; it is moved to its place when it is whole.

        Args:
            number: Of the frame.

        Raises:
            JobConflictError: it would replace a file that vdepth did not write.
            ResourceError: the disk is full or not writable.
        """
        staged = self._folder.stage / self.name(number)
        yield staged
        self._folder.publish([staged])

    def film(
        self, times: Sequence[Fraction], rate: Fraction, progress: Progress,
        pictures: Callable[[], Iterator[np.ndarray]], mark: Callable[[Path], None] | None = None,
    ) -> Path:  # fmt: skip
        """Makes the film, unless it is there.

        Args:
            times: Of all its frames, in seconds.
            rate: Nominal frames per second.
            progress: Told of each frame, stage ``film``; may cancel.
            pictures: Gives the frames, (H, W, 3) uint8, in order; asked only if they are needed.
            mark: Writes into the finished film what players need to know of it.

        Returns:
            The file.

        Raises:
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable.
            Cancelled: the user asked to stop.
        """
        name = f"{self.stem}.mp4"
        if self._folder.holds(name):
            return self._folder.destination / name
        progress.stage("film", len(times))
        staged, film = self._folder.stage / name, None
        try:
            for picture, time in zip(pictures(), times, strict=True):
                with progress.step("film"):
                    even = _even(picture)
                    film = film or MovieWriter(staged, rate, (even.shape[1], even.shape[0]), encoders=FINE)
                    film.append(even, time - times[0])
            assert film is not None
            film.close()
            if mark is not None:
                mark(staged)
        finally:
            if film is not None:
                film.abandon()
        return self._folder.publish([staged])[0]


def _even(picture: np.ndarray) -> np.ndarray:
    """Of even sides: the last row and column are repeated."""
    beside = ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0))
    return np.ascontiguousarray(np.pad(picture, beside, "edge"))
