"""Where the new camera of each frame is: dolly, orbit, the second eye, or as a file has it.

All are motions that carry points of the plate's camera into the new one, in units of the depth. What they are
measured by - the nearest, the middle and the farthest of a shot - is one for the shot, so nothing breathes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..geometry.camera import Intrinsics
from ..geometry.camera_files.formats import CameraFile, read_camera
from ..geometry.camera_files.plate import Plate
from ..geometry.camera_path import CameraPath, inverse_pose
from ..output.plate import camera_plate
from .options import PATHS, ViewOptions
from .render import SKY

if TYPE_CHECKING:
    from ..clip import Clip
    from ..output.manifest import ShotEntry
    from ..output.sequence import DepthSequence
    from ..progress import Progress

DOLLY, ORBIT = 15.0, 5.0  # per cent of the pivot's distance
BEFORE = 0.25  # share of the disparities that come out of the screen
_ENDS = (0.002, 0.5, 0.998)  # quantiles of a shot's inverse depth
_LOOKS = 6  # frames of a shot that they are taken from
_STRIDE = 4
_RISE = 1 / 3  # of an orbit's width


@dataclass(frozen=True)
class Ends:
    """Inverse depth of a shot: its far end, its middle and its near end."""

    far: float
    middle: float
    near: float

    @property
    def span(self) -> float:
        """From the far end to the near one."""
        return self.near - self.far


@dataclass(frozen=True, eq=False)
class Move:
    """The new camera of a frame.

    Attributes:
        motion: (4, 4) float64, carries points of the plate's camera into it.
        lens: Of it.
    """

    motion: np.ndarray
    lens: Intrinsics


def ends_of(sequence: DepthSequence, shot: ShotEntry) -> Ends:
    """Measures a shot.

    Args:
        sequence: The finished job.
        shot: One of its shots.

    Raises:
        InputError: a frame is missing or damaged, or nothing of the shot has depth.
    """
    first = shot.start_number - sequence.numbers.start
    places = np.unique(np.linspace(0, shot.count - 1, min(shot.count, _LOOKS)).round().astype(int))
    found = [sequence[int(first + place)][::_STRIDE, ::_STRIDE].ravel() for place in places]
    z = np.concatenate(found).astype(np.float64)
    q = 1 / z[(z > 0) & (z < SKY)]
    if not q.size:
        raise InputError(f"Shot {shot.index + 1} has no depth: all of it is sky.", "Choose other --frames.")
    far, middle, near = (float(value) for value in np.quantile(q, _ENDS))
    if near - far < 1e-6 * near:  # a flat shot: everything is at the far end
        far = near * (1 - 1e-6)
    return Ends(far, middle, near)


def mover(
    options: ViewOptions, shot: ShotEntry, ends: Ends, lens: Intrinsics, path: FilePath | None
) -> Callable[[int], Move]:
    """The new cameras of a shot: number of a frame -> camera.

    Args:
        options: Which path.
        shot: The shot.
        ends: Of its inverse depth.
        lens: Of the plate.
        path: What the files say, where the path is one's.
    """
    pivot = options.pivot or 1 / ends.middle

    def along(number: int) -> float:
        return (number - shot.start_number) / max(shot.count - 1, 1)

    def dolly(number: int) -> Move:
        t = along(number)
        ahead = (DOLLY if options.amount is None else options.amount) / 100 * pivot * t * t * (3 - 2 * t)
        return Move(_moved((0, 0, -ahead)), lens)

    def orbit(number: int) -> Move:
        radius = (ORBIT if options.amount is None else options.amount) / 100 * pivot
        turn = 2 * math.pi * along(number)
        eye = np.array((radius * math.sin(turn), -_RISE * radius * (1 - math.cos(turn)), 0.0))
        return Move(inverse_pose(looking(eye, np.array((0, 0, pivot)))), lens)

    def filed(number: int) -> Move:
        assert path is not None
        return path.move(number - shot.start_number + shot.start)

    return {"dolly": dolly, "orbit": orbit}.get(options.path, filed)


def second_eye(options: ViewOptions, ends: Ends, lens: Intrinsics, width: int) -> Move:
    """The right eye of a shot, whose left one is the plate: beside it, with its picture shifted.

    Args:
        options: Comfort limit and convergence; a VR180 eye converges nowhere.
        ends: Of the shot's inverse depth.
        lens: Of the plate.
        width: Of the plate in pixels.
    """
    apart = options.max_disparity / 100 * width / (lens.fx * ends.span)
    screen = ends.near - BEFORE * ends.span if options.convergence is None else 1 / options.convergence
    shift = 0.0 if options.layout == "vr180" else apart * lens.fx * screen
    return Move(_moved((-apart, 0, 0)), replace(lens, cx=lens.cx + shift))


def looking(eye: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Camera-to-world (4, 4) of a level camera.

    Args:
        eye: (3,) where it stands.
        at: (3,) what it looks at.
    """
    ahead = (at - eye) / np.linalg.norm(at - eye)
    across = np.cross((0.0, 1.0, 0.0), ahead)
    across /= np.linalg.norm(across)
    pose = np.eye(4)
    pose[:3, :3] = np.stack((across, np.cross(ahead, across), ahead), 1)
    pose[:3, 3] = eye
    return pose


@dataclass(frozen=True, eq=False)
class FilePath:
    """A path as files have it.

    Attributes:
        wanted: Of the new camera.
        own: Of the plate's; None: that stands where a new camera of the file's program does.
        rest: (4, 4), there.
        first: Number of the clip's first frame, in the clip's own numbering.
    """

    wanted: CameraPath
    own: CameraPath | None
    rest: np.ndarray
    first: int

    @classmethod
    def read(
        cls, options: ViewOptions, clip: Clip, sequence: DepthSequence, progress: Progress
    ) -> FilePath | None:
        """What the options name, all of it read; None where the path is none of a file.

        Args:
            options: With path and camera.
            clip: The plate.
            sequence: The finished job.
            progress: Told how the files were understood.

        Raises:
            InputError: a file cannot be read, or is not of this clip.
        """
        plate, found = camera_plate(sequence, clip), []
        for file in (None if options.path in PATHS else Path(options.path), options.camera):
            read = None if file is None else _read(file, plate, sequence)
            for note in read.notes if read is not None else ():
                progress.warn(note)
            found.append(read)
        wanted, own = found
        if wanted is None:
            return None
        return cls(wanted.path, None if own is None else own.path, wanted.rest, clip.info.first_number or 0)

    @property
    def identity(self) -> str:
        """What decides the poses."""
        digest = hashlib.sha256()
        digest.update(json.dumps(self.rest.tolist()).encode())
        for path in (self.wanted, self.own):
            if path is not None:
                lenses = [(lens.fx, lens.fy, lens.cx, lens.cy) for lens in path.intrinsics]
                digest.update(json.dumps((path.numbers, path.poses.tolist(), lenses)).encode())
        return digest.hexdigest()[:16]

    def move(self, index: int) -> Move:
        """The new camera of a frame.

        Args:
            index: Of the frame in the clip, from 0.

        Raises:
            InputError: a path has no such frame.
        """
        number = self.first + index
        back = inverse_pose(self.wanted.pose(number))
        own = self.rest if self.own is None else self.own.pose(number)
        return Move(back @ own, self.wanted.lens(number))


def _read(file: Path, plate: Plate, sequence: DepthSequence) -> CameraFile:
    """A camera file of the clip; one numbered as the job's files hears how the clip is numbered."""
    try:
        return read_camera(file, plate)
    except InputError as error:
        first = plate.numbers[sequence.manifest.frames.first]
        if "is not of this clip" not in error.message or first == sequence.numbers.start:
            raise
        raise InputError(
            error.message, f"Number its frames as the clip's: file {sequence.numbers.start} is frame {first}."
        ) from error


def _moved(by: tuple[float, float, float]) -> np.ndarray:
    motion = np.eye(4)
    motion[:3, 3] = by
    return motion
