# SPDX-License-Identifier: GPL-3.0-or-later
"""Floor & Horizon: the ground found by the core, and the camera put above it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import bpy

from ..core_process.client import Command
from ..core_process.environment import CoreError
from ..core_process.run import Steps
from ..preferences import FINDER, finder_arguments
from ..result.ground import ShotGround, read_grounds
from ..result.manifest import Result
from ..scene import floor
from ..scene.active import active_clip, result_of
from ..scene.mesh import find_mesh
from ..scene.picks import picked_words
from ..scene.source import absolute
from . import environment_task as task
from .on_clip import OnClip, OnMesh, follow_in_compositor, reported
from .task_operator import TaskOperator


def seek_ground(
    run: task.Task, clip: Any, result: Result, horizon: str
) -> Generator[None, None, list[ShotGround]]:
    """Has the core find the ground of a clip.

    Raises:
        CoreError: it finds none, or there is no core.
    """
    core = yield from FINDER.seek(*finder_arguments())
    words = ["ground", str(result.manifest.parent), "--json", "--horizon", horizon]
    words += ["--clip", absolute(clip.filepath), *picked_words(clip)]
    said = yield from run.run(Command(core.path, words, task.log_file("ground"), merge=False))
    try:
        return read_grounds("\n".join(said))
    except ValueError as error:
        raise CoreError(str(error)) from error


def put_on_floor(scene: Any, clip: Any, result: Result, found: list[ShotGround]) -> str:
    """Puts camera and mesh of a clip on its ground; what came of it, for the user.

    Raises:
        ResultError: the camera cannot be put on a floor.
    """
    metric = result.space == "metric"
    floor.stand(scene, clip, find_mesh(clip), result, found, 0.0 if metric else scene.vdepth.camera.eye)
    height = f"{found[0].height:.2f}" if metric else f"{scene.vdepth.camera.eye:g}"
    return f"{clip[floor.WORDS_KEY].replace(chr(10), '; ')}; camera {height} m above it"


class VDEPTH_OT_set_floor(OnMesh, TaskOperator, bpy.types.Operator):
    """Find the clip's ground and put it at Z = 0: level, steady, and scaled by the camera's height"""

    bl_idname = "vdepth.set_floor"
    bl_label = "Set Floor & Horizon"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012
    title = "Looking for the ground"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Needs the clip's mesh, and no other task."""
        return bool(super().poll(context) and super(OnClip, cls).poll(context))

    def steps(self, context: Any) -> Callable[[task.Task], Steps]:
        """Asks the core.

        Raises:
            ResultError: the camera cannot be put on a floor, or the depth is gone.
        """
        clip = active_clip(context)
        floor.check_camera(find_mesh(clip))
        self._clip, self._result = clip, result_of(clip)
        self._found: list[ShotGround] = []
        horizon = context.scene.vdepth.camera.horizon

        def run(under_way: task.Task) -> Steps:
            self._found = yield from seek_ground(under_way, self._clip, self._result, horizon)

        return run

    @reported
    def _end(self, context: Any) -> set[str]:
        answer = super()._end(context)
        if answer == {"FINISHED"}:
            said = put_on_floor(context.scene, self._clip, self._result, self._found)
            follow_in_compositor(context.scene, self._clip)
            self.report({"INFO"}, said)
        return answer


class VDEPTH_OT_remove_floor(OnMesh, bpy.types.Operator):
    """Put the camera back where it was before it stood on the floor, and the depth to what the files say"""

    bl_idname = "vdepth.remove_floor"
    bl_label = "Remove Floor"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if floor.find_floor(find_mesh(active_clip(context)).parent) is None:
            cls.poll_message_set("The clip's camera stands on no floor")
            return False
        return True

    @reported
    def execute(self, context: Any) -> set[str]:
        clip = active_clip(context)
        floor.leave(clip, find_mesh(clip))
        follow_in_compositor(context.scene, clip)
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_set_floor, VDEPTH_OT_remove_floor)
