# SPDX-License-Identifier: GPL-3.0-or-later
"""Set Up Shot: from a clip with depth to a scene that objects can be rendered into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ..core_process.environment import CoreError
from ..core_process.run import Steps
from ..result.ground import ShotGround
from ..result.manifest import ResultError
from ..scene import compositor, floor, shot
from ..scene.active import active_clip, result_of
from . import environment_task as task
from .floor import put_on_floor, seek_ground
from .on_clip import OnClip, OnDepth, reported
from .task_operator import TaskOperator


class VDEPTH_OT_setup_shot(OnDepth, TaskOperator, bpy.types.Operator):
    """Match the camera, build the mesh and set up the compositor: your objects then render over the plate"""

    bl_idname = "vdepth.setup_shot"
    bl_label = "Set Up Shot"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012
    title = "Setting up the shot"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs a clip with depth, and no other task."""
        return bool(super().poll(context) and super(OnClip, cls).poll(context))

    def steps(self, context: Any) -> Callable[[task.Task], Steps]:
        """Camera and mesh, and the question for the ground where the user wants a floor.

        Raises:
            ResultError: the depth is gone.
        """
        clip, settings = active_clip(context), context.scene.vdepth.camera
        result = result_of(clip)
        mesh, aligned = shot.place(context, clip, result)
        self._clip, self._result = clip, result
        self._found: list[ShotGround] = []
        self._notes = ["; ".join(aligned.lines)] if aligned and aligned.warn else []
        asks, horizon = settings.floor, settings.horizon

        def run(under_way: task.Task) -> Steps:
            if not asks:
                return
            try:
                floor.check_camera(mesh)
                self._found = yield from seek_ground(under_way, clip, result, horizon)
            except (CoreError, ResultError) as error:  # a shot without ground is set up all the same
                self._notes.append(f"There is no floor: {error}")

        return run

    @reported
    def _end(self, context: Any) -> set[str]:
        answer = super()._end(context)
        if answer != {"FINISHED"}:
            return answer
        if self._found:
            self.report({"INFO"}, put_on_floor(context.scene, self._clip, self._result, self._found))
        node = shot.composite(context, self._clip, self._result)
        if not compositor.is_shown(context.scene, node):
            self._notes.append(f"Your output stays as it is: link {node.label}'s Composite to render it")
        for note in self._notes:
            self.report({"WARNING"}, note)
        return answer


CLASSES = (VDEPTH_OT_setup_shot,)
