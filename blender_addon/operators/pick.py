# SPDX-License-Identifier: GPL-3.0-or-later
"""Points on the ground and on the horizon, picked by the mouse in the Clip Editor or through the camera."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
from bpy.props import EnumProperty
from bpy_extras import view3d_utils
from gpu_extras.batch import batch_for_shader

from ..result.manifest import ResultError
from ..scene.active import active_clip, number_offset, result_of
from ..scene.mesh import find_mesh, get_input
from ..scene.picks import LEAST, points, set_points
from .on_clip import OnMesh
from .redraw import redraw

COLOURS = {"GROUND": (0.2, 1.0, 0.3, 1.0), "HORIZON": (0.2, 0.7, 1.0, 1.0)}
_KEYS = "Click: add   Backspace: take the last away   Enter: done   Esc: leave them as they were"


class VDEPTH_OT_pick_floor(OnMesh, bpy.types.Operator):
    """Click points on the ground, or on the horizon, in the Clip Editor or through the scene's camera"""

    bl_idname = "vdepth.pick_floor"
    bl_label = "Pick"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    kind: EnumProperty(  # type: ignore[valid-type]
        items=(
            ("GROUND", "Ground", "Three or more points on the ground"),
            ("HORIZON", "Horizon", "Two or more points on the horizon, near both sides of the picture"),
        ),
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Begins, with the points there are shown until the first click."""
        clip, space = active_clip(context), context.space_data
        through = space.type == "VIEW_3D" and context.region_data.view_perspective != "CAMERA"
        if through:
            self.report(
                {"ERROR"}, "Look through the scene's camera first (Numpad 0), or pick in the Clip Editor"
            )
            return {"CANCELLED"}
        camera = find_mesh(clip).parent
        if space.type == "VIEW_3D" and camera is not None and context.scene.camera != camera:
            self.report(
                {"ERROR"}, f"Make {camera.name} the scene's camera first: the plate is seen through it"
            )
            return {"CANCELLED"}
        try:
            result = result_of(clip)
        except ResultError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        number = context.scene.frame_current + number_offset(clip, result)
        self._clip, self._number = clip, min(max(number, result.first_number), result.last_number)
        self._chosen: list[tuple[float, float]] = []
        self._region = next(one for one in context.area.regions if one.type == "WINDOW")
        self._handler = type(space).draw_handler_add(self._draw, (space,), "WINDOW", "POST_PIXEL")
        self._space = type(space)
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(_KEYS)
        self._region.tag_redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """A click, or the end."""
        if event.type == "ESC":
            return self._leave(context, {"CANCELLED"})
        if event.type in {"RET", "NUMPAD_ENTER"} and event.value == "PRESS":
            set_points(self._clip, self.kind, self._chosen, self._number)
            few = len(self._chosen) < LEAST[self.kind]
            if few and self._chosen:
                self.report({"WARNING"}, f"{LEAST[self.kind]} points are needed: these are not used")
            return self._leave(context, {"FINISHED"})
        if event.type == "BACK_SPACE" and event.value == "PRESS":
            self._chosen = self._chosen[:-1]
        elif event.type == "LEFTMOUSE" and event.value == "PRESS":
            at = event.mouse_x - self._region.x, event.mouse_y - self._region.y
            if not (0 <= at[0] < self._region.width and 0 <= at[1] < self._region.height):
                return {"PASS_THROUGH"}
            self._chosen.append(pixel_at(context, self._clip, self._region, at))
        else:
            return {"PASS_THROUGH"}
        self._region.tag_redraw()
        return {"RUNNING_MODAL"}

    def _leave(self, context: Any, answer: set[str]) -> set[str]:
        self._space.draw_handler_remove(self._handler, "WINDOW")
        context.workspace.status_text_set(None)
        self._region.tag_redraw()
        redraw()
        return answer

    def _draw(self, space: Any) -> None:
        context = bpy.context
        if context.space_data != space:
            return
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        shader.uniform_float("color", COLOURS[self.kind])
        crosses = []
        for pixel in self._chosen or points(self._clip, self.kind):
            if (at := region_at(context, self._clip, context.region, pixel)) is not None:
                x, y = at
                crosses += [(x - 8, y), (x + 8, y), (x, y - 8), (x, y + 8)]
        if crosses:
            batch_for_shader(shader, "LINES", {"pos": crosses}).draw(shader)


def pixel_at(context: Any, clip: Any, region: Any, at: tuple[float, float]) -> tuple[float, float]:
    """The plate's pixel, from the top left, at a place in the region of either editor."""
    mesh = find_mesh(clip)
    width, height = get_input(mesh, "Width"), get_input(mesh, "Height")
    if context.space_data.type == "CLIP_EDITOR":
        x, y = region.view2d.region_to_view(*at)
        return x * width, (1 - y) * height
    ray = view3d_utils.region_2d_to_vector_3d(region, context.region_data, at)
    x, y, z = context.scene.camera.matrix_world.to_3x3().inverted() @ ray
    fx, fy, cx, cy = (get_input(mesh, name) for name in ("fx", "fy", "cx", "cy"))
    return fx * x / -z + cx, fy * y / z + cy


def region_at(context: Any, clip: Any, region: Any, pixel: tuple[float, float]) -> tuple[float, float] | None:
    """The inverse of `pixel_at`; None where it is not seen."""
    mesh = find_mesh(clip)
    width, height = get_input(mesh, "Width"), get_input(mesh, "Height")
    if context.space_data.type == "CLIP_EDITOR":
        at = region.view2d.view_to_region(pixel[0] / width, 1 - pixel[1] / height, clip=False)
        return float(at[0]), float(at[1])
    fx, fy, cx, cy = (get_input(mesh, name) for name in ("fx", "fy", "cx", "cy"))
    ray = ((pixel[0] - cx) / fx, (cy - pixel[1]) / fy, -1.0)
    place = context.scene.camera.matrix_world @ type(context.scene.camera.location)(ray)
    seen = view3d_utils.location_3d_to_region_2d(region, context.region_data, place)
    return None if seen is None else (seen.x, seen.y)


class VDEPTH_OT_clear_picks(OnMesh, bpy.types.Operator):
    """Forget the points picked on ground and horizon"""

    bl_idname = "vdepth.clear_picks"
    bl_label = "Clear Points"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        clip = active_clip(context)
        for kind in LEAST:
            set_points(clip, kind, [], 0)
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_pick_floor, VDEPTH_OT_clear_picks)
