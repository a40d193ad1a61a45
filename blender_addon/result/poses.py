# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera paths as other programs write them. No bpy in here."""

from __future__ import annotations

import json
import math


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
