# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's camera as the core reads it: where it is in each frame and its lens, in Blender's own terms."""

from __future__ import annotations

import json
from typing import Any

from ..result.manifest import ResultError
from .active import clip_offset


def camera_facts(context: Any, clip: Any | None) -> dict[str, Any]:
    """The scene's camera over the scene's frame range, as drivers, constraints and parents leave it.

    Args:
        clip: Whose frames are meant; those that it does not show are left out. None: the scene's frames.

    Raises:
        ResultError: there is no camera, it is no perspective one, or the clip is not in the range.
    """
    scene = context.scene
    shown, offset = range(scene.frame_start, scene.frame_end + 1), 0
    if clip is not None:
        first, offset = clip.frame_start - clip.frame_offset, clip_offset(clip)
        shown = range(max(shown.start, first), min(shown.stop, first + clip.frame_duration))
        if not shown:
            raise ResultError(
                f"No frame of {clip.name} lies in the scene's range, {scene.frame_start} to "
                f"{scene.frame_end}."
            )
    now, subframe = scene.frame_current, scene.frame_subframe
    frames = []
    try:
        for frame in shown:
            scene.frame_set(frame)
            frames.append({"frame": frame + offset, **_at_this_frame(context, scene.camera)})
    finally:
        scene.frame_set(now, subframe=subframe)
    render = scene.render
    return {
        "format": "blender camera",
        "version": 1,
        "numbering": "scene" if clip is None else "clip",
        "fps": f"{render.fps / render.fps_base:.9g}",
        "resolution": [render.resolution_x, render.resolution_y],
        "pixel_aspect": [render.pixel_aspect_x, render.pixel_aspect_y],
        "frames": frames,
    }


def as_text(facts: dict[str, Any]) -> str:
    """JSON with a line a frame."""
    head = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in facts.items() if name != "frames"]
    frames = ",\n".join(json.dumps(frame) for frame in facts["frames"])
    return "{\n" + ",\n".join((*head, f'"frames": [\n{frames}\n]')) + "\n}\n"


def _at_this_frame(context: Any, camera: Any) -> dict[str, Any]:
    """A camera as it is evaluated; markers may make another one the scene's."""
    if camera is None or camera.type != "CAMERA":
        raise ResultError("The scene has no camera: add one, or make one the scene's.")
    seen = camera.evaluated_get(context.evaluated_depsgraph_get())
    lens = seen.data
    if lens.type != "PERSP":
        raise ResultError(f"{camera.name} is no perspective camera: set its lens type to Perspective.")
    # Renders take no scale from a camera, whatever it is parented to.
    return {
        "matrix_world": [list(row) for row in seen.matrix_world.normalized()],
        "lens": lens.lens,
        "sensor_fit": lens.sensor_fit,
        "sensor_width": lens.sensor_width,
        "sensor_height": lens.sensor_height,
        "shift_x": lens.shift_x,
        "shift_y": lens.shift_y,
    }
