"""Trajectories as the TUM RGB-D benchmark and most SLAM systems write them.

A line a pose: ``timestamp tx ty tz qx qy qz qw``, camera to world in OpenCV's axes, time in seconds. There is
no lens in it. What the time stamps mean for a clip's frames is settled in `stamps`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...files import write_bytes
from ..camera_path import CameraPath
from .raw import RawPath, fault, read_rows, stated_unit
from .rotations import quaternion_of, rotation_of

if TYPE_CHECKING:
    from .plate import Plate

_LAYOUT = "timestamp tx ty tz qx qy qz qw"
_LENGTH = 0.01  # a quaternion's length is 1 to as many digits as sloppy programs print


def read(path: Path, plate: Plate) -> RawPath:
    """Reads a file.

    Args:
        path: The file.
        plate: Unused: `stamps` makes frames of the time stamps.

    Raises:
        InputError: it is not of this format.
    """
    seconds: list[float] = []
    poses = []
    for line, (stamp, *translation, qx, qy, qz, qw) in read_rows(path, (8,), _LAYOUT):
        quaternion = np.array((qw, qx, qy, qz))
        if abs(np.linalg.norm(quaternion) - 1) > _LENGTH:
            raise fault(
                path, line, "the last four numbers are no unit quaternion", f"A line holds: {_LAYOUT}."
            )
        if seconds and stamp <= seconds[-1]:
            raise fault(path, line, f"the time stamp {stamp} does not ascend", "Sort the lines by time.")
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation_of(quaternion), translation
        poses.append(pose)
        seconds.append(stamp)
    return RawPath(np.stack(poses), stated_unit(path, "scene"), seconds=tuple(seconds))


def write(camera: CameraPath, path: Path, plate: Plate) -> None:
    """Writes a file; time counts from the clip's first frame.

    Args:
        camera: The path.
        path: The file, replaced if it is there.
        plate: For the frames' times.

    Raises:
        ResourceError: it cannot be written.
    """
    lines = [
        "# Camera path by vdepth, camera to world, OpenCV axes",
        f"# unit: {camera.unit}",
        f"# {_LAYOUT}",
    ]
    for number, pose in zip(camera.numbers, camera.poses, strict=True):
        w, x, y, z = quaternion_of(pose[:3, :3])
        values = (*pose[:3, 3], x, y, z, w)
        time = f"{float(plate.time(number)):.9f}"
        lines.append(" ".join((time, *(f"{value:.17g}" for value in values))))
    write_bytes(path, "\n".join((*lines, "")).encode())
