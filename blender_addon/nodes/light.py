# SPDX-License-Identifier: GPL-3.0-or-later
"""Light added to footage: a surface that shows the plate times 1 + what new lights give it.

The plate glows and a matte surface of its colour lies over it. In a composite the plate is there already, as
sharp as it was filmed: the modifier `alone_tree` then leaves the glow out of renders, not of viewports, and
where they show the surface they say so in the pass `PASS`. Footage without light is left out alike.
"""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat
from .footage import emissions_of
from .graph import Field, Graph, arrange
from .normals import shading_normal
from .plate import SKY

GROUP = "Video Depth Add Light"
VERSION_KEY = "vdepth_add_light"
VERSION = 3
PASS = "Video Depth Light"
"""Name of the shader's output that holds the share of a pixel where light is added."""
ALONE = "vdepth_light_alone"
"""Attribute of the geometry: 1 where renders show the added light without the plate."""
LEFT_OUT = "Plate Left Out"
"""Name of the node of a footage material that says how much of the plate renders show."""
_SAME = 0.003  # of the picture's width or height; a camera that moved sees most points farther off
SOCKETS: tuple[tuple[str, str, Any, float, float, str], ...] = (
    ("Plate", "Color", (0.0, 0.0, 0.0, 1.0), 0, 1, "The footage"),
    ("Strength", "Float", 1.0, 0, 100, "Share of the new light that is added; at 0 the plate is as it was"),
    ("Colour", "Color", (1.0, 1.0, 1.0, 1.0), 0, 1, "Tint of what is added"),
    ("Relief", "Float", 1.0, 0, 1, "How much the surface's slope counts; at 0 it faces the camera all over"),
)
"""Name, type, default, limits and description of the group's inputs."""


def make_lit(material: Any) -> Any:
    """Replaces every emission of a footage material by the group; returns the last group's node."""
    tree = material.node_tree
    node = None
    for emission in emissions_of(material):
        node = tree.nodes.new("ShaderNodeGroup")
        node.node_tree, node.name, node.label = light_group(), GROUP, GROUP
        node.location = emission.location
        for link in emission.inputs["Color"].links:
            tree.links.new(link.from_socket, node.inputs["Plate"])
        for link in list(emission.outputs[0].links):
            tree.links.new(node.outputs[0], link.to_socket)
        tree.nodes.remove(emission)
    alone = tree.nodes.new("ShaderNodeAttribute")
    alone.attribute_name, alone.location = ALONE, (700, -200)
    _mark(tree, alone.outputs["Fac"])
    return node


def can_leave_plate_out(material: Any) -> bool:
    """Whether a material is as `build_unlit` makes it, or was left out before; the user's own are not."""
    return any(_is_left_out(emission) or _is_plain(emission) for emission in emissions_of(material))


def leave_plate_out(material: Any) -> None:
    """Has a footage material show nothing to the camera where `alone_tree` marks what is rendered.

    The composite has the plate, as sharp as it was filmed; other surfaces see the footage as before, and
    so do cameras that see a point elsewhere in their picture than the plate's camera did.
    """
    tree = material.node_tree
    for emission in emissions_of(material):
        place = _place_of(emission)
        if not _is_plain(emission):
            continue
        kinds = ("TexCoord", "VectorMath", "Math", "Attribute", "LightPath", "Math", "Math", "Math")
        window, apart, here, alone, path, marked, left, rest = made = [
            tree.nodes.new(f"ShaderNode{kind}") for kind in kinds
        ]
        for column, node in enumerate(made):
            node.location = (emission.location.x + 200 * column - 1600, emission.location.y - 400)
        rest.name = LEFT_OUT
        alone.attribute_name = ALONE
        apart.operation, here.operation, rest.operation = "DISTANCE", "LESS_THAN", "SUBTRACT"
        marked.operation = left.operation = "MULTIPLY"
        here.inputs[1].default_value, rest.inputs[0].default_value = _SAME, 1.0
        for source, socket in (
            (window.outputs["Window"], apart.inputs[0]),
            (place, apart.inputs[1]),
            (apart.outputs["Value"], here.inputs[0]),
            (alone.outputs["Fac"], marked.inputs[0]),
            (path.outputs["Is Camera Ray"], marked.inputs[1]),
            (marked.outputs[0], left.inputs[0]),
            (here.outputs[0], left.inputs[1]),
            (left.outputs[0], rest.inputs[1]),
            (rest.outputs[0], emission.inputs["Strength"]),
        ):
            tree.links.new(source, socket)
        _mark(tree, left.outputs[0])


def _place_of(emission: Any) -> Any | None:
    """Where in the plate an emission's picture is looked up, if a picture is all it shows."""
    pictures = [link.from_node for link in emission.inputs["Color"].links]
    places = [
        link.from_socket
        for node in pictures
        if node.type == "TEX_IMAGE"
        for link in node.inputs["Vector"].links
    ]
    return places[0] if places and places[0].node.type == "COMBXYZ" else None


def _is_plain(emission: Any) -> bool:
    """Whether it shows a picture as it is, and nobody set or animated its strength."""
    strength, tree = emission.inputs["Strength"], emission.id_data
    moved = compat.fcurves_of(tree) + list(tree.animation_data.drivers if tree.animation_data else ())
    path = strength.path_from_id("default_value")
    untouched = not strength.is_linked and strength.default_value == 1
    return untouched and _place_of(emission) is not None and all(curve.data_path != path for curve in moved)


def _is_left_out(emission: Any) -> bool:
    return any(link.from_node.name.startswith(LEFT_OUT) for link in emission.inputs["Strength"].links)


def _mark(tree: Any, share: Any) -> None:
    """The output that says where a material leaves the plate out, once a tree."""
    marks = [node for node in tree.nodes if node.type == "OUTPUT_AOV" and node.aov_name == PASS]
    mark = marks[0] if marks else tree.nodes.new("ShaderNodeOutputAOV")
    mark.aov_name, mark.location = PASS, (900, -200)
    tree.links.new(share, mark.inputs["Value"])


def follow(material: Any, leader: Any) -> None:
    """Has a lit material take its settings from another, by drivers."""
    node, first, tree = find_group(material), find_group(leader), leader.node_tree
    if node is None or first is None:
        return
    path = first.path_from_id()
    for number, socket in enumerate(node.inputs):
        if socket.is_linked:
            continue
        parts = range(4) if socket.type == "RGBA" else (-1,)
        for part in parts:
            driver = socket.driver_add("default_value", part).driver
            driver.type = "AVERAGE"
            target = driver.variables.new().targets[0]
            target.id_type, target.id = "NODETREE", tree
            target.data_path = f"{path}.inputs[{number}].default_value" + (f"[{part}]" if part >= 0 else "")


def find_group(material: Any) -> Any | None:
    """The node of a material that adds light."""
    nodes = material.node_tree.nodes if material is not None and material.node_tree else ()
    groups = (node for node in nodes if node.type == "GROUP" and node.node_tree)
    return next((node for node in groups if VERSION_KEY in node.node_tree), None)


def light_group() -> Any:
    """The shader group, made once a file."""
    if (tree := _existing("ShaderNodeTree")) is not None:
        return tree
    tree = _new("ShaderNodeTree", GROUP)
    for name, kind, default, least, most, description in SOCKETS:
        socket = tree.interface.new_socket(name, in_out="INPUT", socket_type=f"NodeSocket{kind}")
        socket.default_value, socket.description = default, description
        if kind == "Float":
            socket.min_value, socket.max_value = least, most
    tree.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    graph = Graph(tree)
    plate = graph.input("Plate")
    camera = graph.field("ShaderNodeLightPath", output="Is Camera Ray")
    alone = graph.field("ShaderNodeAttribute", output="Fac", attribute_name=ALONE)
    glow = graph.field("ShaderNodeEmission", {"Color": plate, "Strength": 1.0 - alone * camera})
    # Seen by other surfaces it reflects no more than the plate's colour: a stronger one would multiply light.
    gain = _vector(graph, "SCALE", graph.input("Colour"), scale=graph.input("Strength"))
    gain = _vector(graph, "SUBTRACT", gain, (1.0, 1.0, 1.0))
    gain = _vector(graph, "ADD", _vector(graph, "SCALE", gain, scale=camera), (1.0, 1.0, 1.0))
    ground = 1.0 - graph.field("ShaderNodeAttribute", output="Fac", attribute_name=SKY)
    colour = _vector(graph, "SCALE", _vector(graph, "MULTIPLY", plate, gain), scale=ground)
    matte = graph.field("ShaderNodeBsdfDiffuse", {"Color": colour, "Normal": _normal(graph)})
    both = graph.field("ShaderNodeAddShader", {0: glow, 1: matte})
    graph.node("NodeGroupOutput", {0: both})
    arrange(tree)
    return tree


def alone_tree() -> Any:
    """The modifier's tree, made once a file: it marks what is rendered, and nothing in viewports."""
    if (tree := _existing("GeometryNodeTree")) is not None:
        return tree
    tree = _new("GeometryNodeTree", PASS)
    tree.is_modifier = True
    for side in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=side, socket_type="NodeSocketGeometry")
    graph = Graph(tree)
    rendered = 1.0 - graph.field("GeometryNodeIsViewport")
    graph.node("NodeGroupOutput", {0: graph.store(graph.input("Geometry"), ALONE, rendered)})
    arrange(tree)
    return tree


def _normal(graph: Graph) -> Field:
    """From the camera's direction to the surface's own."""
    normal = graph.node("ShaderNodeGroup", node_tree=shading_normal()).outputs[0]
    normal, incoming = Field(graph, normal), graph.field("ShaderNodeNewGeometry", output="Incoming")
    away = _vector(graph, "SUBTRACT", normal, incoming)
    slope = _vector(graph, "SCALE", away, scale=graph.input("Relief"))
    return _vector(graph, "NORMALIZE", _vector(graph, "ADD", incoming, slope))


def _vector(graph: Graph, operation: str, *values: Any, scale: Field | None = None) -> Field:
    node = graph.node("ShaderNodeVectorMath", operation=operation)
    for socket, value in zip(node.inputs, values, strict=False):
        graph.set(socket, value)
    if scale is not None:
        graph.set(node.inputs["Scale"], scale)
    return Field(graph, node.outputs["Vector"])


def _existing(kind: str) -> Any | None:
    trees = (tree for tree in bpy.data.node_groups if tree.bl_idname == kind)
    return next((tree for tree in trees if tree.get(VERSION_KEY) == VERSION), None)


def _new(kind: str, name: str) -> Any:
    tree = bpy.data.node_groups.new(name, kind)
    tree[VERSION_KEY] = VERSION
    return tree
