# SPDX-License-Identifier: GPL-3.0-or-later
"""Align to Solve, intrinsics, import of a camera path, export of the scene's camera and of solved tracks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..result.manifest import Result, ResultError
from ..result.poses import PathFile, parse_path
from ..scene import camera as cameras
from ..scene import solve
from ..scene.active import active_clip, clip_offset, number_offset, result_of
from ..scene.align import align_to_solve
from ..scene.camera_export import as_text, camera_facts
from ..scene.mesh import find_mesh
from ..scene.points import points_text
from .on_clip import OnMesh, beside_blend, reported, write_text

SHAPE = 0.01
"""How far the shape of renders may be off the clip's; beyond, the core refuses the camera."""


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
        clip = active_clip(context)
        before = context.scene.camera
        aligned = align_to_solve(context, clip, result_of(clip), find_mesh(clip))
        lines = "; ".join(aligned.lines)
        if not aligned.used:
            todo = "track more points on things that stand still, or estimate with another model"
            self.report({"ERROR"}, f"{clip.name} cannot be aligned: {lines}. To mend it, {todo}.")
            return {"CANCELLED"}
        if (camera := context.scene.camera) != before:
            lines += f"; {camera.name} renders now"
        self.report({"WARNING" if aligned.warn else "INFO"}, lines)
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


class VDEPTH_OT_import_camera_path(bpy.types.Operator, ImportHelper):
    """Make an animated camera from a path that vdepth wrote, or from camera-to-world poses, one a frame"""

    bl_idname = "vdepth.import_camera_path"
    bl_label = "Import Camera Path"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    filter_glob: StringProperty(default="*.txt;*.json", options={"HIDDEN"})  # type: ignore[valid-type]
    match_range: BoolProperty(  # type: ignore[valid-type]
        name="Frame Range", default=True, description="Start and end the scene at the path's frames"
    )

    def execute(self, context: Any) -> set[str]:
        clip, file, scene = active_clip(context), Path(self.filepath), context.scene
        try:
            path = parse_path(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, AttributeError, TypeError) as error:
            self.report({"ERROR"}, f"{file.name} holds no camera path: {error}.")
            return {"CANCELLED"}
        try:
            result = result_of(clip)
        except ResultError:  # a path needs no depth: it then starts where the clip does
            result = None
        frames = _frames_of(path, clip, result, scene)
        camera = cameras.new_camera(context, f"{clip.name} Camera Path" if clip else file.stem)
        if path.lenses:
            cameras.animate_lens(camera, path.lenses, path.width, path.height, frames)
        elif result is not None:
            number = scene.frame_current + number_offset(clip, result)
            lens = cameras.intrinsics(clip, result, "MODEL", 0, number)
            cameras.fit_lens(camera, lens, result.width, result.height)
        cameras.animate(camera, path.poses, frames)
        mesh = find_mesh(clip) if clip else None
        if mesh is not None:
            cameras.put_under(mesh, camera)
        scene.camera = camera
        if self.match_range:
            scene.frame_start, scene.frame_end = max(frames[0], 0), max(frames[-1], 0)
        many = "s" * (len(path.poses) != 1)
        self.report({"INFO"}, f"{len(path.poses)} pose{many} from frame {frames[0]} on")
        return {"FINISHED"}


class VDEPTH_OT_export_camera(bpy.types.Operator, ExportHelper):
    """Write the scene's camera over the scene's frame range to a file that vdepth takes as --camera"""

    bl_idname = "vdepth.export_camera"
    bl_label = "Export Camera for vdepth"

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})  # type: ignore[valid-type]

    filepath: StringProperty(subtype="FILE_PATH")  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: Any) -> bool:
        if context.scene.camera is None:
            cls.poll_message_set("Add a camera to the scene first")
            return False
        return True

    def invoke(self, context: Any, event: Any) -> set[str]:
        if not self.filepath:
            clip = active_clip(context)
            stem = Path(clip.name).stem if clip else Path(bpy.data.filepath).stem or "untitled"
            self.filepath = beside_blend(f"{stem}_camera.json")
        return super().invoke(context, event)  # type: ignore[no-any-return]

    @reported
    def execute(self, context: Any) -> set[str]:
        clip = active_clip(context)
        facts = camera_facts(context, clip)
        path = write_text(self.filepath, as_text(facts))
        width, height = facts["resolution"]
        frames = f"{len(facts['frames'])} frames from {facts['frames'][0]['frame']} on"
        if clip and abs(width * clip.size[1] / (height * clip.size[0]) - 1) > SHAPE:
            shapes = f"renders are {width}x{height}, {clip.name} is {clip.size[0]}x{clip.size[1]}"
            self.report({"WARNING"}, f"{frames}, but {shapes}: set the resolution by Match Camera.")
        else:
            self.report({"INFO"}, f"{frames}, in {path.name}")
        return {"FINISHED"}


class VDEPTH_OT_export_points(bpy.types.Operator, ExportHelper):
    """Write the clip's solved tracks to a file that vdepth metric takes as --points"""

    bl_idname = "vdepth.export_points"
    bl_label = "Export Tracking Points for vdepth"

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})  # type: ignore[valid-type]

    filepath: StringProperty(subtype="FILE_PATH")  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: Any) -> bool:
        clip = active_clip(context)
        if clip is None or not solve.is_solved(clip):
            cls.poll_message_set("Solve the clip's camera motion first, in the Clip Editor")
            return False
        return True

    def invoke(self, context: Any, event: Any) -> set[str]:
        if not self.filepath:
            self.filepath = beside_blend(f"{Path(active_clip(context).name).stem}_points.json")
        return super().invoke(context, event)  # type: ignore[no-any-return]

    @reported
    def execute(self, context: Any) -> set[str]:
        text, count = points_text(context.scene, active_clip(context))
        path = write_text(self.filepath, text)
        self.report({"INFO"}, f"{count} points of frames, in {path.name}")
        return {"FINISHED"}


def _frames_of(path: PathFile, clip: Any, result: Result | None, scene: Any) -> Sequence[int]:
    """The scene's frame of each pose: by the clip's numbers, else from its first, or its first with depth."""
    if path.numbers:
        offset = clip_offset(clip) if clip else 0
        return [number - offset for number in path.numbers]
    first = clip.frame_start - clip.frame_offset if clip else scene.frame_start
    if result is not None and len(path.poses) == result.count:
        first = result.first_number - number_offset(clip, result)
    return range(first, first + len(path.poses))


CLASSES = (
    VDEPTH_OT_align_to_solve,
    VDEPTH_OT_set_intrinsics,
    VDEPTH_OT_import_camera_path,
    VDEPTH_OT_export_camera,
    VDEPTH_OT_export_points,
)
