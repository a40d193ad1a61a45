"""Blender's camera as JSON: what the add-on's *Export Camera for vdepth* writes, in Blender's own terms.

    {"format": "blender camera", "version": 1, "numbering": "clip" | "scene",
     "resolution": [1920, 1080], "pixel_aspect": [1, 1], "sensor_fit": "AUTO",
     "sensor_width": 36, "sensor_height": 24,
     "frames": [{"frame": 1001, "matrix_world": [[…], […], […], […]], "lens": 35,
                 "shift_x": 0, "shift_y": 0}, …]}

``matrix_world`` is camera to world and the camera looks along −z with y up; ``lens`` and the sensor are in
millimetres, shifts in widths of the side the sensor fits. ``numbering`` says whether frames are the clip's
own or the scene's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..camera import Intrinsics
from .raw import RawPath, fault, matrix, number, read_object, whole_number
from .rotations import FLIP

if TYPE_CHECKING:
    from .plate import Plate

FORMAT = "blender camera"
_FITS = ("AUTO", "HORIZONTAL", "VERTICAL")
_HINT = "Export the camera again, by the add-on's Export Camera for vdepth."


def recognised(data: dict[str, Any]) -> bool:
    """Whether a JSON object is a camera of Blender's.

    Args:
        data: The object.
    """
    return data.get("format") == FORMAT or "sensor_fit" in data


def read(path: Path, plate: Plate) -> RawPath:
    """Reads a file.

    Args:
        path: The file.
        plate: Unused: the file says all there is.

    Raises:
        InputError: it is not of this format.
    """
    data = read_object(path)
    if data.get("version", 1) != 1:
        raise fault(path, "", f"version {data['version']!r} is not known here", "Update vdepth.")
    frames = data.get("frames")
    if not isinstance(frames, list) or not frames:
        raise fault(path, "", "it holds no frame", _HINT)
    poses, lenses, numbers = [], [], []
    for place, frame in enumerate(frames, 1):
        try:
            values = {**data, **frame}
            poses.append(matrix(values.get("matrix_world")) @ FLIP)
            lenses.append(intrinsics(values))
            numbers.append(whole_number(values, "frame"))
        except (ValueError, TypeError, ArithmeticError) as error:
            raise fault(path, f"frame {place} of {len(frames)}", str(error), _HINT) from error
    width, height = _pair(data, "resolution")
    lens = tuple(lenses if any(one != lenses[0] for one in lenses) else lenses[:1])
    own = data.get("numbering") == "clip"
    size = int(width), int(height)
    return RawPath(np.stack(poses), "scene", lens, size, numbers=tuple(numbers), own=own, rest=FLIP)


def intrinsics(values: dict[str, Any]) -> Intrinsics:
    """The lens in pixels of the render, as Blender projects.

    Args:
        values: ``lens``, ``sensor_fit``, ``sensor_width``, ``sensor_height``, ``shift_x``, ``shift_y``,
            ``resolution`` and ``pixel_aspect`` of Blender.

    Raises:
        ValueError: one is missing or wrong.
    """
    (width, height), (wide, high) = _pair(values, "resolution"), _pair(values, "pixel_aspect", (1.0, 1.0))
    fit = values.get("sensor_fit", "AUTO")
    if fit not in _FITS:
        raise ValueError(f"sensor_fit is one of {', '.join(_FITS)}")
    squeeze = high / wide  # a pixel's height in widths of it
    if fit == "AUTO":  # which side of the picture the sensor's width is laid along
        fitted = width if width >= squeeze * height else squeeze * height
    else:
        fitted = width if fit == "HORIZONTAL" else squeeze * height
    sensor = number(values, "sensor_height", 24) if fit == "VERTICAL" else number(values, "sensor_width", 36)
    fx = number(values, "lens") / sensor * fitted
    return Intrinsics(
        fx,
        fx / squeeze,
        width / 2 - number(values, "shift_x", 0) * fitted,
        height / 2 + number(values, "shift_y", 0) * fitted / squeeze,
    )


def _pair(
    values: dict[str, Any], name: str, default: tuple[float, float] | None = None
) -> tuple[float, float]:
    pair = values.get(name, default)
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise ValueError(f"{name} is two numbers")
    first, second = (number({name: value}, name) for value in pair)
    if min(first, second) <= 0:
        raise ValueError(f"{name} is above 0")
    return first, second
