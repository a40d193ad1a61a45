# SPDX-License-Identifier: GPL-3.0-or-later
"""Our sidebars: drawn anew, and whether the pointer is over one."""

from __future__ import annotations

from typing import Any

import bpy

TAB = "Video Depth"
"""The sidebar's tab that holds our panels."""
_AREAS = frozenset({"VIEW_3D", "CLIP_EDITOR", "PREFERENCES"})


def redraw() -> None:
    """Draws the sidebars and the preferences in every window, not the scene: that may take a while."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions if area.type in _AREAS else ():
                if region.type == "UI" or area.type == "PREFERENCES":
                    region.tag_redraw()


def is_over_panels(window: Any, x: int, y: int) -> bool:
    """Whether a place in a window lies on a sidebar that shows our tab.

    Args:
        window: The window.
        x: Pixels from its left edge.
        y: Pixels from its lower edge.
    """
    for area in window.screen.areas:
        for region in area.regions if area.type in _AREAS else ():
            ours = region.type == "UI" and getattr(region, "active_panel_category", TAB) == TAB
            across, up = x - region.x, y - region.y
            if ours and 0 <= across < region.width and 0 <= up < region.height:
                return True
    return False
