"""``vdepth fuse``: the background that a finished job's frames hide, as far as other frames show it.

Every frame of a shot whose camera travels gets a clean plate: at each pixel the deepest surface that any
frame of the shot shows there, its colour and its depth, on a raster with a margin around the plate. What is
done stays: each frame's files are moved to their places when both are whole, and the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..adaptation.lens import known_identity, lens_of, read_path
from ..clip import Clip, ShotView
from ..errors import InputError, UsageError
from ..files import require_space, write_bytes
from ..flow.dis import working_size
from ..output.attributes import PREFIX
from ..output.exports.folder import ExportFolder
from ..output.exr import write_exr
from ..output.exr_header import read_header
from ..output.finish import FAR_AWAY
from ..output.naming import clean_names
from ..output.plate import plate_of
from ..output.sequence import DepthSequence, read_sequence
from ..progress import Progress
from ..store import FrameArray
from ..types import Shot
from .registration import Registration, register
from .shot import ShotBackground

if TYPE_CHECKING:
    from ..geometry.camera import Intrinsics
    from ..geometry.camera_path import CameraPath
    from ..output.manifest import ShotEntry

VERSION = 1
WORKING = 512  # pixels, longest side at which cameras are solved and depth is carried


@dataclass(frozen=True)
class ShotPlates:
    """What became of one shot.

    Attributes:
        first, last: Numbers of its frames.
        moves: Whether it has clean plates.
        reason: Why not.
    """

    first: int
    last: int
    moves: bool
    reason: str = ""


def fuse(
    out: str | Path,
    destination: str | Path | None = None,
    camera: str | Path | None = None,
    margin: float = 10.0,
    progress: Progress | None = None,
    clip: str | Path | None = None,
) -> tuple[Path, list[ShotPlates]]:
    """Writes clean plates of a finished job.

    Args:
        out: Output folder of `estimate`.
        destination: Folder for the files; default: ``out/clean``.
        camera: File of the camera's path; None: it is found from the clip.
        margin: Around the plate, percent of its sides, 0 to 100.
        progress: Hears of the work and may stop it.
        clip: Where the job's clip is now; None: where it was, or as far from the folder as it was.

    Returns:
        ``clean.json``, and what became of each shot.

    Raises:
        UsageError: the margin is none.
        InputError: the job is not finished, its clip is gone or changed, or no shot's camera travels.
        JobConflictError: a file that vdepth did not write would be replaced.
        ResourceError: the disk is full or not writable.
        Cancelled: the user asked to stop.
    """
    if not 0 <= margin <= 100:
        raise UsageError(f"--margin {margin:g} is no share of the plate's sides.", "Give 0 to 100, percent.")
    progress, sequence = progress or Progress(), read_sequence(out, clip)
    manifest = sequence.manifest
    plate = plate_of(manifest)
    path = None
    if camera is not None:
        list(plate.scan(shots=False, progress=progress))
        path = read_path(Path(camera), plate, None, progress)
    lens = lens_of(path) if path is not None else None
    if lens is None and manifest.camera.source not in {"assumed", "metadata"}:
        lens = sequence.intrinsics
    known = known_identity(None, Path(camera) if camera is not None else None)
    facts = [VERSION, manifest.job, margin, sorted(known.items())]
    identity = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    across, down = (round(side * margin / 100) for side in (plate.info.width, plate.info.height))
    with ExportFolder(Path(destination) if destination else Path(out) / "clean") as folder:
        job = _Fusion(sequence, plate, folder, lens, path, (across, down), identity, progress)
        shots = [job.shot(entry) for entry in manifest.shots]
        if not any(shot.moves for shot in shots):
            raise InputError(
                f"{manifest.clip.name} has no clean plate. {shots[0].reason}",
                "Clean plates need a shot in which the camera travels.",
            )
        size = {"width": plate.info.width, "height": plate.info.height, "margin_x": across, "margin_y": down}
        told = {"version": VERSION, "job": manifest.job, **size, "shots": [asdict(shot) for shot in shots]}
        file = folder.stage / "clean.json"
        write_bytes(file, f"{json.dumps(told, indent=1)}\n".encode())
        return folder.publish([file])[0], shots


@dataclass(frozen=True, eq=False)
class _Fusion:
    """One run."""

    sequence: DepthSequence
    clip: Clip
    folder: ExportFolder
    lens: Intrinsics | None
    path: CameraPath | None
    margin: tuple[int, int]
    identity: str
    progress: Progress

    def shot(self, entry: ShotEntry) -> ShotPlates:
        """Does one shot."""
        numbers = range(entry.start_number, entry.start_number + entry.count)
        shot = Shot(entry.index, entry.start, entry.stop, entry.exposure)
        info = self.clip.info
        if all(self._done(number) for number in numbers):
            self.progress.stage("fuse", 0)
            return ShotPlates(numbers[0], numbers[-1], True)
        require_space(
            self.folder.destination, len(shot) * info.width * info.height * 4, "fusing this shot needs",
            "Free some space, or choose another disk with -o.",
        )  # fmt: skip
        with tempfile.TemporaryDirectory(dir=self.folder.stage) as name:
            work = Path(name)
            size = working_size(info.height, info.width, WORKING)
            first = entry.start - self.sequence.manifest.frames.first
            disparity = self.sequence.disparity
            try:
                found = register(
                    self.clip, shot, lambda index: disparity[first + index],
                    self.sequence.manifest.model.space == "affine_invariant", size, work, self.lens,
                    self.path, self.progress,
                )  # fmt: skip
            except InputError as error:
                self.progress.warn(f"Shot {entry.index + 1} gets no clean plate: {error.message}")
                return ShotPlates(numbers[0], numbers[-1], False, error.message)
            shape = (info.height, info.width, 3)
            with (
                closing(found.still),
                closing(FrameArray(work / "plates.u8", len(shot), shape, "u1")) as plates,
            ):
                with closing(ShotView(self.clip, shot).frames()) as frames:
                    for index, frame in enumerate(frames):
                        self.progress.check()
                        plates.write(index, frame.rgb[None])
                self.progress.stage("fuse", len(shot))
                shown = ShotBackground(
                    lambda index: disparity[first + index], found, plates, size, self.margin
                )
                for index, number in enumerate(numbers):
                    with self.progress.step("fuse"):
                        if not self._done(number):
                            self._write(entry, found, shown, index, number)
        return ShotPlates(numbers[0], numbers[-1], True)

    def names(self, number: int) -> tuple[str, str]:
        """The two files of a frame: depth, colour."""
        return clean_names(self.sequence.manifest.clip.name, number)

    def _done(self, number: int) -> bool:
        depth, colour = self.names(number)
        if not (self.folder.holds(depth) and self.folder.holds(colour)):
            return False
        return read_header(self.folder.destination / depth).attributes.get(PREFIX + "clean") == self.identity

    def _write(
        self, entry: ShotEntry, found: Registration, shot: ShotBackground, index: int, number: int
    ) -> None:
        """Makes and publishes one frame's files."""
        rgb, q, known = shot.fused(index)
        disparity = (np.maximum(q, 0) - found.shift) / found.scale
        z = entry.mapping(self.sequence.manifest.model.space).depth(np.maximum(disparity, 0))
        z = np.where(known, z, FAR_AWAY).astype(np.float32)
        attributes = self.sequence.attributes(number - self.sequence.numbers.start)
        header = {name: value for name, value in attributes.items() if name.startswith(PREFIX)}
        header[PREFIX + "cx"] += float(self.margin[0])
        header[PREFIX + "cy"] += float(self.margin[1])
        header |= {PREFIX + "clean": self.identity, "framesPerSecond": self.sequence.rate}
        depth, colour = (self.folder.stage / name for name in self.names(number))
        write_exr(depth, dict.fromkeys("XYZ", z), header, "pxr24")
        _, data = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))
        write_bytes(colour, data.tobytes())
        self.folder.publish([depth, colour])
