# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that follow where a clip begins in the scene: moved in the Clip Editor, it takes all with it."""

from __future__ import annotations

from typing import Any


def follow(owner: Any, path: str, clip: Any, expression: str) -> None:
    """Drives a number by ``start`` and ``offset``, the clip's frame_start and frame_offset.

    Args:
        owner: Data-block the number belongs to.
        path: Its data path from there.
        clip: The movie clip.
        expression: Of numbers, ``start``, ``offset``, ``frame``, ``min`` and ``max``: Blender works those out
            without Python, whether scripts are trusted or not.
    """
    owner.driver_remove(path)
    driver = owner.driver_add(path).driver
    driver.type = "SCRIPTED"
    for name in ("start", "offset"):
        variable = driver.variables.new()
        variable.name = name
        target = variable.targets[0]
        target.id_type, target.id, target.data_path = "MOVIECLIP", clip, f"frame_{name}"
    driver.expression = expression
