# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera paths as the core and other programs write them. No bpy in here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .manifest import Camera


@dataclass(frozen=True)
class PathFile:
    """A camera path.

    Attributes:
        poses: 16 numbers a frame, camera to world by rows, with OpenCV's axes.
        numbers: Frame numbers of the clip, ascending; empty: the file has none.
        lenses: One for all frames or one each; empty: the file does not say.
        width, height: Size in pixels of the picture the lenses are for.
        unit: ``metres``, ``scene`` or ``arbitrary``; empty: the file does not say.
    """

    poses: list[list[float]]
    numbers: list[int]
    lenses: list[Camera]
    width: int = 0
    height: int = 0
    unit: str = ""


def parse_path(text: str) -> PathFile:
    """The core's JSON with all it says; or poses alone, see `parse_poses`.

    Raises:
        ValueError: it is neither.
    """
    poses = parse_poses(text)
    data: dict[str, Any] = json.loads(text) if text.lstrip().startswith("{") else {}
    numbers, rows = data.get("numbers", []), data.get("intrinsics", [])
    if numbers and (len(numbers) != len(poses) or any(type(number) is not int for number in numbers)):
        raise ValueError(f"{len(poses)} poses have {len(numbers)} frame numbers")
    if any(later <= number for number, later in pairwise(numbers)):
        raise ValueError("its frame numbers do not ascend")
    if len(rows) not in {0, 1, len(poses)}:
        raise ValueError(f"{len(poses)} poses have {len(rows)} lenses")
    width, height = data.get("width", 0), data.get("height", 0)
    lenses = []
    for row in rows:
        fx, fy, cx, cy = (float(value) for value in row)
        if not (fx > 0 and fy > 0 and width > 0 and height > 0 and math.isfinite(fx + fy + cx + cy)):
            raise ValueError("a lens has no focal length, or the picture no size")
        lenses.append(Camera(fx, fy, cx, cy, "given"))
    return PathFile(poses, numbers, lenses, width, height, data.get("unit", ""))


def parse_poses(text: str) -> list[list[float]]:
    """Rows of 16 numbers, camera to world by rows: JSON with ``poses``, or a text line a frame.

    Raises:
        ValueError: it is neither.
    """
    if text.lstrip().startswith("{"):
        rows = json.loads(text).get("poses", [])
    else:
        lines = (line.split("#")[0].replace(",", " ").split() for line in text.splitlines())
        rows = [line for line in lines if line]
    poses = [[float(x) for x in row] for row in rows]
    for number, pose in enumerate(poses, 1):
        if len(pose) != 16 or not all(map(math.isfinite, pose)) or pose[12:] != [0, 0, 0, 1]:
            raise ValueError(f"pose {number} is not 16 numbers of a 4x4 matrix by rows, the last row 0 0 0 1")
    if not poses:
        raise ValueError("there are no poses")
    return poses
