"""Our own JSON: poses in OpenCV's axes, frame numbers of the clip, lenses in pixels.

    {"format": "vdepth camera path", "version": 1, "axes": "opencv", "unit": "arbitrary",
     "width": 1920, "height": 1080, "rate": "24",
     "numbers": [1001, …], "intrinsics": [[fx, fy, cx, cy], …], "poses": [[16 numbers, by rows], …]}

Only ``poses`` must be there. ``intrinsics`` has one entry for all frames or one each. Numbers are written so
that they are read back to the last bit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from ...files import write_bytes
from ..camera import Intrinsics
from ..camera_path import CameraPath, PathUnit
from .raw import RawPath, fault, matrix, number, read_object, whole_number

if TYPE_CHECKING:
    from .plate import Plate

FORMAT = "vdepth camera path"
VERSION = 1
_HINT = "Export the camera path again."


def recognised(data: dict[str, Any]) -> bool:
    """Whether a JSON object is a camera path of ours, or any other list of poses.

    Args:
        data: The object.
    """
    return "poses" in data


def read(path: Path, plate: Plate) -> RawPath:
    """Reads a file.

    Args:
        path: The file.
        plate: Unused: the file says all there is.

    Raises:
        InputError: it is not of this format.
    """
    data = read_object(path)
    if data.get("axes", "opencv") != "opencv":
        raise fault(path, "", "its axes are not OpenCV's (x right, y down, z forward)", _HINT)
    if data.get("version", VERSION) != VERSION:
        raise fault(path, "", f"version {data['version']!r} is not known here", "Update vdepth.")
    rows = data["poses"]
    if not isinstance(rows, list) or not rows:
        raise fault(path, "", "it holds no pose", _HINT)
    poses = []
    for place, row in enumerate(rows, 1):
        try:
            poses.append(matrix(row))
        except ValueError as error:
            raise fault(path, f"pose {place}", str(error), _HINT) from error
    try:
        unit = data.get("unit", "scene")
        if unit not in get_args(PathUnit):
            raise ValueError(f"the unit is one of {', '.join(get_args(PathUnit))}")
        intrinsics = _intrinsics(data)
        if intrinsics and "width" not in data:
            raise ValueError("intrinsics need the width and height of the picture they are for")
        size = (whole_number(data, "width"), whole_number(data, "height")) if "width" in data else None
        numbers = _numbers(data, len(poses))
        if len(intrinsics) not in {0, 1, len(poses)}:
            raise ValueError(f"{len(poses)} poses have {len(intrinsics)} intrinsics")
    except (ValueError, TypeError, OverflowError) as error:
        raise fault(path, "", str(error), _HINT) from error
    return RawPath(np.stack(poses), unit, intrinsics, size, numbers=numbers, own=True)


def write(camera: CameraPath, path: Path, plate: Plate) -> None:
    """Writes a file.

    Args:
        camera: The path.
        path: The file, replaced if it is there.
        plate: For its rate, which other programs like to know.

    Raises:
        ResourceError: it cannot be written.
    """
    head = {
        "format": FORMAT,
        "version": VERSION,
        "axes": "opencv",
        "unit": camera.unit,
        "width": camera.width,
        "height": camera.height,
        "rate": str(plate.rate),
        "numbers": list(camera.numbers),
    }
    lenses = [[lens.fx, lens.fy, lens.cx, lens.cy] for lens in camera.intrinsics]
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    lines.append(_listed("intrinsics", lenses))
    lines.append(_listed("poses", camera.poses.reshape(-1, 16).tolist()))
    write_bytes(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _listed(name: str, rows: list[list[float]]) -> str:
    return f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]"


def _intrinsics(data: dict[str, Any]) -> tuple[Intrinsics, ...]:
    rows = data.get("intrinsics")
    if rows is None and "fx" in data:  # as in a camera file of a lens alone
        rows = [[number(data, name) for name in ("fx", "fy", "cx", "cy")]]
    if rows is None:
        return ()
    values = np.asarray(rows, np.float64)
    if values.ndim != 2 or values.shape[1] != 4:
        raise ValueError("intrinsics are rows of fx, fy, cx, cy")
    return tuple(Intrinsics(*row) for row in values.tolist())


def _numbers(data: dict[str, Any], count: int) -> tuple[int, ...] | None:
    numbers = data.get("numbers")
    if numbers is None:
        return None
    if not isinstance(numbers, list) or not all(type(value) is int for value in numbers):
        raise ValueError("numbers are whole numbers")
    if len(numbers) != count:
        raise ValueError(f"{count} poses have {len(numbers)} frame numbers")
    return tuple(numbers)
