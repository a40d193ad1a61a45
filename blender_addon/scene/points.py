# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's solved tracks as ``vdepth metric --points`` reads them: where frames see them, and how deep."""

from __future__ import annotations

import json
from typing import Any

from ..result.manifest import ResultError
from . import solve
from .active import clip_offset
from .camera import unit_of


def points_text(scene: Any, clip: Any) -> tuple[str, int]:
    """The file's text, a line a point, and how many there are; depth is metres if the scene's scale is true.

    Raises:
        ResultError: no track is in front of the solved camera.
    """
    camera = solve.find_solved_camera(scene, clip)
    units = scene.unit_settings
    unit = (unit_of(camera) if camera else 1.0) * (1.0 if units.system == "NONE" else units.scale_length)
    width, height = clip.size
    # A marker's frame counts from 1 where the scene counts from the clip's frame_start.
    to_number = clip.frame_start - 1 + clip_offset(clip)
    rows = [
        [sight.frame + to_number, sight.x * width, (1 - sight.y) * height, sight.depth * unit]
        for sight in solve.sights(clip)
    ]
    if not rows:
        raise ResultError(f"{clip.name} has no solved track in front of its camera.")
    head = {"format": "vdepth points", "version": 1, "unit": "scene", "width": width, "height": height}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    points = ",\n".join(map(json.dumps, rows))
    return "{\n" + ",\n".join(lines) + f',\n"points": [\n{points}\n]' + "}\n", len(rows)
