# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with a finished result: find it again, look through its files, delete it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty, StringProperty

from ..core_process.run import Tell
from ..result.manifest import Result, ResultError, read_result
from ..result.owned import Owned, delete, owned_files
from ..result.problems import check
from ..result.watch import WATCH
from ..scene.active import check_lies_over, result_of
from ..scene.compositor import find_node
from ..scene.image import load_all
from ..scene.mesh import find_mesh
from ..scene.source import absolute, current_clip, stored
from . import running
from .clip_operator import ClipOperator
from .on_clip import reported
from .running import DiskRun
from .state import STATE


class _OnResult:
    """Needs a clip that has, or had, depth, and no estimate under way."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Says what is missing."""
        clip = current_clip(context)
        if STATE.running:
            cls.poll_message_set("Wait for the estimate, or cancel it.")  # type: ignore[attr-defined]
            return False
        if clip is None or not (clip.vdepth.manifest or cls._without_result):
            cls.poll_message_set("The clip has no depth yet.")  # type: ignore[attr-defined]
            return False
        return True

    _without_result = False


class VDEPTH_OT_clear_result(_OnResult, bpy.types.Operator):
    """Delete from disk what vdepth wrote and nobody changed since, and the folder if nothing else is in it"""

    bl_idname = "vdepth.clear_result"
    bl_label = "Delete Depth Files"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Asks first: files on disk do not come back with an undo."""
        return set(context.window_manager.invoke_confirm(self, event))

    def execute(self, context: Any) -> set[str]:
        """Deletes the files and forgets the result."""
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        try:
            done = bpy.ops.vdepth.delete_files(how)
        except RuntimeError:  # how Blender passes on what that operator reported
            self.report({"ERROR"}, STATE.error)
            return {"CANCELLED"}
        return {"FINISHED"} if done == {"RUNNING_MODAL"} else set(done)  # it goes on by itself


class VDEPTH_OT_delete_files(ClipOperator, bpy.types.Operator):
    """Delete the clip's depth files; every one is compared with what vdepth wrote first"""

    bl_idname = "vdepth.delete_files"
    bl_label = "Delete Depth Files"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def start(self, context: Any) -> DiskRun:
        """Compares and deletes."""
        clip = current_clip(context)
        manifest = Path(absolute(clip.vdepth.manifest))
        return running.begin(DiskRun(clip.name, "Deleting files", partial(_delete, manifest)))

    def _end(self, context: Any) -> set[str]:
        owned: Owned | None = self._run.value
        if owned is None:
            self.report({"ERROR"} if STATE.error else {"INFO"}, STATE.error or STATE.message)
            return {"CANCELLED"}
        left = []  # what was made of the depth is the user's, and says nothing of its own
        if (clip := bpy.data.movieclips.get(self._run.clip)) is not None:
            clip.vdepth.manifest = clip.vdepth.folder = ""
            left += ["its mesh"] if find_mesh(clip) is not None else []
            left += ["its nodes in the compositor"] if find_node(context.scene, clip) is not None else []
        if owned.changed:
            kept = ", ".join(path.name for path in owned.changed[:3])
            self.report({"WARNING"}, f"Changed since, and left alone: {len(owned.changed)} ({kept}).")
        said = f"Files of {self._run.clip} deleted: {len(owned.files)}."
        if left:
            said += f" Without them {' and '.join(left)} show nothing: remove them, or estimate again."
        self.report({"WARNING"} if left else {"INFO"}, said)
        return {"FINISHED"}


class VDEPTH_OT_relink(_OnResult, bpy.types.Operator):
    """Find the clip's depth again after its folder was moved, or use a folder made by the command line"""

    bl_idname = "vdepth.relink"
    bl_label = "Relink Depth"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    _without_result = True

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})  # type: ignore[valid-type]
    filter_glob: StringProperty(default="manifest.json", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Opens the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reported
    def execute(self, context: Any) -> set[str]:
        """Points the clip, and the images of its sequences, at the manifest chosen."""
        clip, path = current_clip(context), Path(absolute(self.filepath))
        if path.is_dir():
            path /= "manifest.json"
        found = read_result(path)
        if sorted((found.width, found.height)) != sorted(clip.size):
            raise ResultError(
                f"That depth is {found.width} x {found.height}, {clip.name} is "
                f"{clip.size[0]} x {clip.size[1]}: choose the folder of this clip."
            )
        check_lies_over(clip, found)
        moved = _move_images(clip, found)
        clip.vdepth.manifest, clip.vdepth.folder = stored(path), stored(path.parent)
        load_all(found)
        for problem in WATCH.look(absolute(clip.vdepth.manifest), absolute(clip.vdepth.folder)).damage:
            self.report({"WARNING"}, problem)
        self.report({"INFO"}, f"{clip.name} has its depth from {path.parent}; images that follow: {moved}.")
        return {"FINISHED"}


class VDEPTH_OT_check_files(_OnResult, ClipOperator, bpy.types.Operator):
    """Look into every depth file of the clip for missing and damaged ones"""

    bl_idname = "vdepth.check_files"
    bl_label = "Check Files"

    def start(self, context: Any) -> DiskRun:
        """Looks into the files."""
        clip = current_clip(context)
        found = result_of(clip)
        return running.begin(DiskRun(clip.name, "Checking files", partial(check, found)))

    def _end(self, context: Any) -> set[str]:
        if self._run.value is None:
            self.report({"ERROR"} if STATE.error else {"INFO"}, STATE.error or STATE.message)
            return {"CANCELLED"}
        for problem in self._run.value:
            self.report({"WARNING"}, problem)
        if not self._run.value:
            self.report({"INFO"}, "All depth files are there and whole.")
        return {"FINISHED"}


class VDEPTH_OT_show_notes(bpy.types.Operator):
    """What the core noted about this clip"""

    bl_idname = "vdepth.show_notes"
    bl_label = "Notes"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    notes: StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        """The tooltip is the notes."""
        return str(properties.notes)

    def execute(self, context: Any) -> set[str]:
        """Puts them on the clipboard."""
        context.window_manager.clipboard = self.notes
        self.report({"INFO"}, "The notes are on the clipboard.")
        return {"FINISHED"}


def _delete(manifest: Path, tell: Tell) -> Owned:
    """Deletes the core's own files; on a thread.

    Raises:
        ResultError: as `owned_files`, or a file cannot be deleted.
    """
    owned = owned_files(manifest, tell) if manifest.is_file() else Owned([], [])
    try:
        delete(owned, manifest.parent)
    except OSError as error:
        raise ResultError(f"{error.filename} cannot be deleted ({error.strerror}).") from error
    return owned


def _move_images(clip: Any, found: Result) -> int:
    """Turns images of the old folder to the new one, so that whatever uses them keeps working."""
    if not clip.vdepth.manifest:
        return 0
    old, moved = Path(absolute(clip.vdepth.manifest)).parent, 0
    for image in bpy.data.images:
        path = Path(absolute(image.filepath)) if image.filepath else None
        if path is None or path.parent != old or image.source != "SEQUENCE":
            continue
        there = found.manifest.parent / path.name
        if there.is_file():
            image.filepath = stored(there)
            moved += 1
    return moved


CLASSES = (
    VDEPTH_OT_clear_result,
    VDEPTH_OT_delete_files,
    VDEPTH_OT_relink,
    VDEPTH_OT_check_files,
    VDEPTH_OT_show_notes,
)
