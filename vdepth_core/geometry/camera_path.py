"""Where a clip's camera was in each frame: camera-to-world poses in OpenCV axes, and the lens."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from ..errors import InputError
from .camera import Intrinsics

PathUnit = Literal["metres", "scene", "arbitrary"]
_RIGID = 1e-4  # a rotation times its transpose may leave the identity by this: files hold few digits


@dataclass(frozen=True, eq=False)
class CameraPath:
    """The camera of a clip's frames.

    Attributes:
        numbers: Frame numbers in the clip's own numbering, ascending; frames may be missing.
        poses: (N, 4, 4) float64, camera-to-world, OpenCV axes (x right, y down, z forward); rigid.
        intrinsics: One a frame, or one for all, in pixels of a plate of ``width`` x ``height``.
        width, height: Of that plate in pixels.
        unit: Of the translations: ``metres``, ``scene`` (the host's own) or ``arbitrary`` (recovered from
            pictures, up to a factor).
    """

    numbers: tuple[int, ...]
    poses: np.ndarray
    intrinsics: tuple[Intrinsics, ...]
    width: int
    height: int
    unit: PathUnit

    def __post_init__(self) -> None:
        """Refuses what is no path.

        Raises:
            ValueError: counts disagree, numbers do not ascend, or a pose is no rigid motion.
        """
        count = len(self.numbers)
        if not count or any(later <= number for number, later in pairwise(self.numbers)):
            raise ValueError("the frame numbers of a camera path ascend, and there is at least one")
        if self.poses.shape != (count, 4, 4):
            raise ValueError(f"{count} frames need poses of shape ({count}, 4, 4), not {self.poses.shape}")
        if len(self.intrinsics) not in {1, count}:
            raise ValueError(f"{count} frames need one lens or {count}, not {len(self.intrinsics)}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"the plate of a camera path is {self.width}x{self.height} pixels")
        if self.unit not in get_args(PathUnit):
            raise ValueError(f"the unit of a camera path is one of {', '.join(get_args(PathUnit))}")
        for number, pose in zip(self.numbers, self.poses, strict=True):
            if fault := rigid_fault(pose):
                raise ValueError(f"the pose of frame {number} {fault}")

    def pose(self, number: int) -> np.ndarray:
        """Camera-to-world of a frame: (4, 4) float64.

        Args:
            number: In the clip's own numbering.

        Raises:
            InputError: the path has no such frame.
        """
        pose: np.ndarray = self.poses[self._place(number)]
        return pose

    def lens(self, number: int) -> Intrinsics:
        """The intrinsics of a frame.

        Args:
            number: In the clip's own numbering.

        Raises:
            InputError: the path has no such frame.
        """
        place = self._place(number)
        return self.intrinsics[place if len(self.intrinsics) > 1 else 0]

    def relative(self, target: int, source: int) -> np.ndarray:
        """The motion T that carries points from one frame's camera into another's: X_source = T X_target.

        Args:
            target: Number of the frame whose camera the points are in.
            source: Number of the frame whose camera they are wanted in.

        Returns:
            (4, 4) float64.

        Raises:
            InputError: the path has no such frame.
        """
        motion: np.ndarray = inverse_pose(self.pose(source)) @ self.pose(target)
        return motion

    def resized(self, width: int, height: int) -> CameraPath:
        """The same path for a plate of another size.

        Args:
            width, height: In pixels.
        """
        sx, sy = width / self.width, height / self.height
        lenses = tuple(lens.scaled(sx, sy) for lens in self.intrinsics)
        return replace(self, intrinsics=lenses, width=width, height=height)

    def _place(self, number: int) -> int:
        place = bisect_left(self.numbers, number)
        if place == len(self.numbers) or self.numbers[place] != number:
            raise InputError(
                f"The camera path has no frame {number}: its {len(self.numbers)} frames run from "
                f"{self.numbers[0]} to {self.numbers[-1]}.",
                "Check that it was made for this clip, and that both number their frames alike.",
            )
        return place


def inverse_pose(pose: np.ndarray) -> np.ndarray:
    """The motion back, exact but for rounding.

    Args:
        pose: (..., 4, 4), rigid.

    Returns:
        (..., 4, 4) float64.
    """
    back = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse = np.zeros(pose.shape, np.float64)
    inverse[..., :3, :3] = back
    inverse[..., :3, 3:] = -back @ pose[..., :3, 3:]
    inverse[..., 3, 3] = 1
    return inverse


def rigid_fault(pose: np.ndarray) -> str:
    """Why a matrix is no rigid motion, as the end of a sentence; empty where it is one.

    Args:
        pose: (4, 4).
    """
    if not np.isfinite(pose).all():
        return "holds a number that is not finite"
    if not np.array_equal(pose[3], (0, 0, 0, 1)):
        return "does not end in the row 0 0 0 1"
    rotation = pose[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > _RIGID:
        return "is scaled or sheared: its axes are not of length 1 and at right angles"
    return "mirrors the scene" if np.linalg.det(rotation) < 0 else ""
