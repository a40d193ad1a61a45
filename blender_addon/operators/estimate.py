# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates a clip's depth: live in a window, or to the end at once in the background."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty

from ..core_process.process import kill_all
from ..result.manifest import ResultError
from ..result.watch import WATCH
from ..scene.active import result_of
from ..scene.image import load_all
from ..scene.source import (
    absolute,
    clip_of_file,
    is_unsaved,
    make_request,
    resolve_clip,
    stored,
    template,
    unsaved_folder,
)
from . import result, running
from .clip_operator import ClipOperator
from .running import Job
from .state import STATE


class VDEPTH_OT_estimate(ClipOperator, bpy.types.Operator):
    """Estimate the depth of the clip and write it as EXR sequences; an interrupted estimate goes on"""

    bl_idname = "vdepth.estimate"
    bl_label = "Estimate Video Depth"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    overwrite: BoolProperty(  # type: ignore[valid-type]
        name="Replace",
        description="Delete depth made with other settings from the folder first",
        options={"SKIP_SAVE"},
    )
    unsaved: BoolProperty(  # type: ignore[valid-type]
        name="Unsaved",
        description="Do not ask where files go while the .blend is not saved",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Asks first where to, if the .blend has no folder yet."""
        if is_unsaved(template(context.scene.vdepth)) and not self.unsaved:
            bpy.ops.vdepth.ask_where("INVOKE_DEFAULT", overwrite=self.overwrite)
            return {"CANCELLED"}
        return super().invoke(context, event)

    def start(self, context: Any) -> Job:
        """Asks for the depth of the clip that the panel shows."""
        clip = resolve_clip(context)
        request = make_request(context, clip, overwrite=self.overwrite)
        settings = context.scene.vdepth
        settings.clip = clip
        clip.vdepth.folder = stored(request.folder)
        return running.begin(Job(clip.name, request, follow_time=settings.follow_time))

    def _end(self, context: Any) -> set[str]:
        if STATE.error:
            self.report({"ERROR"}, f"{STATE.error} {STATE.hint}".strip())
            return {"CANCELLED"}
        if not self._run.manifest:
            self.report({"INFO"}, STATE.message or "Cancelled.")
            return {"CANCELLED"}
        clip = bpy.data.movieclips.get(self._run.clip)
        try:
            if clip is None:  # an undo takes along what was loaded for the estimate
                context.scene.vdepth.clip = clip = clip_of_file(self._run.request.clip)
            finished = adopt(clip, Path(self._run.manifest))
        except (ResultError, RuntimeError) as error:  # or the file is gone as well
            STATE.fail(str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for warning in STATE.warnings:
            self.report({"WARNING"}, warning)
        self.report(
            {"INFO"}, f"{finished.count} frame{'s' * (finished.count != 1)} of depth for {clip.name}."
        )
        return {"FINISHED"}


class VDEPTH_OT_ask_where(bpy.types.Operator):
    """Estimate into your Blender folder, as the .blend has none of its own yet"""

    bl_idname = "vdepth.ask_where"
    bl_label = "The .blend Is Not Saved"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    overwrite: BoolProperty(options={"SKIP_SAVE", "HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Asks."""
        manager = context.window_manager
        return set(manager.invoke_props_dialog(self, width=480, confirm_text="Estimate Without Saving"))

    def draw(self, context: Any) -> None:
        """Both ways."""
        column = self.layout.column()
        column.label(text="Save it first, and depth goes to a folder beside it.")
        column.operator("wm.save_as_mainfile", text="Save As", icon="FILE_TICK")
        column.separator()
        column.label(text="Without, it goes to your Blender folder and is found from there:")
        column.label(text=str(unsaved_folder()), icon="FILE_FOLDER")

    def execute(self, context: Any) -> set[str]:
        """Goes on without."""
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        try:
            bpy.ops.vdepth.estimate(how, overwrite=self.overwrite, unsaved=True)
        except RuntimeError:  # that operator has said why, and the panel shows it
            return {"CANCELLED"}
        return {"FINISHED"}


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
    WATCH.look(absolute(clip.vdepth.manifest), absolute(clip.vdepth.folder))
    return finished


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


CLASSES = (VDEPTH_OT_estimate, VDEPTH_OT_ask_where, VDEPTH_OT_cancel, *result.CLASSES)


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
