# SPDX-License-Identifier: GPL-3.0-or-later
"""How a clip's depth lies in the scene, as its mesh has it: the compositor follows that at every frame."""

from __future__ import annotations

from typing import Any

from .. import compat
from ..nodes.compositor import Placing
from .camera import unit_of
from .mesh import get_input, identifier_of, modifier_of


def placing(clip: Any, mesh: Any) -> Placing:
    """How the clip's depth lies in the scene: as its mesh does, if it has one."""
    if mesh is None:
        return Placing(clip.vdepth.scale)
    return Placing(get_input(mesh, "Scale") * unit_of(mesh), get_input(mesh, "Shift"))


def follow_mesh(node: Any, mesh: Any) -> None:
    """Has Scale and Shift of a clip's group follow its mesh's, whose shots may differ.

    What the user set or keyed stays. Without a mesh the values stand still.

    Args:
        node: The group's node, whose interface's defaults are the mesh's values now.
        mesh: The clip's mesh, or None.
    """
    tree = node.id_data
    defaults = {
        item.name: getattr(item, "default_value", None)
        for item in node.node_tree.interface.items_tree
        if compat.is_input(item)
    }
    for name in ("Scale", "Shift"):
        socket = node.inputs[name]
        path = socket.path_from_id("default_value")
        driven = tree.animation_data is not None and tree.animation_data.drivers.find(path) is not None
        if any(curve.data_path == path for curve in compat.fcurves_of(tree)):
            continue
        if not driven and socket.default_value != defaults[name]:
            continue
        socket.driver_remove("default_value")
        socket.default_value = defaults[name]
        if mesh is not None:
            _drive(socket, mesh, name)


def _drive(socket: Any, mesh: Any, name: str) -> None:
    """By a socket of the mesh, in the scene's units where it is a scale; a product needs no Python."""
    driver = socket.driver_add("default_value").driver
    driver.type, driver.expression = "SCRIPTED", "value * unit" if name == "Scale" else "value"
    value = driver.variables.new()
    value.name = "value"
    value.targets[0].id = mesh
    value.targets[0].data_path = compat.modifier_input_path(modifier_of(mesh), identifier_of(mesh, name))
    if name == "Scale":
        unit = driver.variables.new()
        unit.name, unit.type = "unit", "TRANSFORMS"
        unit.targets[0].id = mesh
        unit.targets[0].transform_type, unit.targets[0].transform_space = "SCALE_AVG", "WORLD_SPACE"
