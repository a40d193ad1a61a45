# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor under a camera that is animated: its whole path is turned, scaled and put above the ground.

A path that came with the clip (imported, or solved elsewhere) says how the camera turns and travels, but in a
world of its own. Its ground is a plane there, the mean of what its frames see; one matrix takes it to Z = 0.
"""

from __future__ import annotations

from typing import Any

from mathutils import Euler, Matrix, Quaternion, Vector

from .. import compat
from ..result.ground import ShotGround
from ..result.manifest import ResultError

_SAMPLES = 24  # frames that say where the ground is
_STEEPEST = 0.97  # cosine: frames that disagree by more than 14 degrees about the ground have no common one


def is_animated(camera: Any) -> bool:
    """Whether keyframes of its own say where a camera is."""
    moved = {"location", "rotation_euler", "rotation_quaternion"}
    return any(curve.data_path in moved for curve in compat.fcurves_of(camera))


def path_to_floor(
    camera: Any, found: ShotGround, offset: int, scale: float, eye: float, row: float
) -> Matrix:
    """What takes the path's world to one whose Z = 0 is the clip's ground.

    Args:
        camera: Animated, and on nothing.
        found: The ground of the clip's only shot.
        offset: From frames of the scene to files' numbers.
        scale: Units of the path's world a unit of the depth.
        eye: Height of the camera in the middle frame; 0: as depth and path say.
        row: Where the origin is seen in that frame, as y at z = 1.

    Raises:
        ResultError: the path and the depth do not agree on where down is.
    """
    step = max(1, len(found.numbers) // _SAMPLES)
    seen = list(zip(found.numbers, found.down, strict=True))[::step]
    downs = [_at(camera, number - offset)[1] @ _blender(down) for number, down in seen]
    down = sum(downs, Vector((0.0, 0.0, 0.0))).normalized()
    if min(down.dot(one) for one in downs) < _STEEPEST:
        raise ResultError(f"{camera.name} turns otherwise than the clip's ground: is it this clip's path?")
    middle = seen[len(seen) // 2][0]
    height = found.height * scale
    place, turn = _at(camera, middle - offset)
    ray = turn @ Vector((0.0, -row, -1.0))
    below = max(down.dot(ray), 1e-6)
    ground = place + ray * min(height / below, 30 * height)
    ground += down * (height - down.dot(ground - place))  # where the ray is cut short, it is above
    ahead = turn @ Vector((0.0, 0.0, -1.0))
    ahead = (ahead - down * ahead.dot(down)).normalized()
    flat = Vector((ahead.x, ahead.y, 0.0))
    heading = flat.normalized() if flat.length > 1e-6 else Vector((0.0, 1.0, 0.0))
    up = Vector((0.0, 0.0, 1.0))
    before = Matrix((ahead.cross(-down), ahead, -down))  # rows: the ground's right, ahead and up
    after = Matrix((heading.cross(up), heading, up)).transposed()
    size = eye / height if eye else 1.0
    return Matrix.Scale(size, 4) @ (after @ before).to_4x4() @ Matrix.Translation(-ground)


def _blender(down: tuple[float, float, float]) -> Vector:
    """From OpenCV's camera axes to Blender's."""
    return Vector((down[0], -down[1], -down[2]))


def _at(camera: Any, frame: int) -> tuple[Vector, Matrix]:
    """Where an animated camera is, and how it is turned, without going to that frame."""
    names = ("location", "rotation_euler", "rotation_quaternion")
    values = {name: list(getattr(camera, name)) for name in names}
    for curve in compat.fcurves_of(camera):
        if curve.data_path in values:
            values[curve.data_path][curve.array_index] = curve.evaluate(frame)
    if camera.rotation_mode == "QUATERNION":
        turned = Quaternion(values["rotation_quaternion"])
    else:
        turned = Euler(values["rotation_euler"], camera.rotation_mode)
    return Vector(values["location"]), turned.to_matrix()
