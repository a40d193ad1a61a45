# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera that looks at a mesh from beside the plate's: a rig of plain drivers; and stereo."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..result.manifest import Result, ResultError
from ..result.safe_range import SafeRange, Seen, seen
from . import ours, sky
from .active import number_offset
from .camera import fit_lens, unit_of
from .depth_file import moved_depth, read_depth
from .match import lens_of
from .mesh import get_input

RIG, VIEW = "Video Depth Rig", "Video Depth View"
RIG_KEY = "vdepth_view_of"
"""Custom property of the rig's objects: the mesh they look at."""
MEASURED_KEY = "vdepth_measured"
"""Custom property of the rig's empty: over which frames its limits were measured, for what empty share."""


def depth_at(mesh: Any, result: Result, number: int, *, dome: bool = False) -> np.ndarray:
    """Depth of a frame in the mesh's space, infinite where the mesh has nothing.

    Args:
        mesh: The clip's.
        result: Its depth.
        number: Of the frame's files.
        dome: Whether what is on the sky's dome counts, at its distance.

    Raises:
        ResultError: the depth file is gone or empty.
    """
    read = read_depth(result, number)
    z = moved_depth(read, get_input(mesh, "Scale"), get_input(mesh, "Shift"))
    z[(z < get_input(mesh, "Near")) | (z > get_input(mesh, "Far"))] = np.inf
    taken = sky.taken_out(mesh, result, number, read)
    z[taken] = np.inf
    if not np.isfinite(z).any():
        raise ResultError(f"Nothing of depth file {number} lies between the mesh's Near and Far.")
    if dome and sky.has_dome(mesh):
        z[taken] = get_input(mesh, "Sky Distance")
    return z


def look_at(scene: Any, clip: Any, mesh: Any, result: Result) -> Seen:
    """Looks at the mesh at the scene's frame, in the mesh's space.

    Raises:
        ResultError: the depth file is gone or empty.
    """
    number = scene.frame_current + number_offset(clip, result)
    return seen(depth_at(mesh, result, min(max(number, result.first_number), result.last_number)))


def begin_range(mesh: Any, pivot: float, holes: float) -> SafeRange:
    """A measurement of how far a camera may leave the mesh's, to be given its frames.

    Args:
        mesh: The clip's.
        pivot: Distance of what the camera turns around.
        holes: Share of the picture that may be empty, 0..1.
    """
    return SafeRange(lens_of(mesh), pivot, get_input(mesh, "Tear"), holes)


def find_rig(mesh: Any) -> tuple[Any, Any] | None:
    """The rig's empty and camera, if the mesh has one."""
    rig = {obj.type: obj for obj in ours.carrying(RIG_KEY, mesh)}
    return (rig["EMPTY"], rig["CAMERA"]) if {"EMPTY", "CAMERA"} <= rig.keys() else None


def build_rig(scene: Any, mesh: Any, safe: SafeRange, frames: range) -> tuple[Any, Any]:
    """The rig, made or brought up to date: an empty at the median depth that carries the camera.

    Its values are custom properties of the empty; plain drivers, which need no trust, move the rest.

    Args:
        scene: Where new objects go.
        mesh: The clip's.
        safe: How far the values may go.
        frames: The scene's frames that this was measured over.
    """
    pivot, camera = find_rig(mesh) or _new_rig(scene, mesh)
    most, angle, length = safe.limits, "ANGLE", "DISTANCE"
    _set_property(pivot, "Distance", safe.distance, safe.near, 10 * safe.distance, length, "Of the pivot")
    for name, about in (("Yaw", "to the right"), ("Pitch", "upwards")):
        limit = most[name.lower()]
        _set_property(pivot, name, 0.0, -limit, limit, angle, f"Around the pivot, {about}")
    _set_property(pivot, "Dolly", 0.0, -most["farther"], most["closer"], length, "Towards the pivot")
    about = "To the right; the picture is shifted so that the pivot stays in place"
    _set_property(pivot, "Parallax", 0.0, -most["parallax"], most["parallax"], length, about)
    pivot[MEASURED_KEY] = {"holes": safe.holes, "first": frames.start, "last": frames.stop - 1}
    width, height = get_input(mesh, "Width"), get_input(mesh, "Height")
    lens = lens_of(mesh)
    fit_lens(camera, lens, width, height)
    data = camera.data
    unit = unit_of(mesh)
    data.clip_start, data.clip_end = unit * safe.near / 100, max(1000.0, 100 * unit * safe.distance)
    _drive(pivot, "location", 2, "-distance", pivot)
    _drive(pivot, "rotation_euler", 0, "-pitch", pivot)
    _drive(pivot, "rotation_euler", 1, "yaw", pivot)
    _drive(camera, "location", 0, "parallax", pivot)
    _drive(camera, "location", 2, "distance - dolly", pivot)
    _drive(
        data,
        "shift_x",
        -1,
        f"{data.shift_x:.9f} - {lens.fx / width:.9f} * parallax / (distance - dolly)",
        pivot,
    )
    pivot.update_tag()
    return pivot, camera


def swing(pivot: Any, angle: float, first: int, last: int) -> None:
    """Keys a yaw to one side and the other and back."""
    for part, share in enumerate((0, 1, 0, -1, 0)):
        pivot["Yaw"] = share * angle
        pivot.keyframe_insert('["Yaw"]', frame=first + (last - first) * part / 4)


def set_stereo(scene: Any, camera: Any, mesh: Any, safe: Seen) -> None:
    """Renders a stereo pair: eyes a thirtieth of the nearest depth apart, converging at the rig's pivot.

    Without a rig they converge at the median depth.
    """
    scene.render.use_multiview = True
    scene.render.views_format = "STEREO_3D"
    stereo = camera.data.stereo
    rig = find_rig(mesh)
    stereo.convergence_mode = "OFFAXIS"
    stereo.interocular_distance = unit_of(mesh) * safe.near / 30
    stereo.convergence_distance = unit_of(mesh) * (safe.median if rig is None else rig[0]["Distance"])


def _new_rig(scene: Any, mesh: Any) -> tuple[Any, Any]:
    pivot = bpy.data.objects.new(RIG, None)
    camera = bpy.data.objects.new(VIEW, bpy.data.cameras.new(VIEW))
    for obj, parent in ((pivot, mesh), (camera, pivot)):
        obj[RIG_KEY] = mesh
        obj.parent = parent
        for collection in mesh.users_collection or (scene.collection,):
            collection.objects.link(obj)
    pivot.empty_display_type = "SPHERE"
    return pivot, camera


def _set_property(obj: Any, name: str, value: float, low: float, high: float, kind: str, about: str) -> None:
    """A custom property whose slider stays in the safe range; typed values may go on to twice it."""
    kept = obj.get(name, value) if name != "Distance" else value
    obj[name] = float(kept)
    wide = 2 * max(abs(low), abs(high))
    obj.id_properties_ui(name).update(
        soft_min=low, soft_max=high, min=low if low > 0 else -wide, max=wide, default=value,
        subtype=kind, description=about,
    )  # fmt: skip


def _drive(target: Any, path: str, index: int, expression: str, rig: Any) -> None:
    """Drives by the rig's properties under their lower-case names, in a sum that needs no Python."""
    target.driver_remove(path, index)
    driver = target.driver_add(path, index).driver
    driver.type = "SCRIPTED"
    for name in ("Distance", "Yaw", "Pitch", "Dolly", "Parallax"):
        if name.lower() in expression:
            variable = driver.variables.new()
            variable.name = name.lower()
            variable.targets[0].id = rig
            variable.targets[0].data_path = f'["{name}"]'
    driver.expression = expression
