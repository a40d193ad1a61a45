# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows depth in an Image Editor, and opens files outside of Blender: a log, a preview, a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import StringProperty

from ..scene.active import active_clip, result_of
from ..scene.show import show_depth
from .on_clip import OnDepth, reported

_IN_BROWSER = {".html"}


class VDEPTH_OT_open_file(bpy.types.Operator):
    """Open the file with the program your system has for it"""

    bl_idname = "vdepth.open_file"
    bl_label = "Open File"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        """Says which."""
        return f"Open {properties.filepath}"

    def execute(self, context: Any) -> set[str]:
        """Leaves it to Blender, which knows the system's ways."""
        path = Path(bpy.path.abspath(self.filepath))
        if not path.is_file():
            self.report({"ERROR"}, f"{path} is gone.")
            return {"CANCELLED"}
        if path.suffix in _IN_BROWSER:
            bpy.ops.wm.url_open(url=path.as_uri())
        else:
            bpy.ops.wm.path_open(filepath=str(path))
        return {"FINISHED"}


class VDEPTH_OT_show_depth(OnDepth, bpy.types.Operator):
    """Show the clip's depth beside its plate in an Image Editor; it follows the scene's frame"""

    bl_idname = "vdepth.show_depth"
    bl_label = "Show Depth"

    @reported
    def execute(self, context: Any) -> set[str]:
        """Takes an editor that is open, or a new window."""
        clip = active_clip(context)
        image = show_depth(context, clip, result_of(clip))
        self.report({"INFO"}, f"{image.name} is shown in the Image Editor")
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_open_file, VDEPTH_OT_show_depth)
