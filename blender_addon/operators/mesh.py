# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of the panel Mesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from ..result.manifest import ResultError
from ..scene import sky
from ..scene.active import active_clip, result_of
from ..scene.bake import bake_frame, bake_range, suffixes
from ..scene.match import foreign, intrinsics_of, match
from ..scene.mesh import build_mesh, find_mesh
from .on_clip import OnDepth, OnMesh, beside_blend, reported

FULL = "Bake at Render Stride, as renders show it, instead of Stride"


class _OnShownMesh(OnMesh):
    """Needs the clip's mesh outside of Edit Mode, where it can be evaluated."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")  # type: ignore[attr-defined]
            return False
        return True


class VDEPTH_OT_build_mesh(OnDepth, bpy.types.Operator):
    """Show the clip as a surface in space, or bring that up to date with the files; your own values stay"""

    bl_idname = "vdepth.build_mesh"
    bl_label = "Build Mesh"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    match: BoolProperty(  # type: ignore[valid-type]
        name="Match Camera",
        default=False,
        options={"SKIP_SAVE"},
        description="Set the scene and its camera to the clip first, so that renders show what it does",
    )
    differs: StringProperty(default="", options={"SKIP_SAVE", "HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Asks whether a camera that is not the clip's is to be matched, before a mesh is put to it."""
        clip, scene = active_clip(context), context.scene
        asks = scene.camera is not None and scene.vdepth.mesh.parent_to_camera and find_mesh(clip) is None
        try:
            result = result_of(clip)
        except ResultError:
            return set(self.execute(context))  # which reports it
        lens = intrinsics_of(scene, clip, result)
        self.differs = foreign(scene, lens, result.width, result.height) if asks else ""
        if not self.differs:
            return set(self.execute(context))
        self.match = True
        return set(context.window_manager.invoke_props_dialog(self))

    def draw(self, context: Any) -> None:
        """The question."""
        if self.differs:
            self.layout.label(text=self.differs, icon="ERROR")
        self.layout.prop(self, "match")

    @reported
    def execute(self, context: Any) -> set[str]:
        clip, scene = active_clip(context), context.scene
        result = result_of(clip)
        if self.match or (scene.camera is None and scene.vdepth.mesh.parent_to_camera):
            match(context, clip, result, scene.vdepth.mesh)
        sky.apply(context.scene, clip, build_mesh(context, clip, result), result)
        return {"FINISHED"}


class VDEPTH_OT_match_camera(OnDepth, bpy.types.Operator):
    """Set the scene and its camera to the clip, as ticked below; a scene without a camera gets one"""

    bl_idname = "vdepth.match_camera"
    bl_label = "Match Camera"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @reported
    def execute(self, context: Any) -> set[str]:
        clip = active_clip(context)
        match(context, clip, result_of(clip), context.scene.vdepth.mesh)
        return {"FINISHED"}


class VDEPTH_OT_bake_frame(_OnShownMesh, bpy.types.Operator):
    """Keep the mesh of this frame as an object of its own, which needs neither nodes nor depth files"""

    bl_idname = "vdepth.bake_frame"
    bl_label = "Bake Frame"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    full: BoolProperty(name="Full Resolution", default=True, description=FULL)  # type: ignore[valid-type]

    @reported
    def execute(self, context: Any) -> set[str]:
        baked = bake_frame(context, find_mesh(active_clip(context)), full=self.full)
        self.report({"INFO"}, f"Baked {baked.name}: {len(baked.data.vertices)} vertices")
        return {"FINISHED"}


class VDEPTH_OT_bake_range(_OnShownMesh, bpy.types.Operator):
    """Write the mesh of the scene's frame range to an Alembic or USD file for other programs"""

    bl_idname = "vdepth.bake_range"
    bl_label = "Bake Range"
    bl_options = {"REGISTER"}  # noqa: RUF012

    filepath: StringProperty(subtype="FILE_PATH")  # type: ignore[valid-type]
    filter_glob: StringProperty(default="*.abc;*.usd;*.usda;*.usdc", options={"HIDDEN"})  # type: ignore[valid-type]
    check_existing: BoolProperty(default=True, options={"HIDDEN"})  # type: ignore[valid-type]
    full: BoolProperty(name="Full Resolution", default=True, description=FULL)  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if not suffixes():
            cls.poll_message_set("This Blender was built without Alembic and USD: use Export Depth")
            return False
        return True

    def invoke(self, context: Any, event: Any) -> set[str]:
        if not self.filepath:
            self.filepath = beside_blend(f"{Path(active_clip(context).name).stem}_mesh{suffixes()[0]}")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reported
    def execute(self, context: Any) -> set[str]:
        scene, window = context.scene, context.window_manager
        path = bpy.path.abspath(self.filepath)
        if not bpy.app.background:
            try:
                bpy.ops.vdepth.bake_beside("INVOKE_DEFAULT", filepath=path, full=self.full)
            except RuntimeError as error:  # how Blender passes on what that operator reported
                raise ResultError(str(error).removeprefix("Error: ").strip()) from error
            return {"FINISHED"}  # it goes on by itself
        window.progress_begin(scene.frame_start, scene.frame_end)
        try:
            bake_range(
                context, find_mesh(active_clip(context)), path, full=self.full, step=window.progress_update
            )
        finally:
            window.progress_end()
        self.report({"INFO"}, f"Wrote {path}")
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_build_mesh, VDEPTH_OT_match_camera, VDEPTH_OT_bake_frame, VDEPTH_OT_bake_range)
