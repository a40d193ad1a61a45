# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates a clip's depth: live in a window, or to the end at once in the background."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty

from ..core_process.process import kill_all
from ..scene.active import result_of
from ..scene.image import check, load_all
from ..scene.result import ResultError
from ..scene.source import make_request, resolve_clip, stored
from . import result, running
from .redraw import redraw
from .running import Job
from .state import STATE, progress_text

TICK_S = 0.1


class VDEPTH_OT_estimate(bpy.types.Operator):
    """Estimate the depth of the clip and write it as EXR sequences; an interrupted estimate goes on"""

    bl_idname = "vdepth.estimate"
    bl_label = "Estimate Video Depth"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    overwrite: BoolProperty(  # type: ignore[valid-type]
        name="Replace",
        description="Delete depth made with other settings from the folder first",
        options={"SKIP_SAVE"},
    )

    _job: Job | None = None
    _timer: Any = None
    _shown: str = ""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only one estimate at a time."""
        if STATE.running:
            cls.poll_message_set(f"{STATE.clip} is being estimated: wait for it, or cancel it.")
        return not STATE.running

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Starts the core and returns to the window."""
        if not self._begin(context):
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK_S, window=context.window)
        manager.modal_handler_add(self)
        manager.progress_begin(0, 100)
        redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """A tick, or Esc; everything else is the user's."""
        assert self._job is not None
        if event.type == "ESC" and event.value == "PRESS" and STATE.running:
            self._job.cancel()
            self._show(context)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if STATE.running and not self._job.advance():
            self._show(context)
            return {"PASS_THROUGH"}
        self._leave(context)
        return self._end(context)

    def execute(self, context: Any) -> set[str]:
        """The whole estimate, without a window."""
        if not self._begin(context):
            return {"CANCELLED"}
        assert self._job is not None
        try:
            while not self._job.advance():
                time.sleep(TICK_S / 2)
        except BaseException:
            self._job.kill()
            raise
        return self._end(context)

    def cancel(self, context: Any) -> None:
        """Blender takes the operator away: its window closes, or another file is loaded."""
        if self._job is not None:
            self._job.kill()
        self._leave(context)

    def _begin(self, context: Any) -> bool:
        try:
            clip = resolve_clip(context)
            request = make_request(context, clip, overwrite=self.overwrite)
        except ResultError as error:
            STATE.start("")
            STATE.running = False
            STATE.fail(str(error), code="bad_input")
            self.report({"ERROR"}, str(error))
            return False
        settings = context.scene.vdepth
        settings.clip = clip
        clip.vdepth.folder = stored(request.folder)
        self._job = running.begin(Job(clip.name, request, follow_time=settings.follow_time))
        return True

    def _end(self, context: Any) -> set[str]:
        assert self._job is not None
        if STATE.error:
            self.report({"ERROR"}, f"{STATE.error} {STATE.hint}".strip())
            return {"CANCELLED"}
        if not self._job.manifest:
            self.report({"INFO"}, STATE.message or "Cancelled.")
            return {"CANCELLED"}
        clip = bpy.data.movieclips.get(self._job.clip)
        if clip is None:
            self.report({"WARNING"}, f"{self._job.clip} is no longer in the file; its depth is on disk.")
            return {"CANCELLED"}
        try:
            finished = adopt(clip, Path(self._job.manifest))
        except ResultError as error:
            STATE.fail(str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for warning in STATE.warnings:
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, f"{finished.count} frames of depth for {clip.name}.")
        return {"FINISHED"}

    def _show(self, context: Any) -> None:
        """Draws only what is new: redrawing costs the core its processor where there is no graphics card."""
        if (text := progress_text()) != self._shown:
            self._shown = text
            context.window_manager.progress_update(100 * STATE.factor)
            _status(context, f"{STATE.clip}: {text}   Esc: Cancel")
            redraw()

    def _leave(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.window_manager.progress_end()
            self._timer = None
        _status(context, None)
        redraw()


class VDEPTH_OT_cancel(bpy.types.Operator):
    """Stop the estimate; what is done stays done, and the next estimate goes on from there"""

    bl_idname = "vdepth.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be something to cancel."""
        if not STATE.running:
            cls.poll_message_set("Nothing is being estimated.")
        return STATE.running

    def execute(self, context: Any) -> set[str]:
        """Asks the core to stop; the running operator sees it end."""
        if running.current is not None:
            running.current.cancel()
        return {"FINISHED"}


def adopt(clip: Any, manifest: Path) -> Any:
    """Makes a finished job the clip's depth and loads its sequences.

    Raises:
        ResultError: it cannot be read.
    """
    clip.vdepth.manifest = stored(manifest)
    clip.vdepth.folder = stored(manifest.parent)
    finished = result_of(clip)
    load_all(finished)
    check(finished)
    return finished


def _status(context: Any, text: str | None) -> None:
    if context.workspace is not None:
        context.workspace.status_text_set(text)


@bpy.app.handlers.persistent
def _before_load(*_: Any) -> None:
    """Another file knows nothing of this estimate; the core goes on from here when it is asked again."""
    stop()


@bpy.app.handlers.persistent
def _after_load(*_: Any) -> None:
    STATE.start("")
    STATE.running = False


def stop() -> None:
    """Ends a running estimate at once."""
    if running.current is not None:
        running.current.kill()
    kill_all()


CLASSES = (VDEPTH_OT_estimate, VDEPTH_OT_cancel, *result.CLASSES)


def register() -> None:
    """Watches for files being loaded."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Leaves no process behind."""
    stop()
    for handlers, ours in (
        (bpy.app.handlers.load_pre, _before_load),
        (bpy.app.handlers.load_post, _after_load),
    ):
        with contextlib.suppress(ValueError):
            handlers.remove(ours)
