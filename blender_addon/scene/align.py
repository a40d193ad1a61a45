# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh brought to the place and scale of the clip's camera solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..result.manifest import Result
from . import camera as cameras
from . import solve


@dataclass(frozen=True)
class Aligned:
    """What came of it.

    Attributes:
        lines: One a shot, for the user.
        warn: Whether one of them should be read.
        used: Whether any shot's fit was good enough; if none was, the scene is as it was.
    """

    lines: list[str]
    warn: bool
    used: bool


def align_to_solve(context: Any, clip: Any, result: Result, mesh: Any) -> Aligned:
    """Scales the mesh, shot by shot, to the solve's units, and puts it at the camera that follows the solve.

    Raises:
        ResultError: a depth file is gone.
    """
    scene = context.scene
    settings = scene.vdepth.camera
    shots = solve.align_shots(clip, result)
    used = any(found is not None and found.usable for _, found in shots)
    if used:
        camera = solve.find_solved_camera(scene, clip)
        if settings.parent_to_solve:
            camera = camera or solve.add_solved_camera(context, clip)
            lens = cameras.intrinsics(clip, result, "SOLVE", settings.fov, result.first_number)
            cameras.set_intrinsics(mesh, lens, "SOLVE")
            cameras.fit_lens(camera, lens, result.width, result.height)
            cameras.put_under(mesh, camera)
            if settings.make_active:
                scene.camera = camera
        context.view_layer.update()
        factor = (cameras.unit_of(camera) if camera else 1.0) / cameras.unit_of(mesh)
        shots = [(shot, found and solve.scaled(found, factor)) for shot, found in shots]
        cameras.set_alignment(mesh, clip, result, shots)
    poor = [found is None or not found.usable or bool(found.note) for _, found in shots]
    return Aligned(cameras.note_alignment(clip, shots, poor), any(poor), used)
