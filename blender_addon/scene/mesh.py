# SPDX-License-Identifier: GPL-3.0-or-later
"""The object of a clip's depth: found, built, brought up to date, and its sockets by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .. import compat
from ..nodes.mesh import VERSION_KEY, mesh_tree
from ..result.manifest import Camera, Result
from . import ours
from .active import number_offset
from .follow import follow
from .footage import footage_material
from .image import load_sequence

CLIP_KEY = "vdepth_mesh_of"
"""Custom property of the object: the movie clip it shows."""
SET_KEY = "vdepth_set"
"""Custom property of the object: the values we gave its sockets last, so that the user's own are known."""
MODIFIER = "Video Depth"
CLIP_OFFSET = "Clip Offset"
COLLECTION = "Video Depth"


def build_mesh(context: Any, clip: Any, result: Result) -> Any:
    """The object that shows a clip's depth: made, or brought up to date with the result.

    Values and keyframes the user gave its sockets stay; those that only say what the result is are set again.

    Raises:
        ResultError: the result has no depth files.
    """
    depth = load_sequence(result, "depth")
    obj = _own(clip, context.scene)
    if obj is None:
        name = f"{clip.name} Depth"
        obj = bpy.data.objects.new(name, bpy.data.meshes.new(name))
        obj[CLIP_KEY] = clip
    if obj.name not in context.scene.objects:
        collection_of(context.scene).objects.link(obj)
    if modifier_of(obj) is None:
        modifier = obj.modifiers.new(MODIFIER, "NODES")
        modifier.show_expanded = False
        modifier.node_group = mesh_tree()
    set_input(obj, "Depth Image", depth)
    footage = footage_material(clip)
    if get_input(obj, "Footage") is None:
        set_input(obj, "Footage", footage)
    set_derived(obj, _of_the_result(clip, result, context.scene.frame_current, _follow(obj, clip)))
    if "Scale" in obj[SET_KEY] or get_input(obj, "Scale") == 1:  # what an older version or the user set stays
        set_derived(obj, {"Scale": metre(context.scene, result)})
    _parent(obj, context.scene)
    return obj


def metre(scene: Any, result: Result) -> float:
    """Scene units a unit of the depth files: of those in metres by the scene's unit scale, else 1."""
    units = scene.unit_settings
    return 1.0 if result.space != "metric" or units.system == "NONE" else 1 / float(units.scale_length)


def find_mesh(clip: Any) -> Any:
    """The object built for a clip in the scene at hand, or None; each scene has one, at its own camera."""
    scene = bpy.context.scene
    return next((obj for obj in _objects_of(clip) if _is_in(obj, scene) and modifier_of(obj)), None)


def modifier_of(obj: Any) -> Any:
    """The modifier that makes the mesh, or None."""
    groups = ((m, m.node_group) for m in obj.modifiers if m.type == "NODES")
    return next((modifier for modifier, group in groups if group and VERSION_KEY in group), None)


def identifier_of(obj: Any, name: str) -> str:
    """Identifier of a socket by its name (``Scale`` is ``Socket_7``, say).

    Raises:
        KeyError: the tree has no such socket.
    """
    for item in modifier_of(obj).node_group.interface.items_tree:
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name == name:
            return str(item.identifier)
    raise KeyError(name)


def has_input(obj: Any, name: str) -> bool:
    """Whether the mesh's tree, which an older version may have built, has a socket of that name."""
    return name in modifier_of(obj).node_group.interface.items_tree


def set_input(obj: Any, name: str, value: Any) -> None:
    """Sets a socket by its name."""
    compat.set_modifier_input(modifier_of(obj), identifier_of(obj, name), value)


def get_input(obj: Any, name: str) -> Any:
    """Value of a socket by its name."""
    return compat.get_modifier_input(modifier_of(obj), identifier_of(obj, name))


def set_derived(obj: Any, values: dict[str, float]) -> None:
    """Sets sockets whose values are worked out, except those that the user changed since."""
    before = dict(obj.get(SET_KEY, {}))
    for name, value in values.items():
        if name not in before or get_input(obj, name) == before[name]:
            set_input(obj, name, value)
            before[name] = get_input(obj, name)
    obj[SET_KEY] = before


def collection_of(scene: Any) -> Any:
    """The collection of a scene that holds what the add-on builds."""
    for collection in scene.collection.children:
        if collection.name.partition(".")[0] == COLLECTION:
            return collection
    collection = bpy.data.collections.new(COLLECTION)
    scene.collection.children.link(collection)
    return collection


def camera_inputs(camera: Camera) -> dict[str, float]:
    """Sockets of a camera's intrinsics."""
    return {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy}


def _objects_of(clip: Any) -> Iterator[Any]:
    yield from ours.carrying(CLIP_KEY, clip)


def _is_in(obj: Any, scene: Any) -> bool:
    return bool(scene.objects.get(obj.name) == obj)


def _own(clip: Any, scene: Any) -> Any:
    """The clip's object in a scene, or one that is in no scene, or None."""
    objects = list(_objects_of(clip))
    here = (obj for obj in objects if _is_in(obj, scene))
    return next(here, None) or next((obj for obj in objects if not obj.users_scene), None)


def _follow(obj: Any, clip: Any) -> int:
    """Has the depth go along when the clip is moved in time; returns by how much it is moved now."""
    try:
        path = compat.modifier_input_path(modifier_of(obj), identifier_of(obj, CLIP_OFFSET))
    except KeyError:  # the tree of an older version
        return 0
    follow(obj, path, clip, "1 - start + offset")
    moved = 1 - int(clip.frame_start) + int(clip.frame_offset)
    set_input(obj, CLIP_OFFSET, moved)
    return moved


def _of_the_result(clip: Any, result: Result, frame: int, moved: int) -> dict[str, float]:
    offset = number_offset(clip, result)
    return {
        "Width": result.width,
        "Height": result.height,
        "First": result.first_number,
        "Last": result.last_number,
        "Frame Offset": offset - moved,
        **camera_inputs(result.shot_at(frame + offset).camera),
    }


def _parent(obj: Any, scene: Any) -> None:
    """Puts the mesh, which lies in camera space, under the scene's camera, or takes it off."""
    if not scene.vdepth.mesh.parent_to_camera:
        if obj.parent is not None and obj.parent == scene.camera:
            obj.parent = None
    elif obj.parent is None and scene.camera is not None and not _hangs_on(scene.camera, obj):
        obj.parent = scene.camera
        obj.matrix_parent_inverse.identity()


def _hangs_on(obj: Any, other: Any) -> bool:
    """Whether an object is another's child at any depth, as the camera of a new view is the mesh's."""
    while obj is not None and obj != other:
        obj = obj.parent
    return obj is not None
