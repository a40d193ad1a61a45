# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators that run a process share: the window stays live, and all is done at once without one."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from ..core_process.environment import CoreError
from ..core_process.run import Run
from ..result.manifest import ResultError
from .redraw import is_over_panels, redraw

TICK_S = 0.1


class LiveOperator:
    """Mix-in for an operator: says what to run in `start`, and what came of it in `_end`.

    ``execute`` is the complete synchronous path, ``invoke`` and ``modal`` are the same, live.
    """

    esc_cancels: ClassVar[bool] = False
    """Whether Esc stops it while the pointer is over our panels; elsewhere Esc is the user's other work's."""
    _run: Any = None
    _timer: Any = None

    def start(self, context: Any) -> Run:
        """Begins the run.

        Raises:
            CoreError: it cannot be begun.
            ResultError: the settings or the clip do not allow it.
        """
        raise NotImplementedError

    def refused(self, sentence: str) -> None:
        """Keeps for the panel why `start` began nothing."""

    def execute(self, context: Any) -> set[str]:
        """All of it, without a window."""
        if not self._begin(context):
            return {"CANCELLED"}
        try:
            while not self._run.advance():
                time.sleep(TICK_S / 2)
        except BaseException:
            self._run.kill()
            raise
        return self._end(context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Begins it and returns to the window."""
        if not self._begin(context):
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK_S, window=context.window)
        manager.modal_handler_add(self)
        redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """A tick, or Esc over our panels; everything else is the user's."""
        if self._escaped(context, event) and not self._run.over:
            self._run.cancel()
            self._show(context)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if not self._run.advance():
            self._show(context)
            return {"PASS_THROUGH"}
        self._leave(context)
        return self._end(context)

    def cancel(self, context: Any) -> None:
        """Blender takes the operator away: its window closes, or another file is loaded."""
        if self._run is not None:
            self._run.kill()
        self._leave(context)

    def _escaped(self, context: Any, event: Any) -> bool:
        pressed = self.esc_cancels and event.type == "ESC" and event.value == "PRESS"
        return pressed and is_over_panels(context.window, event.mouse_x, event.mouse_y)

    def _begin(self, context: Any) -> bool:
        try:
            self._run = self.start(context)
        except (CoreError, ResultError) as error:
            self.refused(str(error))
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            return False
        return True

    def _show(self, context: Any) -> None:
        """Draws how far it is, after a tick."""
        redraw()

    def _leave(self, context: Any) -> None:
        """Takes the timer away."""
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        redraw()

    def _end(self, context: Any) -> set[str]:
        """Reports what came of it; the operator's result."""
        raise NotImplementedError
