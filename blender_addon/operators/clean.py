# SPDX-License-Identifier: GPL-3.0-or-later
"""The clean plate: fused by the core where it is missing, and put behind the mesh."""

from __future__ import annotations

from typing import Any

import bpy

from ..core_process.run import Steps
from ..preferences import FINDER, finder_arguments
from ..result.clean import is_of
from ..result.manifest import Result, ResultError
from ..scene.active import active_clip, result_of
from ..scene.clean import use_clean_plate
from ..scene.mesh import find_mesh
from . import running
from .forecast import FUSING, Forecast
from .mesh_operator import MeshOperator
from .on_clip import reported
from .running import ClipRun
from .state import STATE


class Fusing(ClipRun):
    """Makes the clean plate of a clip's result, if it has none of this very result."""

    noun = "clean plate"

    def __init__(self, clip: str, result: Result) -> None:
        self.result, self.whole = result, False
        super().__init__(clip)

    def stopped(self) -> None:
        """Nothing was changed."""
        STATE.message, STATE.code = "Cancelled.", "cancelled"

    def _all(self) -> Steps:
        if not is_of(self.result):
            STATE.forecast = forecast = Forecast(usual=dict(FUSING))
            for stage, units in (("solve", 2), ("moving", self.result.count), ("fuse", self.result.count)):
                forecast.announce(stage, units)
            core = yield from FINDER.seek(*finder_arguments())
            yield from self.follow_worker(core.path, ["fuse", str(self.result.manifest.parent)])
        self.whole = not STATE.error


class VDEPTH_OT_use_clean_plate(MeshOperator, bpy.types.Operator):
    """Show behind the mesh what other frames of the shot saw there, if its camera moves"""

    bl_idname = "vdepth.use_clean_plate"
    bl_label = "Use Clean Plate"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def start(self, context: Any) -> Fusing:
        """Fuses."""
        clip = active_clip(context)
        return running.begin(Fusing(clip.name, result_of(clip)))

    @reported
    def _end(self, context: Any) -> set[str]:
        if not self._run.whole:
            return self._stopped_early()
        clip = bpy.data.movieclips.get(self._run.clip)
        if (mesh := find_mesh(clip)) is None:
            raise ResultError("The mesh is gone: build it again.")
        for sentence in use_clean_plate(mesh, clip, self._run.result):
            self.report({"WARNING"}, sentence)
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_use_clean_plate,)
