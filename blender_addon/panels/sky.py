# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of the sky, as several panels draw it."""

from __future__ import annotations

from typing import Any

from ..scene.mesh import find_mesh
from ..scene.sky import is_masked


def draw_sky(layout: Any, clip: Any) -> None:
    """The clip's switch, and what tells the sky where there is no mask of it."""
    if clip is None:
        return
    layout.prop(clip.vdepth, "sky")
    mesh = find_mesh(clip)
    if mesh is not None and not is_masked(mesh):
        layout.label(text="No mask: what is far counts", icon="INFO")
