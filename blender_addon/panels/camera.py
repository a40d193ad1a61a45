# SPDX-License-Identifier: GPL-3.0-or-later
"""Panel Camera & Scale: which lens the mesh has, and its scale from the clip's camera solve."""

from __future__ import annotations

from math import atan, degrees
from textwrap import wrap
from typing import Any

from ..operators.environment_task import STATE as TASK
from ..scene.active import active_clip
from ..scene.camera import ALIGNMENT_KEY, POOR_KEY, SOURCE_KEY
from ..scene.floor import WORDS_KEY, find_floor
from ..scene.mesh import find_mesh, get_input
from ..scene.picks import points
from .base import in_both_editors
from .task import draw_task

SOURCES = {"SOLVE": "solve", "CLIP": "clip lens", "FOV": "field of view", "MODEL": "model"}
CHARACTERS = 34
"""What fits into the sidebar as wide as it opens."""


class CameraPanel:
    """Camera & Scale."""

    bl_label = "Camera & Scale"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012
    name = "CAMERA"
    parent = "ESTIMATE"

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.vdepth.camera  # type: ignore[attr-defined]
        layout.use_property_split = True
        layout.use_property_decorate = False
        clip = active_clip(context)
        mesh = find_mesh(clip)
        if mesh is not None:
            fx, width = get_input(mesh, "fx"), get_input(mesh, "Width")
            angle = degrees(2 * atan(width / 2 / fx))
            source = SOURCES[mesh.get(SOURCE_KEY, "MODEL")]
            layout.label(text=f"{fx:.1f} px, {angle:.1f}° wide, from {source}", icon="CAMERA_DATA")
        column = layout.column()
        column.prop(settings, "source")
        if settings.source == "FOV":
            column.prop(settings, "fov")
        column.prop(settings, "fit_camera")
        column.operator("vdepth.set_intrinsics")
        layout.separator()
        column = layout.column()
        column.prop(settings, "parent_to_solve")
        row = column.row()
        row.active = settings.parent_to_solve
        row.prop(settings, "make_active")
        layout.operator("vdepth.align_to_solve", icon="CON_CAMERASOLVER")
        if clip is not None:
            _draw_alignment(layout, clip.get(ALIGNMENT_KEY, ""), list(clip.get(POOR_KEY, ())))
        layout.separator()
        _draw_floor(layout, settings, clip, mesh)
        layout.separator()
        column = layout.column(align=True)
        column.operator("vdepth.import_camera_path", icon="IMPORT")
        column.operator("vdepth.export_camera", icon="EXPORT")
        column.operator("vdepth.export_points", icon="EXPORT")


def _draw_floor(layout: Any, settings: Any, clip: Any, mesh: Any) -> None:
    column = layout.column()
    column.prop(settings, "horizon")
    column.prop(settings, "eye")
    row = column.row(align=True)
    for kind, name in (("GROUND", "Ground"), ("HORIZON", "Horizon")):
        count = len(points(clip, kind)) if clip is not None else 0
        row.operator("vdepth.pick_floor", text=f"{name} ({count})" if count else f"Pick {name}").kind = kind
    if clip is not None and (points(clip, "GROUND") or points(clip, "HORIZON")):
        row.operator("vdepth.clear_picks", text="", icon="X")
    standing = mesh is not None and find_floor(mesh.parent) is not None
    if TASK.title:
        draw_task(column.box().column())
        return
    row = column.row(align=True)
    row.operator("vdepth.set_floor", icon="VIEW_PERSPECTIVE")
    if standing:
        row.operator("vdepth.remove_floor", text="", icon="X")
        for shot in clip.get(WORDS_KEY, "").splitlines():
            for line in wrap(shot, CHARACTERS):
                column.label(text=line)


def _draw_alignment(layout: Any, text: str, poor: list[int]) -> None:
    for number, shot in enumerate(text.splitlines()):
        column = layout.column(align=True)
        column.alert = bool(poor[number : number + 1] == [1])
        icon = "ERROR" if column.alert else "NONE"
        for part in shot.replace(" (", ", (").split(", "):
            for line in wrap(part, CHARACTERS):
                column.label(text=line, icon=icon)
                icon = "BLANK1" if column.alert else "NONE"


CLASSES = in_both_editors(CameraPanel)
