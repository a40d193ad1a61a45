# SPDX-License-Identifier: GPL-3.0-or-later
"""Intrinsics from their four sources, a mesh set to the solve, and cameras from a list of poses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import bpy
from mathutils import Matrix

from .. import compat
from ..result.align import Alignment, shot_line
from ..result.manifest import Camera, Result, ResultError, Shot
from .active import number_offset
from .mesh import camera_inputs, identifier_of, modifier_of, set_input

SOURCE_KEY = "vdepth_intrinsics"
"""Custom property of the mesh: where its intrinsics are from."""
ALIGNMENT_KEY = "vdepth_alignment"
"""Custom property of the clip: what Align to Solve found, a line a shot."""
POOR_KEY = "vdepth_alignment_poor"
"""Custom property of the clip: for each of these lines, whether it tells of trouble."""
NEAR = 0.005
"""How far a lens may be off and still count as the clip's."""
OPENCV = Matrix.Diagonal((1, -1, -1, 1))
"""OpenCV's camera looks along +z with y down, Blender's along −z with y up."""


def intrinsics(clip: Any, result: Result, source: str, fov: float, number: int) -> Camera:
    """Intrinsics in pixels of the plate.

    Args:
        source: ``SOLVE``, ``CLIP``, ``FOV`` or ``MODEL``.
        fov: Horizontal field of view in radians, for ``FOV``.
        number: File number of a frame of the shot that is meant, for ``MODEL``.

    Raises:
        ResultError: the clip is not solved.
    """
    width, height = result.width, result.height
    if source == "MODEL":
        return result.shot_at(number).camera
    if source == "FOV":
        f = width / 2 / math.tan(fov / 2)
        return Camera(f, f, width / 2, height / 2, "given")
    if source == "SOLVE" and not clip.tracking.reconstruction.is_valid:
        raise ResultError(f"{clip.name} has no camera solve: solve its motion in the Clip Editor first.")
    lens = clip.tracking.camera
    # The tracker counts in pixels of the clip as loaded (a proxy may be smaller) from the lower left corner,
    # with rows squeezed to square pixels.
    grow = width / clip.size[0]
    cx, cy = lens.principal_point_pixels
    f = lens.focal_length_pixels * grow
    return Camera(f, f * lens.pixel_aspect, cx * grow, height - cy * grow, "given")


def set_intrinsics(mesh: Any, camera: Camera, source: str) -> None:
    """Gives a mesh its intrinsics."""
    for name, value in camera_inputs(camera).items():
        set_input(mesh, name, value)
    mesh[SOURCE_KEY] = source


def fit_lens(camera: Any, intrinsics: Camera, width: int, height: int) -> None:
    """Gives a camera object the lens and shift of intrinsics, for renders in the plate's shape."""
    data = camera.data
    data.type = "PERSP"
    data.sensor_fit = "HORIZONTAL"
    data.lens_unit = "MILLIMETERS"
    wide, data.shift_x, data.shift_y = _lens_of(intrinsics, width, height)
    data.lens = wide * data.sensor_width


def has_lens(camera: Any, intrinsics: Camera, width: int, height: int) -> bool:
    """Whether a camera object has the lens and shift of intrinsics, nearly."""
    data = camera.data
    wide = data.sensor_fit == "HORIZONTAL" or (data.sensor_fit == "AUTO" and width >= height)
    if data.type != "PERSP" or not wide:
        return False
    wanted = _lens_of(intrinsics, width, height)
    has = (data.lens / data.sensor_width, data.shift_x, data.shift_y)
    return abs(has[0] / wanted[0] - 1) < NEAR and all(
        abs(one - other) < NEAR for one, other in zip(has[1:], wanted[1:], strict=True)
    )


def _lens_of(intrinsics: Camera, width: int, height: int) -> tuple[float, float, float]:
    """Focal length in widths of the sensor, and the shifts."""
    # Shifts are in widths; rows count in pixels that may not be square.
    down = (intrinsics.cy - height / 2) / width * intrinsics.fx / intrinsics.fy
    return intrinsics.fx / width, (width / 2 - intrinsics.cx) / width, down


def unit_of(obj: Any) -> float:
    """Scene units a unit of an object's own space: a mesh under a scaled camera is scaled too."""
    return float(sum(obj.matrix_world.to_scale()) / 3)


def put_under(mesh: Any, camera: Any) -> None:
    """Puts the mesh, which lies in camera space, right at a camera."""
    mesh.parent = camera
    mesh.matrix_parent_inverse.identity()
    mesh.matrix_basis.identity()


def set_alignment(mesh: Any, clip: Any, result: Result, shots: list[tuple[Shot, Alignment | None]]) -> None:
    """Gives the mesh scale and shift, held over each shot by keyframes if there are several.

    Args:
        shots: Shots and what was found for them; what is not usable is passed over, one must be.
    """
    offset = number_offset(clip, result)
    solved = [(shot, found) for shot, found in shots if found and found.usable]
    for name in ("Scale", "Shift"):
        keys = [
            (shot.numbers.start - offset, found.scale if name == "Scale" else found.shift)
            for shot, found in solved
        ]
        key_input(mesh, name, keys, always=len(result.shots) > 1, held=True)
    clip.vdepth.scale = solved[0][1].scale


def key_input(
    mesh: Any, name: str, keys: list[tuple[int, float]], *, always: bool = False, held: bool = False
) -> None:
    """Gives one of a mesh's sockets values at frames of the scene: keyframes, in place of those it has.

    Args:
        keys: Frames and values, in order.
        always: Whether values that are all the same are keyed too.
        held: Whether each value is held until the next, not blended into it.
    """
    path = compat.modifier_input_path(modifier_of(mesh), identifier_of(mesh, name))
    _remove_keys(mesh, path)
    moves = always or any(value != keys[0][1] for _, value in keys)
    for frame, value in reversed(keys):  # the first one's stays
        set_input(mesh, name, value)
        if moves:
            mesh.keyframe_insert(path, frame=frame)
    for curve in compat.fcurves_of(mesh):
        if curve.data_path == path:
            for key in curve.keyframe_points:
                key.interpolation = "CONSTANT" if held else "LINEAR"


def note_alignment(clip: Any, shots: list[tuple[Shot, Alignment | None]], poor: list[bool]) -> list[str]:
    """Keeps on the clip what was found, a line a shot, and which of them tell of trouble.

    Returns:
        The lines.
    """
    lines = [shot_line(number, found, len(shots)) for number, (_, found) in enumerate(shots, 1)]
    clip[ALIGNMENT_KEY], clip[POOR_KEY] = "\n".join(lines), [int(one) for one in poor]
    return lines


def animate(camera: Any, poses: list[list[float]], frames: Sequence[int]) -> None:
    """Keys a camera object at OpenCV poses, one for each of the scene's frames."""
    camera.rotation_mode = "QUATERNION"
    before = None
    for frame, pose in zip(frames, poses, strict=True):
        matrix = Matrix([pose[0:4], pose[4:8], pose[8:12], pose[12:16]]) @ OPENCV
        camera.location, rotation, _ = matrix.decompose()
        if before is not None:
            rotation.make_compatible(before)  # else motion blur turns the long way round
        camera.rotation_quaternion = before = rotation
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_quaternion", frame=frame)
    straighten(camera)


def animate_lens(camera: Any, lenses: list[Camera], width: int, height: int, frames: Sequence[int]) -> None:
    """Gives a camera object its lens, keyed at each of the scene's frames where there is one for each."""
    fit_lens(camera, lenses[0], width, height)
    if len(lenses) == 1:
        return
    for frame, lens in zip(frames, lenses, strict=True):
        fit_lens(camera, lens, width, height)
        for name in ("lens", "shift_x", "shift_y"):
            camera.data.keyframe_insert(name, frame=frame)
    straighten(camera.data)


def new_camera(context: Any, name: str) -> Any:
    """A camera object in the scene."""
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    context.scene.collection.objects.link(camera)
    return camera


def straighten(datablock: Any) -> None:
    """Has what a data-block is animated by go straight from key to key."""
    for curve in compat.fcurves_of(datablock):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def _remove_keys(obj: Any, path: str) -> None:
    for curve in compat.fcurves_of(obj):
        if curve.data_path == path:
            for frame in [key.co.x for key in curve.keyframe_points]:
                obj.keyframe_delete(path, frame=frame)
