# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators share that run the core on a clip: one at a time, with progress, stopped by Esc."""

from __future__ import annotations

from typing import Any

from .live import LiveOperator
from .redraw import TAB, redraw
from .state import STATE, progress_text


class ClipOperator(LiveOperator):
    """An operator whose `start` begins a `running.ClipRun`."""

    esc_cancels = True
    _shown: str = ""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only one of them at a time."""
        if STATE.running:
            cls.poll_message_set(  # type: ignore[attr-defined]
                f"{STATE.clip} is being estimated: wait for it, or cancel it."
            )
        return not STATE.running

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Starts the core and returns to the window."""
        answer = super().invoke(context, event)
        if answer == {"RUNNING_MODAL"}:
            context.window_manager.progress_begin(0, 100)
        return answer

    def refused(self, sentence: str) -> None:
        """The panel shows it as it does what the core refuses."""
        STATE.start("")
        STATE.running = False
        STATE.fail(sentence, code="bad_input")

    def _show(self, context: Any) -> None:
        """Draws only what is new: redrawing costs the core its processor where there is no graphics card."""
        if (text := progress_text()) != self._shown:
            self._shown = text
            context.window_manager.progress_update(100 * STATE.factor)
            _status(context, f"{STATE.clip}: {text}   Esc over the tab {TAB}: Cancel")
            redraw()

    def _leave(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.progress_end()
        _status(context, None)
        super()._leave(context)


def _status(context: Any, text: str | None) -> None:
    if context.workspace is not None:
        context.workspace.status_text_set(text)
