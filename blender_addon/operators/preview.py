# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame's depth before a long job: with the settings, or with every preset side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ..core_process.client import Command
from ..core_process.request import Request
from ..core_process.run import Steps, Stopped
from ..options import OPTIONS
from ..result.manifest import ResultError
from ..scene.show import load_picture, show_soon
from ..scene.source import make_request, resolve_clip
from . import running
from .clip_operator import ClipOperator
from .running import ClipRun
from .state import STATE

PICTURE = "Video Depth Preview"
"""Name of the image data-block."""
CODE = "previewed"


class PreviewRun(ClipRun):
    """Estimates of one frame into folders of their own, then a picture of them.

    Args:
        clip: As in `ClipRun`.
        requests: What to ask the core for, one after the other.
        picture: The file to write.
    """

    noun = "preview"

    def __init__(self, clip: str, requests: Sequence[Request], picture: Path) -> None:
        super().__init__(clip)
        self.requests, self.picture = requests, picture
        self.labels: list[str] = []

    def stopped(self) -> None:
        """There is nothing to resume."""
        STATE.message, STATE.code = "Cancelled.", "cancelled"

    def work(self, python: Path) -> Steps:
        """Estimates, and puts the pictures together."""
        for number, request in enumerate(self.requests):
            STATE.begin_part(number, len(self.requests) + 1)
            yield from self.follow_worker(python, request.arguments())
            if STATE.error:
                return
        outs = [str(request.folder) for request in self.requests]
        command = Command(python, ["compare", *outs, "-o", str(self.picture), "--overwrite"], self._log)
        yield from self.follow(command, lambda: self.labels.extend(command.lines()))
        if self.cancelled:
            raise Stopped
        if (failure := command.error) is not None:
            STATE.fail(failure.message, failure.hint, failure.code)


class _PreviewOperator(ClipOperator):
    """Makes the run of this frame."""

    def requests(self, request: Request, scratch: Path) -> list[Request]:
        """What to ask for.

        Args:
            request: This frame, with the panel's settings.
            scratch: Folder for what is only looked at.
        """
        raise NotImplementedError

    def start(self, context: Any) -> PreviewRun:
        """Asks for the scene's frame."""
        clip, scene = resolve_clip(context), context.scene
        index = scene.frame_current - clip.frame_start + clip.frame_offset
        if not 0 <= index < clip.frame_duration:
            raise ResultError(
                f"{clip.name} is not shown at frame {scene.frame_current}: go to one of its own."
            )
        scratch = Path(bpy.app.tempdir) / "vdepth-preview"
        request = replace(
            make_request(context, clip, overwrite=True), first=index, last=index, normals=False, sky=False
        )
        requests = self.requests(request, scratch)
        return running.begin(PreviewRun(clip.name, requests, scratch / "preview.png"))

    def _end(self, context: Any) -> set[str]:
        if STATE.error or not self._run.labels:
            said = f"{STATE.error} {STATE.hint}".strip() or STATE.message
            self.report({"ERROR"} if STATE.error else {"INFO"}, said)  # type: ignore[attr-defined]
            return {"CANCELLED"}
        show_soon(load_picture(self._run.picture, PICTURE))
        STATE.message, STATE.code = "; ".join(self._run.labels), CODE
        self.report({"INFO"}, STATE.message)  # type: ignore[attr-defined]
        return {"FINISHED"}


class VDEPTH_OT_preview_frame(_PreviewOperator, bpy.types.Operator):
    """Estimate only the scene's frame with these settings and show it; nothing of the clip's depth changes"""

    bl_idname = "vdepth.preview_frame"
    bl_label = "Preview Frame"

    def requests(self, request: Request, scratch: Path) -> list[Request]:
        """The settings as they are."""
        return [replace(request, folder=scratch / "frame")]


class VDEPTH_OT_compare_presets(_PreviewOperator, bpy.types.Operator):
    """Estimate the scene's frame with every preset and show them side by side, with the time each took"""

    bl_idname = "vdepth.compare_presets"
    bl_label = "Compare Presets"

    def requests(self, request: Request, scratch: Path) -> list[Request]:
        """Each preset with its own choice of model, method and size."""
        plain = replace(request, model="", method="", size=0, boost=False)
        return [replace(plain, preset=p, folder=scratch / p) for p in OPTIONS["preset"].choices]


CLASSES = (VDEPTH_OT_preview_frame, VDEPTH_OT_compare_presets)
