"""Nuke's camera: a chan file, or JSON in the words of the Camera node's knobs.

Chan (``.chan``; also boujou's, Houdini's and Blender's): a line a frame,

    frame  tx ty tz  rx ry rz  [vertical field of view]

in degrees, in the node's default rotation order ZXY: turned about z first, then x, then y.

JSON, which Nuke does not write by itself (docs/cameras.md has the script):

    {"format": "nuke camera", "resolution": [1920, 1080], "pixel_aspect": 1,
     "frames": [{"frame": 1001, "matrix": [16 numbers by rows], "focal": 35, "haperture": 24.576}, …]}

``matrix`` is the knob ``world_matrix``. Both cameras look along −z with y up. What holds for all frames
(``haperture``, mostly) may stand beside them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ...files import write_bytes
from ..camera import Intrinsics
from ..camera_path import CameraPath
from .raw import RawPath, fault, matrix, number, read_object, read_rows, whole_number
from .rotations import FLIP, angles_zxy, turned_about

if TYPE_CHECKING:
    from .plate import Plate

FORMAT = "nuke camera"
_NARROWEST = 0.005  # degrees
_OFF = 1e-3  # of the picture: what a chan file, which has no place for it, may leave out
_CHAN = "frame tx ty tz rx ry rz, and the vertical field of view in degrees"
_HINT = "Write it by the script in the page on camera files."


def recognised(data: dict[str, Any]) -> bool:
    """Whether a JSON object is a camera of Nuke's.

    Args:
        data: The object.
    """
    return data.get("format") == FORMAT or "haperture" in data


def read(path: Path, plate: Plate) -> RawPath:
    """Reads a JSON file.

    Args:
        path: The file.
        plate: Unused: the file says all there is.

    Raises:
        InputError: it is not of this format.
    """
    data = read_object(path)
    frames = data.get("frames")
    if not isinstance(frames, list) or not frames:
        raise fault(path, "", "it holds no frame", _HINT)
    poses, lenses, numbers, size = [], [], [], (0, 0)
    for place, frame in enumerate(frames, 1):
        try:
            values = {**data, **frame}
            width, height = (int(side) for side in values["resolution"])
            size = (width, height)
            poses.append(matrix(values.get("matrix")) @ FLIP)
            lenses.append(_intrinsics(values, width, height))
            numbers.append(whole_number(values, "frame"))
        except KeyError as error:
            raise fault(path, "", f"{error.args[0]} is missing", _HINT) from error
        except (ValueError, TypeError, ArithmeticError) as error:
            raise fault(path, f"frame {place} of {len(frames)}", str(error), _HINT) from error
    lens = tuple(lenses if any(one != lenses[0] for one in lenses) else lenses[:1])
    return RawPath(np.stack(poses), "scene", lens, size, numbers=tuple(numbers), rest=FLIP)


def read_chan(path: Path, plate: Plate) -> RawPath:
    """Reads a chan file.

    Args:
        path: The file.
        plate: For what turns a vertical field of view into pixels, and the lens where there is none.

    Raises:
        InputError: it is not of this format.
    """
    poses, lenses, numbers = [], [], []
    for line, row in read_rows(path, (7, 8), _CHAN):
        frame, x, y, z, rx, ry, rz, *fov = row
        if frame != int(frame):
            raise fault(path, line, f"{frame} is no frame number", f"A line holds: {_CHAN}.")
        pose = np.eye(4)
        pose[:3, :3] = turned_about(1, ry) @ turned_about(0, rx) @ turned_about(2, rz)
        pose[:3, 3] = x, y, z
        poses.append(pose @ FLIP)
        numbers.append(int(frame))
        if fov:
            if not _NARROWEST < fov[0] < 180:
                raise fault(path, line, f"{fov[0]} degrees are no field of view", f"A line holds: {_CHAN}.")
            fy = plate.height / 2 / math.tan(math.radians(fov[0]) / 2)
            lenses.append(Intrinsics(fy / float(plate.pixel_aspect), fy, plate.width / 2, plate.height / 2))
    if len(lenses) not in {0, len(poses)}:
        raise fault(path, "", "some lines have a field of view and some have none", f"A line holds: {_CHAN}.")
    lens = tuple(lenses if any(one != lenses[0] for one in lenses) else lenses[:1])
    return RawPath(np.stack(poses), "scene", lens, numbers=tuple(numbers), rest=FLIP)


def write_chan(camera: CameraPath, path: Path, plate: Plate) -> None:
    """Writes a chan file with the vertical field of view.

    Args:
        camera: The path.
        path: The file, replaced if it is there.
        plate: For the shape of its pixels.

    Raises:
        InputError: the lens is off centre or has other pixels than the plate, which the format cannot say.
        ResourceError: it cannot be written.
    """
    lines = []
    for frame, pose in zip(camera.numbers, camera.poses, strict=True):
        lens = camera.lens(frame)
        centred = abs(lens.cx / camera.width - 0.5) < _OFF and abs(lens.cy / camera.height - 0.5) < _OFF
        if not centred or abs(lens.fx * float(plate.pixel_aspect) / lens.fy - 1) > _OFF:
            raise InputError(
                f"A chan file cannot hold the lens of frame {frame}, which is off the picture's middle or "
                "has pixels of another shape.",
                "Write .json or .usda instead.",
            )
        turn = (pose @ FLIP)[:3, :3]
        fov = 2 * math.degrees(math.atan(camera.height / 2 / lens.fy))
        values = (*pose[:3, 3], *angles_zxy(turn), fov)
        lines.append(" ".join((str(frame), *(f"{value:.17g}" for value in values))))
    write_bytes(path, "\n".join((*lines, "")).encode())


def _intrinsics(values: dict[str, Any], width: int, height: int) -> Intrinsics:
    moved = np.asarray(values.get("win_translate", 0), np.float64)
    if moved.any():
        raise ValueError("the window is moved (win_translate), which cannot be read: set it to 0")
    fx = number(values, "focal") / number(values, "haperture") * width
    return Intrinsics(fx, fx * number(values, "pixel_aspect", 1), width / 2, height / 2)
