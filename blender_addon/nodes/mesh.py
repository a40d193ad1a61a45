# SPDX-License-Identifier: GPL-3.0-or-later
"""The geometry-nodes tree that turns depth into geometry in the camera's space.

A grid over every *Stride*-th of the plate's pixel centres takes its depth z from the frame's file. It is
aligned: z' = Scale * z / (1 + Shift * z), in disparity (1 / z + Shift) / Scale. What has none or lies outside
Near and Far goes, and so does every face with an edge whose depths differ by more than Tear times the nearer.
The rest is unprojected: X = (u - cx) / fx * z', Y = -(v - cy) / fy * z', Z = -z'. The fill (`mesh_fill`) lies
behind it.
"""

from __future__ import annotations

from typing import Any

import bpy

from .graph import Field, Graph, arrange
from .mesh_fill import fill_layer
from .plate import Plate

TREE = "Video Depth Mesh"
VERSION_KEY = "vdepth_tree"
VERSION = 2
"""Rises with every change of the tree; meshes in older files keep the tree they were built with."""
SOCKETS: tuple[tuple[str, str, Any, float | None, str], ...] = (
    ("Depth Image", "Image", None, None, "Depth sequence, one file a frame, as estimated"),
    ("Footage", "Material", None, None, "Material that shows the clip through the attribute UVMap"),
    ("Stride", "Int", 4, 1, "Plate pixels from vertex to vertex in the viewport"),
    ("Render Stride", "Int", 1, 1, "Plate pixels from vertex to vertex in renders"),
    ("Scale", "Float", 1.0, None, "Depth in the scene is Scale · z / (1 + Shift · z), with z from the file"),
    ("Shift", "Float", 0.0, None, "Added to the file's disparity 1 / z, which is then divided by Scale"),
    ("Near", "Float", 0.0, 0.0, "What is nearer is removed; in scene units, after Scale and Shift"),
    ("Far", "Float", 1e6, 0.0, "What is farther is removed; in scene units, after Scale and Shift"),
    ("Tear", "Float", 0.1, 0.0, "Edges whose depths differ by more than this times the nearer are cut"),
    ("Smooth", "Int", 0, 0, "How many times the depth is smoothed; tears stay sharp"),
    ("Fill", "Bool", True, None, "Stretch the background behind the tears and past the plate's edges"),
    ("Points", "Bool", False, None, "Show a point for every vertex in place of the mesh"),
    ("Point Radius", "Float", 0.6, 0.0, "In steps of the grid, so that points meet at any depth"),
    ("Frame Offset", "Int", 0, None, "Added to the scene's frame to get the number of the depth file"),
)
"""Name, type, default, least value and description of what artists set, in order."""
PLATE: tuple[tuple[str, str, Any, float | None, str], ...] = (
    ("Width", "Int", 1920, 2, "Of the plate in pixels"),
    ("Height", "Int", 1080, 2, "Of the plate in pixels"),
    ("First", "Int", 1, None, "Number of the first depth file, which earlier frames show"),
    ("Last", "Int", 1, None, "Number of the last depth file, which later frames show"),
    ("Clip Offset", "Int", 0, None, "Added to Frame Offset: how the clip is moved in time, driven by it"),
    ("fx", "Float", 1920.0, None, "Focal length across in plate pixels"),
    ("fy", "Float", 1920.0, None, "Focal length down in plate pixels"),
    ("cx", "Float", 960.0, None, "Optical axis in plate pixels from the left edge"),
    ("cy", "Float", 540.0, None, "Optical axis in plate pixels from the top edge"),
)
"""The same of what says how the plate was taken."""


def mesh_tree() -> Any:
    """The tree, made once a file and shared by all meshes."""
    for tree in bpy.data.node_groups:
        if tree.bl_idname == "GeometryNodeTree" and tree.get(VERSION_KEY) == VERSION:
            return tree
    tree = bpy.data.node_groups.new(TREE, "GeometryNodeTree")
    tree[VERSION_KEY] = VERSION
    tree.is_modifier = True
    _declare(tree)
    graph = Graph(tree)
    plate = Plate(graph)
    joined = graph.node("GeometryNodeJoinGeometry")
    fill = graph.switch("GEOMETRY", graph.input("Fill"), None, fill_layer(graph, plate))
    for layer in (fill, _front(graph, plate)):
        tree.links.new(layer.socket, joined.inputs[0])
    tree.links.new(joined.outputs[0], graph.node("NodeGroupOutput").inputs[0])
    arrange(tree)
    return tree


def _declare(tree: Any) -> None:
    """The group's sockets: what artists set first, what says what the plate is in a closed panel."""
    face = tree.interface
    face.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    plate = face.new_panel("Plate", default_closed=True)
    for sockets, parent in ((SOCKETS, None), (PLATE, plate)):
        for name, kind, default, least, description in sockets:
            socket = face.new_socket(name, in_out="INPUT", socket_type=f"NodeSocket{kind}", parent=parent)
            socket.description = description
            if default is not None:
                socket.default_value = default
            if least is not None:
                socket.min_value = least


def _front(graph: Graph, plate: Plate) -> Field:
    """The clip's surface, torn at its edges, or its points."""
    viewport = graph.field("GeometryNodeIsViewport")
    stride = graph.switch("INT", viewport, graph.input("Render Stride"), graph.input("Stride"))
    grid = plate.grid(graph.maximum(stride, 1))
    x, y = plate.inside(grid.x, grid.y)
    uv = plate.uv(x, y)
    mesh = graph.store(grid.mesh, "depth", plate.aligned(plate.depth(uv), 0.0))
    # Worked out on vertices: they have four corners each.
    on_points = graph.field(
        "GeometryNodeFieldOnDomain", {"Value": uv}, domain="POINT", data_type="FLOAT_VECTOR"
    )
    mesh = graph.store(mesh, "UVMap", on_points, "FLOAT2", "CORNER")
    mesh = _tear(graph, mesh)
    z, smooth = graph.attribute("depth"), graph.input("Smooth")
    # Planes stay planes: their disparity is linear in the picture.
    blurred = graph.field(
        "GeometryNodeBlurAttribute", {"Value": 1.0 / z, "Iterations": smooth}, data_type="FLOAT"
    )
    mesh = graph.store(mesh, "depth", graph.switch("FLOAT", smooth > 0, z, 1.0 / blurred))
    mesh = plate.unproject(mesh, x, y, z)
    radius = graph.input("Point Radius") * stride * z / graph.input("fx")
    points = graph.field("GeometryNodeMeshToPoints", {"Mesh": mesh, "Radius": radius})
    return plate.finish(graph.switch("GEOMETRY", graph.input("Points"), mesh, points))


def _tear(graph: Graph, mesh: Field) -> Field:
    """Without the faces that touch a vertex of no depth or have an edge over a jump."""
    ends = graph.node("GeometryNodeInputMeshEdgeVertices")
    z = graph.attribute("depth")
    first, second = (graph.at_index(z, Field(graph, end)) for end in list(ends.outputs)[:2])
    nearer, jump = graph.minimum(first, second), graph.math("ABSOLUTE", first - second)
    whole = (nearer > 0.0) & (1.0 - (jump > nearer * graph.input("Tear")))
    # On faces, Blender takes a condition on edges for met where all edges meet it.
    torn = graph.logic_not(whole, "EDGE")
    return graph.field(
        "GeometryNodeDeleteGeometry", {"Geometry": mesh, "Selection": torn}, domain="FACE", mode="ALL"
    )
