# SPDX-License-Identifier: GPL-3.0-or-later
"""Panel Novel View: the rig's values and how far they may go."""

from __future__ import annotations

from math import degrees
from typing import Any

from ..scene.active import active_clip
from ..scene.mesh import find_mesh
from ..scene.view import MEASURED_KEY, find_rig
from .base import in_both_editors


class ViewPanel:
    """Novel View."""

    bl_label = "Novel View"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012
    name = "VIEW"
    parent = "ESTIMATE"

    def draw(self, context: Any) -> None:
        layout, settings = self.layout, context.scene.vdepth.view  # type: ignore[attr-defined]
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "holes")
        layout.prop(settings, "make_active")
        layout.prop(settings, "animate")
        rig = find_rig(find_mesh(active_clip(context)))
        layout.operator(
            "vdepth.setup_view", text="Update Novel View" if rig else "Set Up Novel View", icon="VIEW_CAMERA"
        )
        if rig:
            self._draw_rig(layout, rig[0])
        layout.operator("vdepth.use_clean_plate", icon="RENDERLAYERS")
        layout.operator("vdepth.setup_stereo", icon="CAMERA_STEREO")

    def _draw_rig(self, layout: Any, pivot: Any) -> None:
        found = {
            name: pivot.id_properties_ui(name).as_dict() for name in ("Yaw", "Pitch", "Parallax", "Dolly")
        }
        most = {name: limits["soft_max"] for name, limits in found.items()}
        back = found["Dolly"]["soft_min"]
        box = layout.box().column(align=True)
        measured = pivot.get(MEASURED_KEY)
        if measured is not None:
            box.label(text=f"Empty at most {100 * measured['holes']:.3g} % up to", icon="INFO")
        box.label(text=f"Yaw ±{degrees(most['Yaw']):.1f}°, pitch ±{degrees(most['Pitch']):.1f}°")
        box.label(text=f"Parallax ±{most['Parallax']:.3g}, dolly {back:.2g} to {most['Dolly']:.2g}")
        if measured is not None:
            box.label(text=f"One at a time, frames {measured['first']} to {measured['last']}, without Fill")
        column = layout.column(align=True)
        for name in ("Yaw", "Pitch", "Dolly", "Parallax", "Distance"):
            column.prop(pivot, f'["{name}"]', text=name)


CLASSES = in_both_editors(ViewPanel)
