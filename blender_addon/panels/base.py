# SPDX-License-Identifier: GPL-3.0-or-later
"""What every panel of the tab shares."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.redraw import TAB

SPACES = {"VIEW_3D": "VIEW3D", "CLIP_EDITOR": "CLIP"}


def in_both_editors(panel: type) -> tuple[type, ...]:
    """The panel for the sidebars of the 3D View and of the Clip Editor, as two classes to register.

    Args:
        panel: Mix-in with ``bl_label``, ``draw`` and an attribute ``name`` in capitals; ``parent``, if it
            is a sub-panel, is the name of its parent; ``bl_options`` as usual.
    """
    classes = []
    for space, prefix in SPACES.items():
        members: dict[str, Any] = {
            "bl_idname": f"{prefix}_PT_vdepth_{panel.name.lower()}",  # type: ignore[attr-defined]
            "bl_space_type": space,
            "bl_region_type": "UI",
            "bl_category": TAB,
        }
        if parent := getattr(panel, "parent", ""):
            members["bl_parent_id"] = f"{prefix}_PT_vdepth_{parent.lower()}"
        classes.append(type(members["bl_idname"], (panel, bpy.types.Panel), members))
    return tuple(classes)
