# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of the panel Compositor."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene import compositor
from ..scene.active import active_clip, result_of
from ..scene.match import match
from .on_clip import OnDepth, reported

STANDARD = "Standard"


class VDEPTH_OT_setup_compositor(OnDepth, bpy.types.Operator):
    """Render your objects over the plate, hidden by what is nearer in it; your own nodes and values stay"""

    bl_idname = "vdepth.setup_compositor"
    bl_label = "Set Up Compositor"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @reported
    def execute(self, context: Any) -> set[str]:
        scene, clip = context.scene, active_clip(context)
        result = result_of(clip)
        if scene.camera is None:  # else nothing could be rendered
            match(context, clip, result, scene.vdepth.mesh)
        node = compositor.set_up(scene, clip, result, scene.vdepth.compositor)
        if not compositor.is_shown(scene, node):
            self.report({"INFO"}, f"Your output stays as it is: link {node.label}'s Composite to render it")
        return {"FINISHED"}


class VDEPTH_OT_remove_compositor(bpy.types.Operator):
    """Take the clip's depth nodes out of the compositor; your own nodes stay"""

    bl_idname = "vdepth.remove_compositor"
    bl_label = "Remove from Compositor"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if compositor.find_group(active_clip(context)) is None:
            cls.poll_message_set("The clip is not set up in the compositor")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        compositor.remove(context.scene, active_clip(context))
        return {"FINISHED"}


class VDEPTH_OT_set_view_transform(bpy.types.Operator):
    """Show and render footage in its own colours: AgX and Filmic are made for rendered light"""

    bl_idname = "vdepth.set_view_transform"
    bl_label = "Use Standard View Transform"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if context.scene.view_settings.view_transform == STANDARD:
            cls.poll_message_set("The view transform is Standard already")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        try:
            context.scene.view_settings.view_transform = STANDARD
        except TypeError:  # another OpenColorIO configuration
            self.report(
                {"ERROR"}, "There is no view Standard here: choose the plain one in Color Management."
            )
            return {"CANCELLED"}
        context.scene.view_settings.look = "None"
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_setup_compositor, VDEPTH_OT_remove_compositor, VDEPTH_OT_set_view_transform)
