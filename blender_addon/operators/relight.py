# SPDX-License-Identifier: GPL-3.0-or-later
"""Set-up for relighting a clip's mesh, and its removal."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene import relight
from ..scene.active import active_clip, result_of
from ..scene.mesh import find_mesh
from ..scene.view import look_at
from .on_clip import OnMesh, follow_in_compositor, reported


class VDEPTH_OT_setup_relight(OnMesh, bpy.types.Operator):
    """Light the mesh with a key and a fill light, as the mode says; move and change them as you like"""

    bl_idname = "vdepth.setup_relight"
    bl_label = "Set Up Relight"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @reported
    def execute(self, context: Any) -> set[str]:
        clip, settings = active_clip(context), context.scene.vdepth.relight
        mesh = find_mesh(clip)
        seen = look_at(context.scene, clip, mesh, result_of(clip))
        relight.set_up(
            context.scene,
            mesh,
            seen.median,
            settings.mode,
            dim_world=settings.dim_world,
            sphere=settings.sphere,
        )
        follow_in_compositor(context.scene, clip)
        if settings.mode == relight.CATCHER and context.scene.render.engine != "CYCLES":
            self.report(
                {"WARNING"}, "Shadow catchers are rendered by Cycles only: choose it as render engine"
            )
        return {"FINISHED"}


class VDEPTH_OT_unset_relight(OnMesh, bpy.types.Operator):
    """Remove the lights we added and show the footage as it is again"""

    bl_idname = "vdepth.unset_relight"
    bl_label = "Remove Relight"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if not relight.is_lit(find_mesh(active_clip(context))):
            cls.poll_message_set("The mesh is not set up for relighting")
            return False
        return True

    @reported
    def execute(self, context: Any) -> set[str]:
        clip = active_clip(context)
        relight.undo(context.scene, find_mesh(clip))
        follow_in_compositor(context.scene, clip)
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_setup_relight, VDEPTH_OT_unset_relight)
