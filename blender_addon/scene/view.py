# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera that looks at a mesh from beside the plate's: a rig of plain drivers; and stereo."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..result.manifest import Camera, Result, ResultError
from ..result.safe_range import SafeRange, safe_range
from . import ours
from .active import number_offset
from .camera import fit_lens, unit_of
from .depth_file import read_scene_depth
from .mesh import get_input

RIG, VIEW = "Video Depth Rig", "Video Depth View"
RIG_KEY = "vdepth_view_of"
"""Custom property of the rig's objects: the mesh they look at."""


def look_at(scene: Any, clip: Any, mesh: Any, result: Result, holes: float = 0.03) -> SafeRange:
    """Measures the mesh at the scene's frame, in the mesh's space.

    Args:
        holes: Share of the picture that may open behind things, 0..1.

    Raises:
        ResultError: the depth file is gone or empty.
    """
    number = scene.frame_current + number_offset(clip, result)
    number = min(max(number, result.first_number), result.last_number)
    z = read_scene_depth(result, number, get_input(mesh, "Scale"), get_input(mesh, "Shift"))
    z[(z < get_input(mesh, "Near")) | (z > get_input(mesh, "Far"))] = np.inf
    if not np.isfinite(z).any():
        raise ResultError(f"Nothing of frame {scene.frame_current} lies between the mesh's Near and Far.")
    fx, fy, cx, cy = (get_input(mesh, name) for name in ("fx", "fy", "cx", "cy"))
    return safe_range(z, fx, fy, cx, cy, holes)


def find_rig(mesh: Any) -> tuple[Any, Any] | None:
    """The rig's empty and camera, if the mesh has one."""
    rig = {obj.type: obj for obj in ours.carrying(RIG_KEY, mesh)}
    return (rig["EMPTY"], rig["CAMERA"]) if {"EMPTY", "CAMERA"} <= rig.keys() else None


def build_rig(scene: Any, mesh: Any, safe: SafeRange) -> tuple[Any, Any]:
    """The rig, made or brought up to date: an empty at the median depth that carries the camera.

    Its values are custom properties of the empty; plain drivers, which need no trust, move the rest.
    """
    pivot, camera = find_rig(mesh) or _new_rig(scene, mesh)
    _set_property(pivot, "Distance", safe.median, safe.near, 10 * safe.median, "DISTANCE", "Of the pivot")
    angle, length = "ANGLE", "DISTANCE"
    _set_property(pivot, "Yaw", 0.0, -safe.yaw, safe.yaw, angle, "Around the pivot, to the right")
    _set_property(pivot, "Pitch", 0.0, -safe.pitch, safe.pitch, angle, "Around the pivot, upwards")
    _set_property(pivot, "Dolly", 0.0, -safe.along, safe.along, length, "Towards the pivot")
    about = "To the right; the picture is shifted so that the pivot stays in place"
    _set_property(pivot, "Parallax", 0.0, -safe.sideways, safe.sideways, length, about)
    width, height = get_input(mesh, "Width"), get_input(mesh, "Height")
    fx, fy, cx, cy = (get_input(mesh, name) for name in ("fx", "fy", "cx", "cy"))
    fit_lens(camera, Camera(fx, fy, cx, cy, "given"), width, height)
    data = camera.data
    unit = unit_of(mesh)
    data.clip_start, data.clip_end = unit * safe.near / 100, max(1000.0, 100 * unit * safe.median)
    _drive(pivot, "location", 2, "-distance", pivot)
    _drive(pivot, "rotation_euler", 0, "-pitch", pivot)
    _drive(pivot, "rotation_euler", 1, "yaw", pivot)
    _drive(camera, "location", 0, "parallax", pivot)
    _drive(camera, "location", 2, "distance - dolly", pivot)
    _drive(
        data, "shift_x", -1, f"{data.shift_x:.9f} - {fx / width:.9f} * parallax / (distance - dolly)", pivot
    )
    pivot.update_tag()
    return pivot, camera


def swing(pivot: Any, angle: float, first: int, last: int) -> None:
    """Keys a yaw to one side and the other and back."""
    for part, share in enumerate((0, 1, 0, -1, 0)):
        pivot["Yaw"] = share * angle
        pivot.keyframe_insert('["Yaw"]', frame=first + (last - first) * part / 4)


def set_stereo(scene: Any, camera: Any, mesh: Any, safe: SafeRange) -> None:
    """Renders a stereo pair: eyes a thirtieth of the nearest depth apart, converging at the median."""
    scene.render.use_multiview = True
    scene.render.views_format = "STEREO_3D"
    stereo = camera.data.stereo
    stereo.convergence_mode = "OFFAXIS"
    stereo.interocular_distance = unit_of(mesh) * safe.near / 30
    stereo.convergence_distance = unit_of(mesh) * safe.median


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
