# SPDX-License-Identifier: GPL-3.0-or-later
"""The lights before a lit mesh, a dark world and a ball to try them on: objects that are the mesh's own."""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Matrix, Vector

from .. import compat

COLLECTION = "Video Depth Lights"
WORLD = "Video Depth World"
OWN_KEY = "vdepth_rig_of"
"""Custom property of what we made: the mesh it belongs to."""

# Place in median depths in the camera's axes, near the camera, where little of what it sees is in the way;
# radiance that a white matte surface at the median depth then shows; edge of the square light in median
# depths; colour.
_LIGHTS = {
    "Video Depth Key": ((-0.4, 0.4, 0.05), 2.6, 0.1, (1.0, 0.86, 0.68)),
    "Video Depth Fill": ((0.35, 0.05, 0.2), 0.4, 0.4, (0.6, 0.75, 1.0)),
}


def build(scene: Any, mesh: Any, distance: float, unit: float, *, share: float, sphere: bool) -> None:
    """Makes the lights, and the ball if it is wanted.

    Args:
        scene: Where they go.
        mesh: Whose they are.
        distance: Median depth of the mesh, in its own space.
        unit: Scene units a unit of that space.
        share: Of the light that shows a plate's colours by itself, from 0.
        sphere: With the ball.
    """
    collection = _collection(scene)
    camera = mesh.matrix_world.normalized()
    distance *= unit  # the mesh may be under a scaled camera, but lights do not take to scaling
    for name, (place, radiance, size, colour) in _LIGHTS.items():
        light = bpy.data.lights.new(name, "AREA")
        light.size, light.color = size * distance, colour
        reach = (Vector(place) - Vector((0, 0, -1))).length * distance
        # A Lambertian source of power P on its axis gives P / (π r²), and a matte surface shows 1/π of it.
        light.energy = math.pi**2 * reach**2 * radiance * share
        _own(collection, mesh, name, light, camera @ _aim(place, distance))
    if sphere:
        middle = Matrix.Translation(Vector((0.1, -0.05, -0.75)) * distance)
        ball = middle @ Matrix.Scale(0.05 * distance, 4)
        _own(collection, mesh, "Video Depth Sphere", _ball(), camera @ ball)


def remove(scene: Any, mesh: Any) -> None:
    """Takes a mesh's lights and ball away."""
    for obj in [obj for obj in bpy.data.objects if obj.get(OWN_KEY) == mesh]:
        data = obj.data
        bpy.data.objects.remove(obj)
        (bpy.data.lights if isinstance(data, bpy.types.Light) else bpy.data.meshes).remove(data)
    collection = scene.collection.children.get(COLLECTION)
    if collection is not None and not collection.all_objects:
        bpy.data.collections.remove(collection)


def dark_world(strength: float) -> Any:
    """The world that gives as much light all over; made once a file."""
    for world in bpy.data.worlds:
        if world.get(OWN_KEY):
            break
    else:
        world = bpy.data.worlds.new(WORLD)
        world[OWN_KEY] = True
    background = next(node for node in compat.shader_tree(world).nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1, 1, 1, 1)
    background.inputs["Strength"].default_value = strength
    return world


def _collection(scene: Any) -> Any:
    collection = scene.collection.children.get(COLLECTION)
    if collection is None:
        collection = bpy.data.collections.new(COLLECTION)
        scene.collection.children.link(collection)
    return collection


def _own(collection: Any, mesh: Any, name: str, data: Any, place: Any) -> None:
    """Adds an object of ours at a place in the world."""
    obj = bpy.data.objects.new(name, data)
    obj[OWN_KEY] = mesh
    collection.objects.link(obj)
    obj.matrix_world = place


def _aim(place: tuple[float, float, float], distance: float) -> Any:
    """A light at a place, in distances, that looks at the middle of the picture, one distance away."""
    towards = Vector((0, 0, -1)) - Vector(place)
    turned = towards.to_track_quat("-Z", "Y").to_matrix().to_4x4()
    return Matrix.Translation(Vector(place) * distance) @ turned


def _ball() -> Any:
    """A smooth unit sphere, grey."""
    import bmesh

    data = bpy.data.meshes.new("Video Depth Sphere")
    shape = bmesh.new()
    bmesh.ops.create_uvsphere(shape, u_segments=64, v_segments=32, radius=1.0)
    for face in shape.faces:
        face.smooth = True
    shape.to_mesh(data)
    shape.free()
    data.materials.append(_grey())
    return data


def _grey() -> Any:
    material = bpy.data.materials.get("Video Depth Grey")
    if material is None:
        material = bpy.data.materials.new("Video Depth Grey")
        shader = next(node for node in compat.shader_tree(material).nodes if node.type == "BSDF_PRINCIPLED")
        shader.inputs["Base Color"].default_value = (0.18, 0.18, 0.18, 1)  # a grey card's
    return material
