# SPDX-License-Identifier: GPL-3.0-or-later
"""Bakes a range in another Blender beside this one's window, frame by frame, with progress and Esc."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty, StringProperty

from ..core_process.process import Process
from ..core_process.run import Steps, Stopped
from ..result.manifest import ResultError
from ..scene.active import active_clip
from ..scene.mesh import find_mesh
from . import running
from .clip_operator import ClipOperator
from .running import ClipRun
from .state import STATE

WORKER = Path(__file__).parents[1] / "bake_worker.py"


class BakeRun(ClipRun):
    """Another Blender that writes the file; it appears under its name when it is whole.

    Args:
        clip: As in `ClipRun`.
        copy: A copy of the .blend, which is deleted at the end.
        mesh: Name of the object.
        path: The file to write.
        frames: Of the scene, first and last.
        full: At the stride of renders.
    """

    noun = "bake"

    def __init__(
        self, clip: str, copy: Path, mesh: str, path: Path, frames: tuple[int, int], *, full: bool
    ) -> None:
        super().__init__(clip)
        self.path, self.written = path, False
        self._copy, self._frames = copy, frames
        self._part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        self._words = [str(copy), mesh, str(self._part), "full" if full else "viewport"]

    def stopped(self) -> None:
        """Nothing is left of it."""
        STATE.message, STATE.code = "Cancelled.", "cancelled"

    def ended(self) -> None:
        """Takes away what was only needed meanwhile."""
        super().ended()
        for file in (self._copy, self._part):
            file.unlink(missing_ok=True)

    def _all(self) -> Steps:
        first, last = self._frames
        STATE.stage, STATE.total = "Baking frames", last - first + 1
        process = self._noted(Process([*_blender(), str(WORKER), "--", *self._words], self._log))
        said: list[str] = []

        def listen() -> None:
            for line in process.lines():
                word, _, rest = line.partition(" ")
                if word == "vdepth-frame":
                    STATE.done = min(max(STATE.done, int(rest) - first + 1), STATE.total)
                    STATE.factor = max(STATE.factor, 0.99 * STATE.done / STATE.total)
                elif word == "vdepth-error":
                    said.append(rest)

        yield from self.follow(process, listen)
        if self.cancelled:
            raise Stopped
        if said or process.returncode or not self._part.is_file():
            raise ResultError(said[-1] if said else f"{self.path} was not written: see the log {self._log}.")
        os.replace(self._part, self.path)
        self.written, STATE.factor = True, 1.0


class VDEPTH_OT_bake_beside(ClipOperator, bpy.types.Operator):
    """Write the mesh of the scene's frame range to a file while you go on working"""

    bl_idname = "vdepth.bake_beside"
    bl_label = "Bake Range"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    full: BoolProperty(default=True, options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def start(self, context: Any) -> BakeRun:
        """Gives the other Blender a copy of the file as it is now."""
        clip, scene = active_clip(context), context.scene
        mesh = find_mesh(clip)
        if mesh is None:
            raise ResultError(f"{clip.name} has no mesh in this scene: build it first.")
        copy = Path(bpy.app.tempdir) / "vdepth-bake.blend"
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True, compress=False)
        except RuntimeError as error:
            raise ResultError(f"A copy of the .blend cannot be saved ({str(error).strip()}).") from error
        frames, path = (scene.frame_start, scene.frame_end), Path(self.filepath)
        return running.begin(BakeRun(clip.name, copy, mesh.name, path, frames, full=self.full))

    def _end(self, context: Any) -> set[str]:
        if not self._run.written:
            self.report({"ERROR"} if STATE.error else {"INFO"}, STATE.error or STATE.message)
            return {"CANCELLED"}
        self.report({"INFO"}, f"Wrote {self._run.path}")
        return {"FINISHED"}


def _blender() -> list[str]:
    """How another of this Blender is started; as a module it is a Python."""
    if bpy.app.binary_path:
        return [bpy.app.binary_path, "--background", "--factory-startup", "--python"]
    return [sys.executable]


CLASSES = (VDEPTH_OT_bake_beside,)
