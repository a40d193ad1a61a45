# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators that run a task of the panel Environment share, and the one that stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import bpy

from ..core_process.environment import CoreError
from ..core_process.run import Steps
from . import environment_task as task
from .environment_task import STATE
from .live import LiveOperator
from .state import STATE as ESTIMATE

_OFFLINE = "Online access is off: allow it in Preferences > System > Network, or {instead}."


class TaskOperator(LiveOperator):
    """An operator that runs a task."""

    title: ClassVar[str]

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only one task at a time, and none while an estimate uses the core."""
        busy = STATE.title or ("An estimate is running" if ESTIMATE.running else "")
        if busy:
            cls.poll_message_set(f"{busy}: wait for it, or cancel it.")  # type: ignore[attr-defined]
        return not busy

    def steps(self, context: Any) -> Callable[[task.Task], Steps]:
        """The task's steps.

        Raises:
            CoreError: it cannot be begun.
        """
        raise NotImplementedError

    def start(self, context: Any) -> task.Task:
        """Begins the task."""
        return task.Task(self.title, self.steps(context))

    def refused(self, sentence: str) -> None:
        """The panel shows it."""
        STATE.error = sentence

    def _end(self, context: Any) -> set[str]:
        if STATE.error and not STATE.cancelled:
            self.report({"ERROR"}, STATE.error)  # type: ignore[attr-defined]
        return {"CANCELLED"} if STATE.error or STATE.cancelled else {"FINISHED"}


class VDEPTH_OT_cancel_task(bpy.types.Operator):
    """Stop what the core is doing; an installation goes on from here when it is pressed again"""

    bl_idname = "vdepth.cancel_task"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be something to cancel."""
        return task.current is not None

    def execute(self, context: Any) -> set[str]:
        """Asks it to stop; its operator sees it end."""
        if task.current is not None:
            task.current.cancel()
        return {"FINISHED"}


def require_network(instead: str) -> None:
    """Respects that the user is offline.

    Raises:
        CoreError: online access is off; ``instead`` is what else can be done.
    """
    if not bpy.app.online_access:
        raise CoreError(_OFFLINE.format(instead=instead))
