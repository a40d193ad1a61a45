# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Environment: which core is used, its weights, its health, and what a bug report needs."""

from __future__ import annotations

from typing import Any, ClassVar

from ..operators.environment_task import STATE
from ..preferences import FINDER
from .base import in_both_editors
from .estimate import draw_text
from .task import draw_task

_SOURCES = {
    "preferences": "preferences",
    "VDEPTH_PYTHON": "VDEPTH_PYTHON",
    "managed": "Install Core",
    "this Python": "Blender's Python",
}
_SHOWN_OF_AN_ERROR = 8


class Environment:
    """What the tab needs to work at all."""

    name = "ENVIRONMENT"
    parent = "ESTIMATE"
    bl_label = "Environment"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    bl_order = 100
    layout: Any

    def draw_header_preset(self, context: Any) -> None:
        """A sign when something is wrong, as the panel is closed at first."""
        if FINDER.error:
            self.layout.label(icon="ERROR")

    def draw(self, context: Any) -> None:
        """Draws the panel."""
        layout = self.layout
        draw_core(layout, context)
        if FINDER.core is not None:
            _draw_weights(layout)
            _draw_doctor(layout, context)
        layout.operator("vdepth.copy_details", icon="COPYDOWN")


def draw_core(layout: Any, context: Any) -> None:
    """The core's state and what can be done about it; also in the preferences."""
    column = layout.box().column()
    core = FINDER.core
    if STATE.title:
        draw_task(column)
        return
    if core is not None:
        column.label(text=f"Core {core.version} ({_SOURCES[core.source]})", icon="CHECKMARK")
    elif FINDER.error:
        draw_text(column, context, FINDER.error, "ERROR")
    else:
        column.label(text="Not looked for yet", icon="QUESTION")
    if STATE.error and STATE.error != FINDER.error:
        draw_text(column, context, STATE.error, "INFO" if STATE.cancelled else "ERROR")
        if not STATE.cancelled:
            _draw_log(column, context)
    row = column.row(align=True)
    row.operator("vdepth.find_core", icon="VIEWZOOM")
    text = "Reinstall Core" if core is not None and core.source == "managed" else "Install Core"
    row.operator("vdepth.install_core", text=text, icon="IMPORT")


def _draw_log(column: Any, context: Any) -> None:
    """The end of what the failed task said, where its error stands, and the way to the rest."""
    lines = list(STATE.lines)[-_SHOWN_OF_AN_ERROR:]
    if lines:
        said = column.box().column()
        said.scale_y = 0.8
        for line in lines:
            draw_text(said, context, line)
    row = column.row(align=True)
    if STATE.log:
        row.operator("vdepth.open_file", text="Open Log", icon="TEXT").filepath = STATE.log
    row.operator("vdepth.copy_details", icon="COPYDOWN")


def _draw_weights(layout: Any) -> None:
    if not STATE.weights:
        return
    column = layout.box().column()
    installed = [entry["title"] for entry in STATE.weights if entry["installed"]]
    column.label(text=f"{len(installed)} of {len(STATE.weights)} models installed", icon="PACKAGE")
    for title in installed:
        column.label(text=title, icon="BLANK1")
    column.operator("vdepth.choose_weights", icon="ADD")


def _draw_doctor(layout: Any, context: Any) -> None:
    column = layout.box().column()
    wrong = [check for check in STATE.doctor if not check["ok"]]
    if STATE.doctor and not wrong:
        column.label(text="Everything is in order", icon="CHECKMARK")
    for check in wrong:
        draw_text(column, context, f"{check['name']}: {check['found']}", "ERROR")
        draw_text(column, context, check["fix"], "BLANK1")
    column.operator("vdepth.doctor", icon="CHECKMARK" if not STATE.doctor else "FILE_REFRESH")


CLASSES = in_both_editors(Environment)
