# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings what a scene has of a clip up to date with the choice of its sky."""

from __future__ import annotations

from typing import Any

from ..result.manifest import ResultError
from . import compositor, sky
from .active import result_of
from .mesh import find_mesh


def follow_sky(scene: Any, clip: Any) -> None:
    """Gives the choice to the clip's mesh and compositor, if it has them and the files are there."""
    try:
        result = result_of(clip)
        if (mesh := find_mesh(clip)) is not None:
            sky.apply(scene, clip, mesh, result)
        if compositor.find_node(scene, clip) is not None:
            compositor.set_up(scene, clip, result, scene.vdepth.compositor)
    except ResultError:  # the panels say so
        return
