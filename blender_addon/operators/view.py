# SPDX-License-Identifier: GPL-3.0-or-later
"""Set-up of the novel-view rig and of stereo."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene import view
from ..scene.active import active_clip, number_offset, result_of
from ..scene.mesh import find_mesh
from .on_clip import OnMesh, follow_in_compositor, reported


class VDEPTH_OT_setup_view(OnMesh, bpy.types.Operator):
    """Add a camera that can orbit, dolly and shift around the mesh, as far as the depth allows"""

    bl_idname = "vdepth.setup_view"
    bl_label = "Set Up Novel View"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @reported
    def execute(self, context: Any) -> set[str]:
        clip, scene = active_clip(context), context.scene
        settings, mesh = scene.vdepth.view, find_mesh(clip)
        result = result_of(clip)
        safe = view.look_at(scene, clip, mesh, result, settings.holes / 100)
        pivot, camera = view.build_rig(scene, mesh, safe)
        if settings.animate:
            offset = number_offset(clip, result)
            view.swing(pivot, safe.yaw, result.first_number - offset, result.last_number - offset)
        if settings.make_active:
            scene.camera = camera
        follow_in_compositor(scene, clip)
        return {"FINISHED"}


class VDEPTH_OT_setup_stereo(OnMesh, bpy.types.Operator):
    """Render a stereo pair, with eye distance and convergence from the clip's depth"""

    bl_idname = "vdepth.setup_stereo"
    bl_label = "Set Up Stereo"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if context.scene.camera is None:
            cls.poll_message_set("The scene has no camera: set up a novel view first")
            return False
        return True

    @reported
    def execute(self, context: Any) -> set[str]:
        clip, scene = active_clip(context), context.scene
        mesh = find_mesh(clip)
        safe = view.look_at(scene, clip, mesh, result_of(clip))
        view.set_stereo(scene, scene.camera, mesh, safe)
        follow_in_compositor(scene, clip)
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_setup_view, VDEPTH_OT_setup_stereo)
