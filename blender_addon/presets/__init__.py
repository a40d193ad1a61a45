# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of the estimate's settings: three that come with the add-on, and the user's own."""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

_FOLDER = "vdepth"


class VDEPTH_PT_presets(PresetPanel, bpy.types.Panel):
    """The popover in the panel's header."""

    bl_label = "Video Depth Presets"
    preset_subdir = _FOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = "vdepth.add_preset"


class VDEPTH_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Add or remove a preset of the estimate's settings"""

    bl_idname = "vdepth.add_preset"
    bl_label = "Add Video Depth Preset"
    preset_menu = "VDEPTH_PT_presets"
    preset_subdir = _FOLDER
    preset_defines = ("settings = bpy.context.scene.vdepth",)
    preset_values = tuple(
        f"settings.{name}"
        for name in (
            *("preset", "model", "method", "size", "boost", "non_commercial"),
            *("near", "far", "lens", "normals", "sky"),
        )
    )


CLASSES = (VDEPTH_OT_add_preset, VDEPTH_PT_presets)


def register() -> None:
    """Lets Blender find ours beside the user's; the first 4.2 has no way to."""
    if hasattr(bpy.utils, "register_preset_path"):
        bpy.utils.register_preset_path(str(Path(__file__).parents[1]))


def unregister() -> None:
    """Takes them out of its menus."""
    if hasattr(bpy.utils, "unregister_preset_path"):
        bpy.utils.unregister_preset_path(str(Path(__file__).parents[1]))
