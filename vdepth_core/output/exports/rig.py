"""The plate's camera in every frame: the lens that the job knows, and the path that a file does.

A finished job has no poses of its own. Without a file the camera stands still at the origin, which is said
where a format is about many views of one scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...geometry.camera import Intrinsics
from ...geometry.camera_files.formats import read_camera
from ...geometry.camera_files.rotations import FLIP
from ...geometry.camera_path import CameraPath
from ..plate import camera_plate, plate_of, shift_of
from ..sequence import DepthSequence, numbers_of

if TYPE_CHECKING:
    from ...progress import Progress
    from ..manifest import ShotEntry
    from .options import CameraOptions

STILL = (
    "The camera is taken to stand still: a finished job knows the lens, not where the camera was. "
    "Give its path with --camera FILE (see docs/cameras.md)."
)


@dataclass(frozen=True, eq=False)
class Rig:
    """A job's camera.

    Attributes:
        sequence: The finished job.
        path: From the file; None: the camera stands still at the origin.
        first: Number of the clip's first frame, in the clip's own numbering.
        scale: Units of the depth to one of the path.
        shift: What the numbers of the job's files have over the clip's own; 0 where no one asks.
    """

    sequence: DepthSequence
    path: CameraPath | None
    first: int
    scale: float
    shift: int = 0

    @classmethod
    def read(
        cls, sequence: DepthSequence, options: CameraOptions, progress: Progress, views: bool = False
    ) -> Rig:
        """Reads the file that the options name, if they do.

        Args:
            sequence: The finished job.
            options: Which file, and its unit.
            progress: Told how it was understood, and where its unit is not the depth's.
            views: The format is about many views of one scene: tell that the camera stands still.

        Raises:
            InputError: the clip is gone or changed, or the file cannot be read or is not of this clip.
        """
        if options.camera is None:
            if not views:
                return cls(sequence, None, 0, 1.0)
            progress.warn(STILL)
        clip = plate_of(sequence.manifest)
        first, shift = clip.info.first_number or 0, shift_of(sequence.manifest, clip)
        if options.camera is None:
            return cls(sequence, None, first, 1.0, shift)
        found = read_camera(options.camera, camera_plate(sequence, clip))
        for note in found.notes:
            progress.warn(note)
        manifest = sequence.manifest
        of_depth = manifest.model.space == "metric" or manifest.metric is not None
        metric = of_depth, found.path.unit == "metres"
        if options.camera_scale is None and metric != (True, True):
            units = ["in metres" if known else "in units of its own" for known in metric]
            progress.warn(
                f"Depth is {units[0]} and the camera path {units[1]}: if points of one thing do not meet, "
                "bring depth into metres with vdepth metric, or set --camera-scale."
            )
        return cls(sequence, found.path, first, options.camera_scale or 1.0, shift)

    def numbers(self, frames: str | None, progress: Progress) -> list[int]:
        """The frames that are wanted, but for those of which the path has no pose.

        Args:
            frames: The range as the user wrote it; None: all.
            progress: Told how many have none.

        Raises:
            UsageError: the sequence has none of the frames.
            InputError: the path has none of them.
        """
        wanted = numbers_of(self.sequence, frames)
        found = [number for number in wanted if self.knows(number)]
        if not found:
            raise InputError("The camera file has none of the frames.", "Check that it is of this clip.")
        if len(found) < len(wanted):
            progress.warn(f"{len(wanted) - len(found)} frames without a pose are left out.")
        return found

    def knows(self, number: int) -> bool:
        """Whether a frame's camera is known; one that stands still always is.

        Args:
            number: Of the frame's file.
        """
        return self.path is None or self._own(number) in self.path.numbers

    def lens(self, number: int) -> Intrinsics:
        """The lens of a frame.

        Args:
            number: Of the frame's file, one that it `knows`.
        """
        if self.path is not None:
            return self.path.lens(self._own(number))
        return self._shot(number).camera.intrinsics()

    def pose(self, number: int) -> np.ndarray:
        """Camera-to-world (4, 4) float64, OpenCV axes, in units of the depth.

        Args:
            number: Of the frame's file, one that it `knows`.
        """
        if self.path is None:
            return np.eye(4)
        pose = self.path.pose(self._own(number)).copy()
        pose[:3, 3] *= self.scale
        return pose

    def world(self, number: int) -> np.ndarray:
        """The same (4, 4) for a camera that looks along −z, y up: 3D programs' and `surface`'s axes.

        The world is the camera file's own; without one it is the camera.

        Args:
            number: Of the frame's file, one that it `knows`.
        """
        return np.eye(4) if self.path is None else self.pose(number) @ FLIP

    def _own(self, number: int) -> int:
        """A frame in the clip's own numbering."""
        shot = self._shot(number)
        return self.first + number - shot.start_number + shot.start

    def _shot(self, number: int) -> ShotEntry:
        shots = self.sequence.manifest.shots
        return next(shot for shot in reversed(shots) if shot.start_number <= number or shot is shots[0])
