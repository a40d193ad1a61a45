# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports a clip's depth to other programs through the core, which needs nothing of Blender's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ..core_process.client import Command
from ..core_process.run import Steps, Stopped
from ..options import OPTIONS
from ..scene.active import active_clip, result_of
from . import running
from .clip_operator import ClipOperator
from .on_clip import OnDepth
from .running import ClipRun
from .state import STATE

_FORMATS = {
    "usd": ("USD", "Mesh or points and the camera, for other 3D programs"),
    "glb": ("glTF Binary", "Mesh with the plate as its texture, one file a frame"),
    "ply": ("PLY", "Points in the scene, one file a frame"),
    "gaussians": ("Gaussian Splats", "One splat a pixel, one file a frame"),
    "colmap": ("COLMAP", "Pictures, cameras, depth and normal maps as COLMAP's stereo leaves them"),
    "nerfstudio": ("Nerfstudio", "Pictures, 16-bit depth and transforms.json"),
    "npz": ("NumPy", "One array of all frames"),
    "png16": ("16-Bit PNG", "Grey pictures with the numbers to get depth back"),
    "mp4": ("Movie", "Lossless 10-bit grey"),
    "mp4-edit": ("Movie for Editors", "10-bit grey that video editors open"),
}


class ExportRun(ClipRun):
    """An export.

    Args:
        clip: As in `ClipRun`.
        job: Folder of the finished estimate.
        to: The format.
        folder: Where files go; "" for the core's choice.
    """

    noun = "export"

    def __init__(self, clip: str, job: Path, to: str, folder: str) -> None:
        super().__init__(clip)
        self.files: list[str] = []
        self._words = ["export", str(job), "--to", to, *(["-o", folder] if folder else [])]

    def stopped(self) -> None:
        """Nothing is left of it."""
        STATE.message, STATE.code = "Cancelled.", "cancelled"

    def work(self, python: Path) -> Steps:
        """Asks the core."""
        STATE.stage = "Exporting"
        command = self._noted(Command(python, self._words, self._log))
        yield from self.follow(command, lambda: self.files.extend(command.lines()))
        if self.cancelled:
            raise Stopped
        if (failure := command.error) is not None:
            STATE.fail(failure.message, failure.hint, failure.code)
            self.files.clear()


class VDEPTH_OT_export_depth(OnDepth, ClipOperator, bpy.types.Operator):
    """Write the clip's depth in a format of other programs, without this Blender's exporters"""

    bl_idname = "vdepth.export_depth"
    bl_label = "Export Depth"

    to: EnumProperty(name="Format", items=OPTIONS["to"].items(_FORMATS))  # type: ignore[valid-type]
    folder: StringProperty(  # type: ignore[valid-type]
        name="Folder", subtype="DIR_PATH", description="Empty for a folder beside the depth files"
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs depth, and nothing else under way."""
        if STATE.running:
            cls.poll_message_set("Wait for what is under way, or cancel it.")
        return bool(super().poll(context)) and not STATE.running

    def start(self, context: Any) -> ExportRun:
        """Exports the whole result."""
        clip = active_clip(context)
        folder = bpy.path.abspath(self.folder) if self.folder else ""
        return running.begin(ExportRun(clip.name, result_of(clip).manifest.parent, self.to, folder))

    def _end(self, context: Any) -> set[str]:
        if STATE.error or not self._run.files:
            said = f"{STATE.error} {STATE.hint}".strip() or STATE.message
            self.report({"ERROR"} if STATE.error else {"INFO"}, said)
            return {"CANCELLED"}
        paths = [line for line in self._run.files if Path(line).is_file()]
        self.report({"INFO"}, f"Wrote {paths[-1] if paths else self._run.files[-1]}")
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_export_depth,)
