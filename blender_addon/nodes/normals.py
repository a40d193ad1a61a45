# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way the clip's surface faces, for lights: smoothed within surfaces, so that the waves of an estimate
throw no rings, while steps stay.

An edge-avoiding à-trous filter (Dammertz et al. 2010), as the core's own normals take: at every level each
sample takes its neighbours' normals in, twice as far away as at the level before, as far as the step to them
is along the plane of the mean of both.
"""

from __future__ import annotations

from typing import Any

import bpy

from .graph import Field, Graph, arrange
from .plate import Grid, Plate
from .surface import TORN

NORMAL = "vdepth_normal"
"""Attribute of the clip's surface: its normal in the mesh's own space; none where lights take the faces'."""
GROUP = "Video Depth Normal"
VERSION_KEY = "vdepth_normal_group"
VERSION = 2
WIDE = 73
"""Normals are smoothed over one part in 200 of the plate's width, rms; the first level does .365 samples."""
AWAY = 0.01
"""Off the plane by so much of its depth, a neighbour is another surface."""
_POINT = "vdepth_point"
_SIDE = 0.75  # samples nearer than that to each other are one pixel, there twice: at the plate's sides


def with_normals(graph: Graph, plate: Plate, grid: Grid, samples: Field, stride: Field) -> Field:
    """The samples with their normals, where the mesh is lit."""
    z = graph.attribute("depth")
    mesh = graph.store(samples, _POINT, plate.point(z), "FLOAT_VECTOR")
    mesh = graph.store(mesh, NORMAL, _of_faces(graph, mesh), "FLOAT_VECTOR")
    levels = graph.math("LOGARITHM", plate.width / float(WIDE) / stride * graph.input("Soft Normals"), 2.0)
    levels = graph.clamp(graph.math("ROUND", levels), 0.0, 8.0)
    own, place = (graph.attribute(name, "FLOAT_VECTOR") for name in (NORMAL, _POINT))

    def level(mesh: Field, count: Field) -> Field:
        total = own
        for neighbour in grid.neighbours(graph, graph.math("POWER", 2.0, count)):
            other, there = (graph.at_index(field, neighbour, "FLOAT_VECTOR") for field in (own, place))
            way = graph.vector_math("SUBTRACT", there, place)
            both = graph.vector_math("ADD", own, other)
            off = graph.vector_math("DOT_PRODUCT", both, way, output="Value") / (z * (2 * AWAY))
            weight = graph.maximum(1.0 - off * off, 0.0)
            total = graph.vector_math("ADD", total, graph.vector_math("SCALE", other, weight))
        return graph.store(mesh, NORMAL, graph.vector_math("NORMALIZE", total), "FLOAT_VECTOR")

    mesh = graph.repeat(levels, mesh, level)
    mesh = graph.field("GeometryNodeRemoveAttribute", {"Geometry": mesh, "Name": _POINT})
    return graph.switch("GEOMETRY", graph.input("Lit"), samples, mesh)


def shading_normal() -> Any:
    """A group for shaders: smoothed where the surface has that, else the faces'; made once a file."""
    for tree in bpy.data.node_groups:
        if tree.bl_idname == "ShaderNodeTree" and tree.get(VERSION_KEY) == VERSION:
            return tree
    tree = bpy.data.node_groups.new(GROUP, "ShaderNodeTree")
    tree[VERSION_KEY] = VERSION
    tree.interface.new_socket("Normal", in_out="OUTPUT", socket_type="NodeSocketVector")
    graph = Graph(tree)
    own = graph.field("ShaderNodeAttribute", output="Vector", attribute_name=NORMAL)
    there = graph.vector_math("LENGTH", own, output="Value") > 0.5
    # A normal of no length is none after turning, not even where it counts for nothing.
    some = graph.vector_math("ADD", own, graph.vector(0.0, 0.0, 1.0 - there))
    ways = {"vector_type": "NORMAL", "convert_from": "OBJECT", "convert_to": "WORLD"}
    turned = graph.field("ShaderNodeVectorTransform", {0: some}, **ways)
    faces = Field(graph, graph.node("ShaderNodeNewGeometry").outputs["Normal"])
    chosen = graph.field("ShaderNodeMix", {0: there, 4: faces, 5: turned}, output=1, data_type="VECTOR")
    graph.node("NodeGroupOutput", {0: graph.vector_math("NORMALIZE", chosen)})
    arrange(tree)
    return tree


def _of_faces(graph: Graph, mesh: Field) -> Field:
    """Of the faces round each sample that lie over no step; none where all do."""
    ends = graph.node("GeometryNodeInputMeshEdgeVertices")
    first, second = (Field(graph, end) for end in list(ends.outputs)[2:])
    twice = graph.vector_math("DISTANCE", first, second, output="Value") < _SIDE
    torn = graph.attribute(TORN, "BOOLEAN")
    cut = graph.delete(mesh, graph.on_domain(torn | twice, "EDGE"), "EDGE", "EDGE_FACE")
    cut = graph.field(
        "GeometryNodeSetPosition", {"Geometry": cut, "Position": graph.attribute(_POINT, "FLOAT_VECTOR")}
    )
    faces = graph.field("GeometryNodeInputMeshVertexNeighbors", output="Face Count")
    normal = graph.field("GeometryNodeInputNormal")
    index = graph.field("GeometryNodeInputIndex")
    return graph.sampled(cut, graph.switch("VECTOR", faces > 0.5, None, normal), index, "FLOAT_VECTOR")
