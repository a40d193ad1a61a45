# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a shot needs to have objects rendered into it, in the right order."""

from __future__ import annotations

from typing import Any

from ..result.manifest import Result
from . import compositor, sky, solve
from .align import Aligned, align_to_solve
from .match import match
from .mesh import build_mesh


def place(context: Any, clip: Any, result: Result) -> tuple[Any, Aligned | None]:
    """The camera matched to the clip and the mesh before it, at the clip's solve if it has one.

    Returns:
        The mesh, and what the solve said of its scale.

    Raises:
        ResultError: a depth file is gone.
    """
    scene = context.scene
    camera = solve.find_solved_camera(scene, clip) if solve.is_solved(clip) else None
    if camera is not None:  # it is where the mesh will be, so it is what is matched
        scene.camera = camera
    match(context, clip, result, scene.vdepth.mesh, again=True)
    if not scene.frame_start <= scene.frame_current <= scene.frame_end:
        scene.frame_set(scene.frame_start)
    mesh = build_mesh(context, clip, result)
    sky.apply(scene, clip, mesh, result)
    aligned = align_to_solve(context, clip, result, mesh) if solve.is_solved(clip) else None
    return mesh, aligned


def composite(context: Any, clip: Any, result: Result) -> Any:
    """The compositor, last: it asks where the mesh is and what renders. Returns the group's node."""
    scene = context.scene
    return compositor.set_up(scene, clip, result, scene.vdepth.compositor)
