# SPDX-License-Identifier: GPL-3.0-or-later
"""Set Up Shot: from a clip with depth to a scene that objects can be rendered into."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene import compositor, shot
from ..scene.active import active_clip, result_of
from .on_clip import OnDepth, reported


class VDEPTH_OT_setup_shot(OnDepth, bpy.types.Operator):
    """Match the camera, build the mesh and set up the compositor: your objects then render over the plate"""

    bl_idname = "vdepth.setup_shot"
    bl_label = "Set Up Shot"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @reported
    def execute(self, context: Any) -> set[str]:
        clip, scene = active_clip(context), context.scene
        result = result_of(clip)
        _, aligned = shot.place(context, clip, result)
        node = shot.composite(context, clip, result)
        notes = ["; ".join(aligned.lines)] if aligned and aligned.warn else []
        if not compositor.is_shown(scene, node):
            notes.append(f"Your output stays as it is: link {node.label}'s Composite to render it")
        for note in notes:
            self.report({"WARNING"}, note)
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_setup_shot,)
