# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds, installs and checks the core, and gathers what a bug report needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ..core_process.details import log_tail, report
from ..core_process.environment import addon_version
from ..core_process.run import Steps
from ..preferences import FINDER, preferences
from . import environment_task as task
from . import weights
from .environment_task import STATE
from .live import TICK_S
from .redraw import redraw
from .state import STATE as ESTIMATE
from .task_operator import TaskOperator, VDEPTH_OT_cancel_task, require_network


class VDEPTH_OT_find_core(TaskOperator, bpy.types.Operator):
    """Look for the vdepth core and check that it belongs to this add-on"""

    bl_idname = "vdepth.find_core"
    bl_label = "Find Core"
    title = "Looking for the core"

    def steps(self, context: Any) -> Callable[[task.Task], Steps]:
        """Looks anew."""
        FINDER.forget()
        return task.look


class VDEPTH_OT_install_core(TaskOperator, bpy.types.Operator):
    """Install the vdepth core into an environment of its own; an interrupted installation goes on"""

    bl_idname = "vdepth.install_core"
    bl_label = "Install Core"
    title = "Installing the core"

    def steps(self, context: Any) -> Callable[[task.Task], Steps]:
        """Needs a network, or wheels."""
        if not preferences(context).wheelhouse:
            require_network("choose a folder of wheels in the add-on's preferences")
        return task.install_core


class VDEPTH_OT_doctor(TaskOperator, bpy.types.Operator):
    """Check the core's installation and say what to fix"""

    bl_idname = "vdepth.doctor"
    bl_label = "Run Doctor"
    title = "Checking the installation"

    def steps(self, context: Any) -> Callable[[task.Task], Steps]:
        """Asks the core."""
        return task.doctor


class VDEPTH_OT_copy_details(bpy.types.Operator):
    """Copy versions, the last error, the last command and the end of its log to the clipboard"""

    bl_idname = "vdepth.copy_details"
    bl_label = "Copy Details"

    def execute(self, context: Any) -> set[str]:
        """Fills the clipboard."""
        context.window_manager.clipboard = details()
        self.report({"INFO"}, "Details are on the clipboard.")
        return {"FINISHED"}


def details() -> str:
    """What a bug report needs, without secrets."""
    core = FINDER.core
    found = f"{core.version} ({core.source}), {core.path}" if core else FINDER.error or "not looked for"
    facts = {
        "Video Depth": f"{addon_version()} as {__package__.rpartition('.')[0]}",
        "Blender": f"{bpy.app.version_string} ({bpy.app.build_hash.decode('ascii', 'replace')})",
        "Core": found,
        "Online access": "on" if bpy.app.online_access else "off",
    }
    sections = [
        (
            "Last estimate",
            [f"{ESTIMATE.error} {ESTIMATE.hint}".strip(), *ESTIMATE.warnings, ESTIMATE.command],
        ),
        ("Its log", log_tail(ESTIMATE.log)),
        ("Last task", [STATE.error, STATE.command]),
        ("Its log", log_tail(STATE.log)),
        ("Doctor", [f"{c['name']}: {c['found']} {c['fix']}".strip() for c in STATE.doctor if not c["ok"]]),
    ]
    return report(facts, sections)


def _first_look() -> float | None:
    """Once after the start, so that the panel knows; a timer of Blender's, since it may touch bpy."""
    if task.current is None and not STATE.weights and not FINDER.error:
        task.Task("Looking for the core", task.look)
    if task.current is None or task.current.advance():
        redraw()
        return None
    return TICK_S


CLASSES = (
    VDEPTH_OT_find_core,
    VDEPTH_OT_install_core,
    VDEPTH_OT_doctor,
    VDEPTH_OT_cancel_task,
    VDEPTH_OT_copy_details,
    *weights.CLASSES,
)


def register() -> None:
    """Looks for the core when there is a window to show it in."""
    if not bpy.app.background:
        bpy.app.timers.register(_first_look, first_interval=0.5, persistent=True)


def unregister() -> None:
    """Leaves no process and no timer behind."""
    if task.current is not None:
        task.current.kill()
    if bpy.app.timers.is_registered(_first_look):
        bpy.app.timers.unregister(_first_look)
    FINDER.forget()
