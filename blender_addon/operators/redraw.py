# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws what shows the state of the add-on anew."""

from __future__ import annotations

import bpy

_AREAS = frozenset({"VIEW_3D", "CLIP_EDITOR", "PREFERENCES"})


def redraw() -> None:
    """Draws the sidebars and the preferences in every window, not the scene: that may take a while."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions if area.type in _AREAS else ():
                if region.type == "UI" or area.type == "PREFERENCES":
                    region.tag_redraw()
