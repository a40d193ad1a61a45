# SPDX-License-Identifier: GPL-3.0-or-later
"""Set-up of the novel-view rig and of stereo."""

from __future__ import annotations

from functools import partial
from typing import Any

import bpy

from ..core_process.run import Aside, Steps, Stopped, Tell
from ..result.manifest import ResultError
from ..result.safe_range import SafeRange, seen
from ..scene import view
from ..scene.active import active_clip, number_offset, result_of
from ..scene.mesh import find_mesh
from . import running
from .mesh_operator import MeshOperator
from .on_clip import OnMesh, follow_in_compositor, reported
from .running import ClipRun
from .state import STATE


class Measuring(ClipRun):
    """How far the camera may go, over the shot that the scene shows.

    Args:
        scene: Whose frame is meant.
        clip: The clip, which has a mesh.
        holes: Share of the picture that may be empty, 0..1.
    """

    noun = "measurement"

    def __init__(self, scene: Any, clip: Any, holes: float) -> None:
        result, self._mesh = result_of(clip), find_mesh(clip).name
        offset = number_offset(clip, result)
        numbers = result.shot_at(scene.frame_current + offset).numbers
        self.frames = range(numbers.start - offset, numbers.stop - offset)
        self.safe: SafeRange | None = None
        self._result, self._numbers, self._holes = result, numbers, holes
        super().__init__(clip.name)

    def stopped(self) -> None:
        """Nothing was changed."""
        STATE.message, STATE.code = "Cancelled.", "cancelled"

    def _all(self) -> Steps:
        """Blender reads a file a tick; it is looked at on a thread meanwhile."""
        STATE.stage = "Measuring the view's limits"
        STATE.total = len(self._numbers)
        middle = self._numbers[len(self._numbers) // 2]
        distance = seen(self._depth(middle)).median
        safe = view.begin_range(bpy.data.objects[self._mesh], distance, self._holes)
        for done, number in enumerate(self._numbers, 1):
            if self.cancelled:
                raise Stopped
            z = self._depth(number, dome=True)
            thread = Aside(partial(_add, safe, z))
            yield from self.follow(thread, lambda: None)
            thread.result()
            STATE.done, STATE.factor = done, done / STATE.total
        self.safe = safe

    def _depth(self, number: int, *, dome: bool = False) -> Any:
        mesh = bpy.data.objects.get(self._mesh)
        if mesh is None:
            raise ResultError("The mesh is gone: build it again.")
        return view.depth_at(mesh, self._result, number, dome=dome)


def _add(safe: SafeRange, z: Any, tell: Tell) -> None:
    safe.add(z)


class VDEPTH_OT_setup_view(MeshOperator, bpy.types.Operator):
    """Add a camera that can orbit, dolly and shift around the mesh, as far as all frames of the shot allow"""

    bl_idname = "vdepth.setup_view"
    bl_label = "Set Up Novel View"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def start(self, context: Any) -> Measuring:
        """Measures."""
        holes = context.scene.vdepth.view.holes / 100
        return running.begin(Measuring(context.scene, active_clip(context), holes))

    @reported
    def _end(self, context: Any) -> set[str]:
        if self._run.safe is None:
            return self._stopped_early()
        clip, scene = bpy.data.movieclips.get(self._run.clip), context.scene
        settings, mesh = scene.vdepth.view, find_mesh(clip)
        if mesh is None:
            raise ResultError("The mesh is gone: build it again.")
        frames, safe = self._run.frames, self._run.safe
        pivot, camera = view.build_rig(scene, mesh, safe, frames)
        if settings.animate:
            view.swing(pivot, safe.limits["yaw"], frames.start, frames.stop - 1)
        if settings.make_active:
            scene.camera = camera
        follow_in_compositor(scene, clip)
        return {"FINISHED"}


class VDEPTH_OT_setup_stereo(OnMesh, bpy.types.Operator):
    """Render a stereo pair, with eye distance and convergence from the clip's depth"""

    bl_idname = "vdepth.setup_stereo"
    bl_label = "Set Up Stereo"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if context.scene.camera is None:
            cls.poll_message_set("The scene has no camera: set up a novel view first")
            return False
        return True

    @reported
    def execute(self, context: Any) -> set[str]:
        clip, scene = active_clip(context), context.scene
        mesh = find_mesh(clip)
        view.set_stereo(scene, scene.camera, mesh, view.look_at(scene, clip, mesh, result_of(clip)))
        follow_in_compositor(scene, clip)
        return {"FINISHED"}


CLASSES = (VDEPTH_OT_setup_view, VDEPTH_OT_setup_stereo)
