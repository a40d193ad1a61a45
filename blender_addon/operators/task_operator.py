# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators that run a task of the panel Environment share, and the one that stops it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import bpy

from ..core_process.environment import CoreError
from . import environment_task as task
from . import running
from .environment_task import STATE
from .redraw import redraw

TICK_S = 0.1
_OFFLINE = "Online access is off: allow it in Preferences > System > Network, or {instead}."


class TaskOperator:
    """An operator that runs a task: live in a window, to the end at once without one."""

    title: ClassVar[str]
    _task: task.Task | None = None
    _timer: Any = None

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only one task at a time, and none while an estimate uses the core."""
        busy = STATE.title or ("An estimate is running" if running.STATE.running else "")
        if busy:
            cls.poll_message_set(f"{busy}: wait for it, or cancel it.")  # type: ignore[attr-defined]
        return not busy

    def steps(self, context: Any) -> Callable[[task.Task], task.Steps]:
        """The task's steps.

        Raises:
            CoreError: it cannot be begun.
        """
        raise NotImplementedError

    def execute(self, context: Any) -> set[str]:
        """The whole task, without a window."""
        if not self._begin(context):
            return {"CANCELLED"}
        assert self._task is not None
        try:
            while not self._task.advance():
                time.sleep(TICK_S / 2)
        except BaseException:
            self._task.kill()
            raise
        return self._end()

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Begins the task and returns to the window."""
        if not self._begin(context):
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK_S, window=context.window)
        manager.modal_handler_add(self)
        redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """A tick; everything else is the user's."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        assert self._task is not None
        over = task.current is not self._task or self._task.advance()
        redraw()
        if not over:
            return {"PASS_THROUGH"}
        self._leave(context)
        return self._end()

    def cancel(self, context: Any) -> None:
        """Blender takes the operator away: its window closes, or another file is loaded."""
        if self._task is not None and task.current is self._task:
            self._task.kill()
        self._leave(context)

    def _begin(self, context: Any) -> bool:
        try:
            self._task = task.Task(self.title, self.steps(context))
        except CoreError as error:
            STATE.error = str(error)
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            return False
        return True

    def _end(self) -> set[str]:
        if STATE.error and not STATE.cancelled:
            self.report({"ERROR"}, STATE.error)  # type: ignore[attr-defined]
        return {"CANCELLED"} if STATE.error or STATE.cancelled else {"FINISHED"}

    def _leave(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        redraw()


class VDEPTH_OT_cancel_task(bpy.types.Operator):
    """Stop the installation; pressed again later, it goes on from here"""

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
