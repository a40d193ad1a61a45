# SPDX-License-Identifier: GPL-3.0-or-later
"""Panel Compositor: set up, the sockets of the clip's group, and what belongs to a plate's colours."""

from __future__ import annotations

from typing import Any

from ..nodes.compositor import linked_inputs
from ..scene.active import active_clip
from ..scene.compositor import find_node
from .base import in_both_editors
from .sky import draw_sky

RENDER = {wish.name for wish in linked_inputs()}


class CompositorPanel:
    """Depth in the compositor."""

    name = "COMPOSITOR"
    parent = "ESTIMATE"
    bl_label = "Compositor"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        layout: Any = self.layout  # type: ignore[attr-defined]
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene, clip = context.scene, active_clip(context)
        node = find_node(scene, clip)

        draw_sky(layout, clip)
        column = layout.column(heading="Include")
        options = scene.vdepth.compositor
        column.prop(options, "catch_shadows")
        if options.catch_shadows and scene.render.engine != "CYCLES":
            column.label(text="Only Cycles catches shadows", icon="INFO")
        column.prop(options, "fog")
        column.prop(options, "defocus")
        column.prop(options, "file_output")
        verb = "Update" if node else "Set Up"
        layout.operator("vdepth.setup_compositor", text=f"{verb} Compositor", icon="NODETREE")
        if node:
            _draw_size(layout, scene, clip)
            column = layout.column(align=True)
            column.use_property_decorate = True  # the dots that set keyframes
            for socket in node.inputs:
                if socket.name in RENDER:
                    continue
                row = column.row()
                row.active = not socket.is_linked
                row.prop(socket, "default_value", text=socket.name)
        layout.operator("vdepth.set_view_transform", icon="COLOR")
        if node:
            layout.operator("vdepth.remove_compositor", icon="X")


def _draw_size(layout: Any, scene: Any, clip: Any) -> None:
    render = scene.render
    size = [side * render.resolution_percentage // 100 for side in (render.resolution_x, render.resolution_y)]
    if size != list(clip.size):
        layout.label(text=f"The plate is {clip.size[0]} × {clip.size[1]}, the render not", icon="INFO")


CLASSES = in_both_editors(CompositorPanel)
