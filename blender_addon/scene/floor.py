# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor of a clip in the scene: Z = 0 is its ground, whatever the camera does.

Two empties: *Floor*, the user's to move, turn and scale with all that hangs on it, and *Tilt* on it, at the
camera's eye, which is keyed where the camera rocks. The camera hangs on *Tilt*, and the mesh on the camera.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Matrix

from ..result.ground import ShotGround, is_still, spot, tilt
from ..result.manifest import Result, ResultError
from .active import number_offset
from .camera import key_input, straighten
from .floor_path import is_animated, path_to_floor
from .mesh import SET_KEY, collection_of, get_input, metre

FLOOR, TILT = "Video Depth Floor", "Video Depth Tilt"
FLOOR_KEY = "vdepth_floor_of"
"""Custom property of both empties: the camera that stands on the floor."""
BEFORE_KEY = "vdepth_before_floor"
"""Custom property of the camera: its world matrix before, by rows."""
SCALE_KEY = "vdepth_scale_before"
"""Custom property of the tilt under a path: scale of the mesh before."""
WORDS_KEY = "vdepth_floor"
"""Custom property of the clip: what the floor was found from, a line a shot."""


def find_floor(camera: Any) -> tuple[Any, Any] | None:
    """The empties a camera stands on, floor and tilt, or None."""
    tilted = camera.parent if camera is not None else None
    if tilted is None or tilted.get(FLOOR_KEY) != camera or tilted.parent is None:
        return None
    return tilted.parent, tilted


def check_camera(mesh: Any) -> Any:
    """The camera that can be put on a floor.

    Raises:
        ResultError: there is none, or something else says where it is.
    """
    camera = mesh.parent
    if camera is None or camera.type != "CAMERA":
        raise ResultError(f"{mesh.name} hangs on no camera: tick Parent to Camera and press Update Mesh.")
    if any(not one.mute for one in camera.constraints):
        raise ResultError(
            f"{camera.name} follows a solve: set its floor in the Clip Editor, then Align to Solve."
        )
    if camera.parent is not None and find_floor(camera) is None:
        raise ResultError(f"{camera.name} hangs on {camera.parent.name}: clear its parent first.")
    if is_animated(camera) and camera.rotation_mode == "AXIS_ANGLE":
        raise ResultError(f"{camera.name} is keyed by axis and angle: set its rotation to quaternion first.")
    return camera


def stand(scene: Any, clip: Any, mesh: Any, result: Result, found: list[ShotGround], eye: float) -> Any:
    """Puts the clip's camera on its floor, and the mesh's ground at Z = 0.

    Args:
        scene: The scene.
        clip: The clip.
        mesh: Its mesh, on the camera.
        result: Its depth.
        found: The ground of each of its shots.
        eye: Height of the camera in scene units; 0: as the depth says, in its own units.

    Returns:
        The floor.

    Raises:
        ResultError: the camera cannot be put on a floor.
    """
    camera = check_camera(mesh)
    offset = number_offset(clip, result)
    if is_animated(camera):
        return _stand_on_path(scene, clip, camera, mesh, found, eye, offset)
    unit = metre(scene, result)
    floor, tilted = find_floor(camera) or _new_floor(
        scene, camera, found[0], _low_row(mesh), eye or unit * found[0].height
    )
    factors = [eye / one.height if eye else unit for one in found]
    _align(mesh, found, factors, offset)
    clip.vdepth.scale = factors[0] * found[0].scale[0]
    _key_tilt(tilted, found, [eye or unit * one.height for one in found], offset)
    clip[WORDS_KEY] = "\n".join(_line(n, one, len(found)) for n, one in enumerate(found, 1))
    return floor


def _align(mesh: Any, found: list[ShotGround], factors: list[float], offset: int) -> None:
    """Scale and shift of the mesh, keyed where they change."""
    for name in ("Scale", "Shift"):
        keys = [
            (number - offset, scale * factor if name == "Scale" else shift)
            for one, factor in zip(found, factors, strict=True)
            for number, scale, shift in zip(one.numbers, one.scale, one.shift, strict=True)
        ]
        key_input(mesh, name, keys)


def _stand_on_path(
    scene: Any, clip: Any, camera: Any, mesh: Any, found: list[ShotGround], eye: float, offset: int
) -> Any:
    """Puts an animated camera's whole path above the ground; the floor.

    Raises:
        ResultError: the path is no path of one shot over this ground.
    """
    if len(found) > 1:
        raise ResultError(
            f"{camera.name} is animated through {len(found)} shots: one floor cannot hold them."
        )
    standing = find_floor(camera)
    scale = standing[1][SCALE_KEY] if standing else get_input(mesh, "Scale")
    matrix = path_to_floor(camera, found[0], offset, scale, eye, _low_row(mesh))
    floor, tilted = standing or _empties(scene, camera, eye or found[0].height * scale)
    tilted[SCALE_KEY] = scale
    tilted.animation_data_clear()
    tilted.matrix_basis = matrix
    camera.parent = tilted
    camera.matrix_parent_inverse.identity()
    _align(mesh, found, [scale], offset)
    clip.vdepth.scale = scale * found[0].scale[0]
    clip[WORDS_KEY] = _line(1, found[0], 1)
    return floor


def leave(clip: Any, mesh: Any) -> None:
    """Takes the camera off its floor, to where it was; scale and shift of the mesh are those of its depth."""
    camera = mesh.parent
    found = find_floor(camera)
    if found is None:
        return
    scale = found[1].get(SCALE_KEY, dict(mesh.get(SET_KEY, {})).get("Scale", 1.0))
    camera.parent = None
    if BEFORE_KEY in camera:
        values = list(camera[BEFORE_KEY])
        camera.matrix_world = Matrix([values[row : row + 4] for row in (0, 4, 8, 12)])
        del camera[BEFORE_KEY]
    for empty in found:
        if not [child for child in empty.children if child.get(FLOOR_KEY) != camera]:
            bpy.data.objects.remove(empty)  # what the user hung on the floor keeps it
    key_input(mesh, "Scale", [(1, scale)])
    key_input(mesh, "Shift", [(1, 0.0)])
    clip.vdepth.scale = scale
    clip.pop(WORDS_KEY, None)


def _line(number: int, found: ShotGround, shots: int) -> str:
    shot = f"Shot {number}: " if shots > 1 else ""
    row = sum(found.horizon) / len(found.horizon)
    return f"{shot}horizon at row {row:.0f}, by {found.words}"


def _low_row(mesh: Any) -> float:
    """A row at five sixths of the picture's height, as y at z = 1."""
    return float((get_input(mesh, "Height") * 5 / 6 - get_input(mesh, "cy")) / get_input(mesh, "fy"))


def _new_floor(scene: Any, camera: Any, found: ShotGround, row: float, eye: float) -> tuple[Any, Any]:
    """The empties, so that the scene's origin is on the ground low in the picture, the heading kept."""
    bpy.context.view_layer.update()
    world = camera.matrix_world.copy()
    floor, tilted = _empties(scene, camera, eye)
    heading = math.atan2(world[0][2], -world[1][2])  # of the camera's -z
    distance = spot(found.down[len(found.down) // 2], eye, row)
    floor.rotation_euler.z = heading
    floor.location = (math.sin(heading) * distance, -math.cos(heading) * distance, 0.0)
    camera[BEFORE_KEY] = [value for line in world for value in line]
    camera.parent = tilted
    camera.matrix_parent_inverse.identity()
    camera.matrix_basis.identity()
    return floor, tilted


def _empties(scene: Any, camera: Any, eye: float) -> tuple[Any, Any]:
    """Floor and tilt, for a camera that is that high."""
    floor, tilted = (bpy.data.objects.new(name, None) for name in (FLOOR, TILT))
    for empty in (floor, tilted):
        empty[FLOOR_KEY] = camera
        collection_of(scene).objects.link(empty)
    floor.empty_display_type, floor.empty_display_size = "CIRCLE", eye
    tilted.empty_display_type, tilted.empty_display_size = "SINGLE_ARROW", eye / 4
    tilted.parent, tilted.rotation_mode = floor, "QUATERNION"
    return floor, tilted


def _key_tilt(tilted: Any, found: list[ShotGround], eyes: list[float], offset: int) -> None:
    tilted.animation_data_clear()
    moves = len(found) > 1 or not is_still(found[0])
    before = None
    for one, eye in zip(found, eyes, strict=True):
        still = is_still(one)
        chosen = [len(one.down) // 2] * 2 if still else range(len(one.down))
        numbers = [one.numbers[0], one.numbers[-1]] if still else one.numbers
        for number, place in zip(numbers, chosen, strict=True):
            rotation = Matrix(tilt(one.down[place])).to_quaternion()
            if before is not None:
                rotation.make_compatible(before)
            tilted.rotation_quaternion = before = rotation
            tilted.location = (0.0, 0.0, eye)
            if moves:
                tilted.keyframe_insert("rotation_quaternion", frame=number - offset)
                tilted.keyframe_insert("location", frame=number - offset)
    straighten(tilted)
