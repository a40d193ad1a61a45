# SPDX-License-Identifier: GPL-3.0-or-later
"""Panel Mesh: build it, what one sets on it, the camera matched to the clip, and baking."""

from __future__ import annotations

from typing import Any

from .. import compat
from ..scene.active import active_clip
from ..scene.match import foreign, lens_of
from ..scene.mesh import find_mesh, get_input, has_input, identifier_of, modifier_of
from .base import in_both_editors
from .sky import draw_sky

GROUPS = (
    ("Stride", "Render Stride"),
    ("Scale", "Shift"),
    ("Near", "Far"),
    ("Tear", "Smooth"),
    ("Fill", "Skirt", "Clean Plate"),
    ("Points", "Point Radius"),
    ("Frame Offset",),
)
MATCHES = ("match_lens", "match_resolution", "match_rate", "match_range", "match_background")


class MeshPanel:
    """Mesh."""

    bl_label = "Mesh"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012
    name = "MESH"
    parent = "ESTIMATE"

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.vdepth.mesh  # type: ignore[attr-defined]
        layout.use_property_split = True
        layout.use_property_decorate = False
        mesh = find_mesh(active_clip(context))
        layout.prop(settings, "parent_to_camera")
        draw_sky(layout, active_clip(context))
        verb = "Build" if mesh is None else "Update"
        layout.operator("vdepth.build_mesh", text=f"{verb} Mesh", icon="MESH_GRID")
        if mesh is not None and (modifier := modifier_of(mesh)) is not None:
            _draw_inputs(layout, mesh, modifier)
            _draw_foreign(layout, context.scene, mesh)
        layout.separator()
        column = layout.column(heading="Match")
        for name in MATCHES:
            column.prop(settings, name)
        layout.operator("vdepth.match_camera", icon="CAMERA_DATA")
        layout.separator()
        row = layout.row(align=True)
        row.operator("vdepth.bake_frame", icon="MESH_DATA")
        row.operator("vdepth.bake_range", icon="EXPORT")
        layout.operator_menu_enum("vdepth.export_depth", "to", icon="EXPORT")


def _draw_inputs(layout: Any, mesh: Any, modifier: Any) -> None:
    for group in GROUPS:
        column = layout.column(align=True)
        column.use_property_decorate = True  # the dots that set keyframes
        for name in group:
            if not has_input(mesh, name):
                continue
            row = column.row(align=True)
            row.active = name != "Point Radius" or get_input(mesh, "Points")
            compat.draw_modifier_input(row, modifier, identifier_of(mesh, name), name)


def _draw_foreign(layout: Any, scene: Any, mesh: Any) -> None:
    """A second button where renders would not show what the clip does."""
    if mesh.parent is None or mesh.parent != scene.camera:
        return
    if words := foreign(scene, lens_of(mesh), get_input(mesh, "Width"), get_input(mesh, "Height")):
        box = layout.box().column()
        box.alert = True
        box.label(text=words, icon="ERROR")
        box.operator("vdepth.match_camera", icon="CAMERA_DATA")


CLASSES = in_both_editors(MeshPanel)
