"""Nerfstudio's ``transforms.json``, which instant-ngp and the NeRF data sets write, too.

    {"camera_model": "OPENCV", "fl_x": 1072, "fl_y": 1068, "cx": 960, "cy": 540, "w": 1920, "h": 1080,
     "frames": [{"file_path": "images/frame_00001.png", "transform_matrix": [[…], […], […], […]]}, …]}

``transform_matrix`` is camera to world and the camera looks along −z with y up. The lens stands beside the
frames or in each of them; where it is only ``camera_angle_x`` (radians), pixels are square. The world is the
file's own: a transformation that Nerfstudio applied to it is not undone.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..camera import Intrinsics
from .raw import RawPath, fault, matrix, number, read_object, whole_number
from .rotations import FLIP
from .straight import bent_notes, straightened

if TYPE_CHECKING:
    from .plate import Plate

_PINHOLES = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE")
_OURS, _OVER = "vdepth", "file_numbers_less"
_BENDS = ("k1", "k2", "p1", "p2")
_HINT = "Write it again, as ns-process-data does; a fisheye's pictures have to be straightened first."


def recognised(data: dict[str, Any]) -> bool:
    """Whether a JSON object is one of Nerfstudio's.

    Args:
        data: The object.
    """
    frames = data.get("frames")
    return isinstance(frames, list) and any(
        isinstance(one, dict) and "transform_matrix" in one for one in frames
    )


def read(path: Path, plate: Plate) -> RawPath:
    """Reads a file.

    Args:
        path: The file.
        plate: For its size, where the lens is only an angle.

    Raises:
        InputError: it is not of this format.
    """
    data = read_object(path)
    poses, names, lenses, sizes, moved = [], [], [], set(), 0.0
    frames = data["frames"]
    for place, frame in enumerate(frames, 1):
        try:
            values = {**data, **frame}
            poses.append(matrix(values.get("transform_matrix")) @ FLIP)
            names.append(_name(values))
            lens, size, bent = _lens(values, plate)
            sizes.add(size)
            moved = max(moved, bent)
            if lens is not None:
                lenses.append(lens)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise fault(path, f"frame {place} of {len(frames)}", str(error), _HINT) from error
    if len(sizes) > 1 or len(lenses) not in {0, len(poses)}:
        what = "its pictures are not all of one size" if len(sizes) > 1 else "some frames have no lens"
        raise fault(path, "", what, "Give the frames of this clip only.")
    if "" in names and any(names):
        raise fault(path, "", "some frames have no file_path", _HINT)
    notes = bent_notes(path, moved, "Straighten the pictures for an exact one.")
    return RawPath(
        np.stack(poses), "scene", tuple(dict.fromkeys(lenses)) if len(set(lenses)) == 1 else tuple(lenses),
        sizes.pop(), names=tuple(names) if all(names) else None, shift=_shift(data), notes=notes, rest=FLIP,
    )  # fmt: skip


def shift_entry(shift: int) -> dict[str, Any]:
    """What an export adds to the object: which frames of the clip the numbers of its pictures are.

    Args:
        shift: What the numbers have over the clip's own.
    """
    return {_OURS: {_OVER: shift}}


def _shift(data: dict[str, Any]) -> int | None:
    """What `shift_entry` said; None: nothing."""
    told = data.get(_OURS)
    shift = told.get(_OVER) if isinstance(told, dict) else None
    return shift if isinstance(shift, int) and not isinstance(shift, bool) else None


def _name(values: dict[str, Any]) -> str:
    name = values.get("file_path", "")
    if not isinstance(name, str):
        raise ValueError("file_path is no text")
    return name


def _lens(values: dict[str, Any], plate: Plate) -> tuple[Intrinsics | None, tuple[int, int] | None, float]:
    """The lens, the size of the picture it is for, and how many pixels its bend is off; None: it says not."""
    model = values.get("camera_model", _PINHOLES[0])
    if model not in _PINHOLES:
        raise ValueError(f"the camera model {model} is not read, only {', '.join(_PINHOLES)}")
    size = (whole_number(values, "w"), whole_number(values, "h")) if "w" in values else None
    if size is not None and min(size) < 1:
        raise ValueError(f"a picture of {size[0]}x{size[1]} pixels is none")
    width, height = size or (plate.width, plate.height)
    if "fl_x" in values:
        if size is None:
            raise ValueError("fl_x needs w and h, the size of the picture it is for")
        fx = number(values, "fl_x")
        fy = number(values, "fl_y", fx)
    elif "camera_angle_x" in values:
        fx = _focal(values, "camera_angle_x", width)
        squeeze = float(plate.pixel_aspect) if size is None else 1.0
        fy = _focal(values, "camera_angle_y", height) if "camera_angle_y" in values else fx * squeeze
    else:
        return None, size, 0.0
    lens = Intrinsics(fx, fy, number(values, "cx", width / 2), number(values, "cy", height / 2))
    bends = [number(values, name, 0) for name in _BENDS]
    return lens, size, straightened(lens, width, height, bends, model)


def _focal(values: dict[str, Any], name: str, side: int) -> float:
    angle = number(values, name)
    if not 0 < angle < math.pi:
        raise ValueError(f"{name} is an angle in radians, not {angle:g}")
    return side / 2 / math.tan(angle / 2)
