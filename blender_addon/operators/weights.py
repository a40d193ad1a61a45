# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses and installs model weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..core_process.environment import CoreError
from ..core_process.run import Steps
from . import environment_task as task
from .environment_task import STATE
from .task_operator import TaskOperator, require_network


class VDEPTH_OT_install_weights(TaskOperator, bpy.types.Operator):
    """Install model weights; an interrupted download goes on"""

    bl_idname = "vdepth.install_weights"
    bl_label = "Install Weights"
    title = "Installing weights"

    name: StringProperty(name="Name", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    agreed: BoolProperty(name="Agreed", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    source: StringProperty(name="Files", subtype="DIR_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def steps(self, context: Any) -> Callable[[task.Task], Steps]:
        """Needs a name, and a network or the files."""
        if not self.name:
            raise CoreError("No weights are named: press Add Weights and choose some.")
        if not self.source:
            require_network("choose a folder with the published files")
        return task.install_weights(self.name, self.agreed, self.source)


_items: list[tuple[str, str, str]] = []  # Blender keeps pointers into it


def _weights_items(_self: Any, _context: Any) -> list[tuple[str, str, str]]:
    missing = [entry for entry in STATE.weights if not entry["installed"]]
    _items[:] = [(e["name"], e["title"], f"{size_text(e['size'])}, {e['license']}") for e in missing]
    return _items


class VDEPTH_OT_choose_weights(bpy.types.Operator):
    """Choose model weights to install, with their size and licence"""

    bl_idname = "vdepth.choose_weights"
    bl_label = "Add Weights"

    choice: EnumProperty(name="Model", items=_weights_items, options={"SKIP_SAVE"})  # type: ignore[valid-type]
    agreed: BoolProperty(  # type: ignore[valid-type]
        name="I Have Read and Accept the Licence",
        description="These weights may not be used commercially",
        options={"SKIP_SAVE"},
    )
    source: StringProperty(  # type: ignore[valid-type]
        name="Files",
        subtype="DIR_PATH",
        description="Folder with the published files, to install without a network; empty to download them",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """The core must have said what there is."""
        if not any(not entry["installed"] for entry in STATE.weights):
            cls.poll_message_set("All weights are installed." if STATE.weights else "Press Find Core first.")
            return False
        return bool(VDEPTH_OT_install_weights.poll(context))

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Asks."""
        return context.window_manager.invoke_props_dialog(self, width=420)  # type: ignore[no-any-return]

    def draw(self, context: Any) -> None:
        """The choice, and what the licence says about it."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "choice")
        entry = self._entry()
        if entry is None:
            return
        column = layout.column(align=True)
        column.label(text=f"{size_text(entry['size'])} to download, licence {entry['license']}")
        column.operator("wm.url_open", text="Read the Licence", icon="URL").url = entry["license_url"]
        if not entry["commercial"]:
            column.label(text="Not for commercial use", icon="ERROR")
            row = layout.row()
            row.use_property_split = False
            row.prop(self, "agreed")
        layout.prop(self, "source")

    def execute(self, context: Any) -> set[str]:
        """Starts the installation."""
        entry = self._entry()
        if entry is None:
            self.report({"ERROR"}, "No weights are chosen: press Find Core, then Add Weights.")
            return {"CANCELLED"}
        if not entry["commercial"] and not self.agreed:
            licence = f"its licence {entry['license']} must be accepted"
            self.report({"ERROR"}, f"{entry['title']} is not installed: {licence}, so tick the box.")
            return {"CANCELLED"}
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        agreed = self.agreed and not entry["commercial"]
        try:
            bpy.ops.vdepth.install_weights(how, name=self.choice, agreed=agreed, source=self.source)
        except RuntimeError:  # how Blender passes on what that operator reported
            self.report({"ERROR"}, STATE.error or "The weights were not installed: try again.")
            return {"CANCELLED"}
        return {"FINISHED"}

    def _entry(self) -> dict[str, Any] | None:
        return next((entry for entry in STATE.weights if entry["name"] == self.choice), None)


def size_text(size: int | None) -> str:
    """A download's size in words."""
    if not size:
        return "size unknown"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


CLASSES = (VDEPTH_OT_install_weights, VDEPTH_OT_choose_weights)
