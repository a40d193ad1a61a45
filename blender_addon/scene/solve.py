# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's solved camera motion: where it saw its tracks, how deep they lie, and the depth files there.

Blender gives the solve in its own space: `reconstruction.cameras[].matrix` is camera to solve (−z forward) by
the clip's frame, which counts the scene's ``frame_start`` as 1, whatever the clip's ``frame_offset``. An
object with a Camera Solver constraint has the world matrix ``its own @ matrix``, so origin, floor and scale
that the user gave the solve are the camera object's own transform.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np

from ..result.align import Alignment, solve_alignment
from ..result.manifest import Result, Shot
from .active import number_offset
from .depth_file import read_depth

FAR_END = 0.999
"""Share of the pixels with depth that must stay in front of the camera."""
FRAMES_READ = 24
"""Depth files read for a shot, spread over it; more do not change the answer."""


@dataclass(frozen=True)
class Sight:
    """A track seen in a frame.

    Attributes:
        frame: The clip's frame, as markers count them.
        x, y: In the picture, 0..1 from its lower left corner.
        depth: Planar z in the solved camera, in the solve's units.
    """

    frame: int
    x: float
    y: float
    depth: float


def is_solved(clip: Any) -> bool:
    """Whether the clip's camera motion is solved."""
    return bool(clip.tracking.reconstruction.is_valid)


def sights(clip: Any) -> list[Sight]:
    """Every enabled marker of a track with a bundle, in front of the solved camera."""
    to_camera = {c.frame: c.matrix.inverted() for c in clip.tracking.reconstruction.cameras}
    found = []
    for track in clip.tracking.objects[0].tracks:  # the first object is always the camera
        if not track.has_bundle or track.weight == 0:
            continue
        for marker in track.markers:
            if marker.mute or marker.frame not in to_camera:
                continue
            depth = -(to_camera[marker.frame] @ track.bundle).z
            x, y = marker.co + track.offset
            if depth > 0 and 0 <= x < 1 and 0 <= y < 1:
                found.append(Sight(marker.frame, x, y, depth))
    return found


def align_shots(clip: Any, result: Result) -> list[tuple[Shot, Alignment | None]]:
    """Scale and shift of every shot from the depth files to the solve's units; None where it has no tracks.

    Raises:
        ResultError: a depth file is gone.
    """
    # A marker's frame counts from 1 where the scene counts from the clip's frame_start.
    to_number = clip.frame_start - 1 + number_offset(clip, result)
    by_number: dict[int, list[Sight]] = {}
    for sight in sights(clip):
        by_number.setdefault(sight.frame + to_number, []).append(sight)
    answers = []
    for shot in result.shots:
        pairs = _pairs(result, [n for n in shot.numbers if n in by_number], by_number)
        answers.append((shot, solve_alignment(*pairs) if pairs[0] else None))
    return answers


def scaled(alignment: Alignment, factor: float) -> Alignment:
    """The alignment in units ``factor`` times smaller."""
    return replace(alignment, scale=alignment.scale * factor)


def find_solved_camera(scene: Any, clip: Any) -> Any | None:
    """The scene's camera object that follows the clip's solve, or None."""
    cameras = [obj for obj in scene.objects if obj.type == "CAMERA"]
    cameras.sort(key=lambda obj: obj != scene.camera)
    for obj in cameras:
        for constraint in obj.constraints:
            if constraint.type == "CAMERA_SOLVER" and not constraint.mute:
                follows = scene.active_clip if constraint.use_active_clip else constraint.clip
                if follows == clip:
                    return obj
    return None


def add_solved_camera(context: Any, clip: Any) -> Any:
    """A new camera that follows the clip's solve; the scene's camera if it had none."""
    name = f"{clip.name} Solved Camera"
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    context.scene.collection.objects.link(camera)
    constraint = camera.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip = False
    constraint.clip = clip
    if context.scene.camera is None:
        context.scene.camera = camera
    return camera


def _pairs(
    result: Result, numbers: list[int], by_number: dict[int, list[Sight]]
) -> tuple[list[float], list[float], float]:
    """Disparity in the depth files and in the solve, of the sights in some frames; least disparity there."""
    predicted, solved, floor = [], [], np.inf
    step = max(1, len(numbers) // FRAMES_READ)
    for number in numbers[::step]:
        z = read_depth(result, number)
        if (there := z[::4, ::4][np.isfinite(z[::4, ::4])]).size:
            floor = min(floor, 1 / float(np.quantile(there, FAR_END)))
        for sight, depth in zip(by_number[number], sample(z, by_number[number]), strict=True):
            if depth < np.inf:
                predicted.append(1 / depth)
                solved.append(1 / sight.depth)
    return predicted, solved, floor


def sample(z: np.ndarray, places: Iterable[Sight]) -> list[float]:
    """Median of the 3x3 pixels around each place, of those that have depth; infinite where none has."""
    height, width = z.shape
    values = []
    for place in places:
        column, row = int(place.x * width), height - 1 - int(place.y * height)
        patch = z[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        patch = patch[np.isfinite(patch)]
        values.append(float(np.median(patch)) if patch.size else np.inf)
    return values
