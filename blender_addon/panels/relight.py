# SPDX-License-Identifier: GPL-3.0-or-later
"""Panel Relight: the mesh under new lights."""

from __future__ import annotations

from typing import Any

from ..scene.active import active_clip
from ..scene.mesh import find_mesh
from ..scene.relight import added_light, is_lit
from .base import in_both_editors
from .sky import draw_sky


class RelightPanel:
    """Relight."""

    bl_label = "Relight"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012
    name = "RELIGHT"
    parent = "ESTIMATE"

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.vdepth.relight  # type: ignore[attr-defined]
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "mode")
        layout.prop(settings, "dim_world")
        layout.prop(settings, "sphere")
        draw_sky(layout, active_clip(context))
        mesh = find_mesh(active_clip(context))
        lit = is_lit(mesh)
        layout.operator(
            "vdepth.setup_relight", text="Update Relight" if lit else "Set Up Relight", icon="LIGHT_AREA"
        )
        if lit and (node := added_light(mesh)) is not None:
            column = layout.column(align=True)
            column.use_property_decorate = True  # the dots that set keyframes
            for socket in node.inputs:
                if not socket.is_linked:
                    column.prop(socket, "default_value", text=socket.name)
        if lit:
            layout.operator("vdepth.unset_relight", icon="X")


CLASSES = in_both_editors(RelightPanel)
