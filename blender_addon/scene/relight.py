# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh lit by lights of the scene: its footage as a matte surface, or a catcher of shadows."""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Matrix, Vector

from .. import compat
from ..nodes.footage import is_unlit, make_matte
from ..result.manifest import ResultError
from . import film
from .camera import unit_of
from .mesh import get_input, set_input

COLLECTION = "Video Depth Lights"
WORLD = "Video Depth World"
STATE_KEY = "vdepth_relight"
"""Custom property of the mesh while it is lit: what it was before."""
OWN_KEY = "vdepth_rig_of"
"""Custom property of what we made: the mesh it belongs to."""
DARK = 0.05
"""Strength of the world, so that shadows keep a trace of detail."""

# Place in median depths in the camera's axes, near the camera, where little of what it sees is in the way;
# radiance that a white matte surface at the median depth then shows; edge of the square light in median
# depths; colour.
_LIGHTS = {
    "Video Depth Key": ((-0.4, 0.4, 0.05), 2.6, 0.1, (1.0, 0.86, 0.68)),
    "Video Depth Fill": ((0.35, 0.05, 0.2), 0.4, 0.4, (0.6, 0.75, 1.0)),
}


def catch_shadows(scene: Any, mesh: Any) -> None:
    """Has a mesh take the shadows of the scene's own lights, unless it is lit already.

    Raises:
        ResultError: the mesh's material shows no footage.
    """
    if not is_lit(mesh):
        _begin(scene, mesh, catcher=True, dim_world=False)
        mesh[STATE_KEY]["unlit"] = True


def set_up(scene: Any, mesh: Any, distance: float, *, catcher: bool, dim_world: bool, sphere: bool) -> None:
    """Lights a mesh; called again it starts from the mesh as it was.

    Args:
        distance: Median depth of the mesh at this frame, in its own space.

    Raises:
        ResultError: the mesh's material shows no footage.
    """
    _begin(scene, mesh, catcher=catcher, dim_world=dim_world)
    collection = _collection(scene)
    camera = mesh.matrix_world.normalized()
    distance *= unit_of(mesh)  # the mesh may be under a scaled camera, but lights do not take to scaling
    for name, (place, radiance, size, colour) in _LIGHTS.items():
        light = bpy.data.lights.new(name, "AREA")
        light.size, light.color = size * distance, colour
        reach = (Vector(place) - Vector((0, 0, -1))).length * distance
        # A Lambertian source of power P on its axis gives P / (π r²), and a matte surface shows 1/π of it.
        light.energy = math.pi**2 * reach**2 * radiance
        _own(collection, mesh, name, light, camera @ _aim(place, distance))
    if sphere:
        middle = Matrix.Translation(Vector((0.1, -0.05, -0.75)) * distance)
        ball = middle @ Matrix.Scale(0.05 * distance, 4)
        _own(collection, mesh, "Video Depth Sphere", _ball(), camera @ ball)


def undo(scene: Any, mesh: Any) -> None:
    """Takes the lights away and gives the mesh and the scene back what they had."""
    for obj in [obj for obj in bpy.data.objects if obj.get(OWN_KEY) == mesh]:
        data = obj.data
        bpy.data.objects.remove(obj)
        (bpy.data.lights if isinstance(data, bpy.types.Light) else bpy.data.meshes).remove(data)
    collection = scene.collection.children.get(COLLECTION)
    if collection is not None and not collection.all_objects:
        bpy.data.collections.remove(collection)
    if STATE_KEY not in mesh:
        return
    state = mesh[STATE_KEY]
    set_input(mesh, "Footage", state["footage"])
    mesh.is_shadow_catcher = False
    film.release(scene, state.get("film", ""))
    if state["dimmed"] and scene.world is not None and scene.world.get(OWN_KEY):
        scene.world = state.get("world")
    del mesh[STATE_KEY]


def is_lit(mesh: Any) -> bool:
    """Whether a mesh is set up for relighting."""
    return mesh is not None and STATE_KEY in mesh and "unlit" not in mesh[STATE_KEY]


def is_picture(mesh: Any) -> bool:
    """Whether a lit mesh is what renders show in place of the plate."""
    return is_lit(mesh) and not mesh.is_shadow_catcher and not mesh.hide_render


def only_catches(mesh: Any) -> bool:
    """Whether a mesh takes shadows by `catch_shadows` alone."""
    return mesh is not None and STATE_KEY in mesh and not is_lit(mesh)


def _begin(scene: Any, mesh: Any, *, catcher: bool, dim_world: bool) -> None:
    """Makes the mesh a matte surface, and remembers what it was."""
    lit = _matte(get_input(mesh, "Footage") if STATE_KEY not in mesh else mesh[STATE_KEY]["footage"])
    undo(scene, mesh)
    owner = f"relight {mesh.name}"
    mesh[STATE_KEY] = {
        "footage": get_input(mesh, "Footage"),
        "film": owner,
        "dimmed": dim_world,
        "world": scene.world,
    }
    set_input(mesh, "Footage", lit)
    mesh.is_shadow_catcher = catcher
    if catcher:
        film.need(scene, owner)
    if dim_world:
        scene.world = _dark_world()


def _matte(footage: Any) -> Any:
    """The footage's material with the emission replaced by a matte surface; made once a material."""
    if footage is None or footage.node_tree is None:
        raise ResultError("The mesh has no footage material: build it again.")
    for material in bpy.data.materials:
        if material.get(OWN_KEY) == footage:
            return material
    if not is_unlit(footage):
        raise ResultError(
            f"The material {footage.name} has no Emission node to replace: build the mesh again."
        )
    material = footage.copy()
    for key in list(material.keys()):
        del material[key]  # else it would be taken for the clip's footage
    material.name, material[OWN_KEY] = f"{footage.name} Matte", footage
    make_matte(material)
    return material


def _collection(scene: Any) -> Any:
    collection = scene.collection.children.get(COLLECTION)
    if collection is None:
        collection = bpy.data.collections.new(COLLECTION)
        scene.collection.children.link(collection)
    return collection


def _dark_world() -> Any:
    for world in bpy.data.worlds:
        if world.get(OWN_KEY):
            return world
    world = bpy.data.worlds.new(WORLD)
    world[OWN_KEY] = True
    background = next(node for node in compat.shader_tree(world).nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1, 1, 1, 1)
    background.inputs["Strength"].default_value = DARK
    return world


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
