"""A folder of frames made from a finished job: a file a frame, then a film; gone on with after a stop.

What decides the bytes is written down first, in a JSON file. A folder with another one is refused, or with
``overwrite`` emptied of what it says; the same one is continued, and frames that are there stay.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from ..clip.display import srgb_decode, srgb_encode
from ..errors import InputError, JobConflictError
from ..files import write_bytes
from ..output.exports.folder import ExportFolder
from ..output.exr import read_exr, write_exr
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

    def write(
        self, number: int, rgb: np.ndarray, z: np.ndarray | None, attributes: Mapping[str, Any]
    ) -> Path:
        """Puts a frame into its place.

        Args:
            number: Of the frame.
            rgb: (H, W, 3) float32 in [0, 1], sRGB.
            z: (H, W) float32 depth, for EXR; None: without.
            attributes: Of the EXR's header.

        Returns:
            The file.

        Raises:
            JobConflictError: it would replace a file that vdepth did not write.
            ResourceError: the disk is full or not writable.
        """
        staged = self._folder.stage / self.name(number)
        if self.ending == ".png":
            _, data = cv2.imencode(".png", bytes_of(rgb)[..., ::-1])
            write_bytes(staged, data.tobytes())
        else:
            linear = srgb_decode(rgb).astype(np.float16)
            channels = {name: np.ascontiguousarray(linear[..., i]) for i, name in enumerate("RGB")}
            write_exr(staged, channels | ({} if z is None else {"Z": z}), attributes)
        return self._folder.publish([staged])[0]

    def film(
        self, numbers: Sequence[int], times: Sequence[Fraction], rate: Fraction, progress: Progress,
        shown: Callable[[Path], np.ndarray] | None = None,
    ) -> Path:  # fmt: skip
        """Makes the film of the frames, unless it is there.

        Args:
            numbers: Of all frames.
            times: Of them, in seconds.
            rate: Nominal frames per second.
            progress: Told of each, stage ``film``; may cancel.
            shown: File of a frame -> (H, W, 3) uint8; None: the frame itself.

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
        progress.stage("film", len(numbers))
        pictures = self._pictures(numbers, progress, shown or _shown)
        first = next(pictures)
        height, width = first.shape[:2]
        staged = self._folder.stage / name
        with MovieWriter(staged, rate, (width, height), encoders=FINE) as film:
            film.append(first, Fraction(0))
            for picture, time in zip(pictures, times[1:], strict=True):
                film.append(picture, time - times[0])
        return self._folder.publish([staged])[0]

    def _pictures(
        self, numbers: Sequence[int], progress: Progress, shown: Callable[[Path], np.ndarray]
    ) -> Iterator[np.ndarray]:
        """The frames, of even sides: the last row and column are repeated."""
        for number in numbers:
            with progress.step("film"):
                picture = shown(self._folder.destination / self.name(number))
                beside = ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0))
                yield np.ascontiguousarray(np.pad(picture, beside, "edge"))


def bytes_of(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) float in [0, 1] as uint8.

    Args:
        rgb: What lies outside is clipped.
    """
    codes: np.ndarray = np.clip(rgb * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    return codes


def _shown(file: Path) -> np.ndarray:
    if file.suffix == ".exr":
        channels = read_exr(file)[0]
        linear = np.stack([channels[name].astype(np.float32) for name in "RGB"], 2)
        return bytes_of(srgb_encode(linear))
    bgr = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f"{file} is missing or damaged.", "Run the same command again.")
    shown: np.ndarray = bgr[..., ::-1]
    return shown
