# SPDX-License-Identifier: GPL-3.0-or-later
"""Align to Solve, intrinsics, and import of a camera path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ImportHelper

from ..result.manifest import ResultError
from ..result.poses import parse_poses
from ..scene import camera as cameras
from ..scene import solve
from ..scene.active import active_clip, number_offset, result_of
from ..scene.mesh import find_mesh
from .on_clip import OnClip, OnMesh, reported


class VDEPTH_OT_align_to_solve(OnMesh, bpy.types.Operator):
    """Bring the mesh to the scale of the clip's camera solve, by the tracked points' depth"""

    bl_idname = "vdepth.align_to_solve"
    bl_label = "Align to Solve"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if not solve.is_solved(active_clip(context)):
            cls.poll_message_set("Solve the clip's camera motion first, in the Clip Editor")
            return False
        return True

    @reported
    def execute(self, context: Any) -> set[str]:
        clip, settings = active_clip(context), context.scene.vdepth.camera
        mesh = find_mesh(clip)
        result = result_of(clip)
        shots = solve.align_shots(clip, result)
        if not any(found for _, found in shots):
            self.report({"ERROR"}, f"{clip.name} has no tracked point in the frames with depth: track more.")
            return {"CANCELLED"}
        camera = solve.find_solved_camera(context.scene, clip)
        if settings.parent_to_solve:
            camera = camera or solve.add_solved_camera(context, clip)
            lens = cameras.intrinsics(clip, result, "SOLVE", settings.fov, result.first_number)
            cameras.set_intrinsics(mesh, lens, "SOLVE")
            cameras.fit_lens(camera, lens, result.width, result.height)
            cameras.put_under(mesh, camera)
        context.view_layer.update()
        factor = (cameras.unit_of(camera) if camera else 1.0) / cameras.unit_of(mesh)
        shots = [(shot, found and solve.scaled(found, factor)) for shot, found in shots]
        lines = cameras.set_alignment(mesh, clip, result, shots)
        warn = any(found is None or found.note for _, found in shots)
        self.report({"WARNING" if warn else "INFO"}, "; ".join(lines))
        return {"FINISHED"}


class VDEPTH_OT_set_intrinsics(OnMesh, bpy.types.Operator):
    """Give the mesh the focal length and optical axis of the chosen source"""

    bl_idname = "vdepth.set_intrinsics"
    bl_label = "Set Intrinsics"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if context.scene.vdepth.camera.source == "SOLVE" and not solve.is_solved(active_clip(context)):
            cls.poll_message_set("Solve the clip's camera motion first, or choose another source")
            return False
        return True

    @reported
    def execute(self, context: Any) -> set[str]:
        clip, settings = active_clip(context), context.scene.vdepth.camera
        mesh = find_mesh(clip)
        result = result_of(clip)
        number = context.scene.frame_current + number_offset(clip, result)
        lens = cameras.intrinsics(clip, result, settings.source, settings.fov, number)
        cameras.set_intrinsics(mesh, lens, settings.source)
        if settings.fit_camera and mesh.parent is not None and mesh.parent.type == "CAMERA":
            cameras.fit_lens(mesh.parent, lens, result.width, result.height)
        self.report({"INFO"}, f"fx {lens.fx:.1f}, fy {lens.fy:.1f}, axis at {lens.cx:.1f}, {lens.cy:.1f}")
        return {"FINISHED"}


class VDEPTH_OT_import_camera_path(OnClip, bpy.types.Operator, ImportHelper):
    """Make an animated camera from poses, one a frame, camera to world by rows with OpenCV's axes"""

    bl_idname = "vdepth.import_camera_path"
    bl_label = "Import Camera Path"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    filter_glob: StringProperty(default="*.txt;*.json", options={"HIDDEN"})  # type: ignore[valid-type]

    def execute(self, context: Any) -> set[str]:
        clip, path = active_clip(context), Path(self.filepath)
        try:
            poses = parse_poses(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, AttributeError, TypeError) as error:
            self.report({"ERROR"}, f"{path.name} holds no camera path: {error}.")
            return {"CANCELLED"}
        first, mesh = clip.frame_start - clip.frame_offset, find_mesh(clip)
        camera = cameras.new_camera(context, f"{clip.name} Camera Path")
        try:
            result = result_of(clip)
        except ResultError:  # a path needs no depth: it then starts where the clip does
            result = None
        if result is not None:
            if len(poses) == result.count:
                first = result.first_number - number_offset(clip, result)
            number = context.scene.frame_current + number_offset(clip, result)
            lens = cameras.intrinsics(clip, result, "MODEL", 0, number)
            cameras.fit_lens(camera, lens, result.width, result.height)
        cameras.animate(camera, poses, first)
        if mesh is not None:
            cameras.put_under(mesh, camera)
        context.scene.camera = camera
        self.report({"INFO"}, f"{len(poses)} pose{'s' * (len(poses) != 1)} from frame {first} on")
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_align_to_solve, VDEPTH_OT_set_intrinsics, VDEPTH_OT_import_camera_path)
