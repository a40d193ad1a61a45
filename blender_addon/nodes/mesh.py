# SPDX-License-Identifier: GPL-3.0-or-later
"""The geometry-nodes tree that turns depth into geometry in the camera's space.

A grid over every *Stride*-th of the plate's pixel centres takes its depth z from the frame's file. It is
aligned: z' = Scale * z / (1 + Shift * z), in disparity (1 / z + Shift) / Scale. What has none or lies outside
Near and Far goes. Where the disparity steps by more than Tear times the farther's, beyond what the slope
beside it explains, the surface is cut (`surface`). It is unprojected: X = (u - cx) / fx * z',
Y = -(v - cy) / fy * z', Z = -z'. The fill (`mesh_fill`) lies behind it.
"""

from __future__ import annotations

from typing import Any

import bpy

from .graph import Field, Graph, arrange
from .mesh_clean import CleanPlate
from .mesh_fill import fill_layer, skirt_layer
from .normals import NORMAL, with_normals
from .plate import Plate
from .sky import dome, marked
from .surface import sampled, smoothed, surface
from .tree_cache import kept_tree

TREE = "Video Depth Mesh"
VERSION_KEY = "vdepth_tree"
VERSION = 6
"""Rises with every change of the tree; meshes in older files keep the tree they were built with."""
SOCKETS: tuple[tuple[str, str, Any, float | None, str], ...] = (
    ("Depth Image", "Image", None, None, "Depth sequence, one file a frame, as estimated"),
    ("Footage", "Material", None, None, "Material that shows the clip, projected from its camera"),
    ("Stride", "Int", 4, 1, "Plate pixels from vertex to vertex in the viewport"),
    ("Render Stride", "Int", 1, 1, "Plate pixels from vertex to vertex in renders"),
    ("Scale", "Float", 1.0, None, "Depth in the scene is Scale · z / (1 + Shift · z), with z from the file"),
    ("Shift", "Float", 0.0, None, "Added to the file's disparity 1 / z, which is then divided by Scale"),
    ("Near", "Float", 0.0, 0.0, "What is nearer is removed; in scene units, after Scale and Shift"),
    ("Far", "Float", 1e6, 0.0, "What is farther is removed; in scene units, after Scale and Shift"),
    (
        "Tear",
        "Float",
        0.1,
        0.0,
        "Depth steps by more than this, relative to the nearer side and beyond the slope beside it, are cut",
    ),
    ("Smooth", "Int", 0, 0, "How many times the depth is smoothed; tears stay sharp"),
    (
        "Soft Normals",
        "Float",
        1.0,
        0.0,
        "How far the light on a surface is smoothed, in 200ths of the width; 0: all that the depth has shows",
    ),
    (
        "Fill",
        "Bool",
        True,
        None,
        "Continue the background behind what is cut, at its own depth and with colour from beside the cut",
    ),
    (
        "Skirt",
        "Bool",
        False,
        None,
        "Continue the plate past its sides by a tenth of its width, mirrored there",
    ),
    ("Clean Plate", "Bool", False, None, "Show behind the surface what other frames saw there, before Fill"),
    ("Sky", "Int", 2, 0, "0: on a dome far away, 1: cut out, 2: where the estimate has it"),
    ("Points", "Bool", False, None, "Show a point for every vertex in place of the mesh"),
    ("Point Radius", "Float", 0.6, 0.0, "In steps of the grid, so that points meet at any depth"),
    ("Frame Offset", "Int", 0, None, "Added to the scene's frame to get the number of the depth file"),
)
"""Name, type, default, least value and description of what artists set, in order."""
PLATE: tuple[tuple[str, str, Any, float | None, str], ...] = (
    ("Lit", "Bool", False, None, "Whether normals are smoothed for lights, which takes time"),
    ("Clean Depth", "Image", None, None, "Depth of the clean plate, one file a frame"),
    ("Clean Footage", "Material", None, None, "Material that shows the clean plate"),
    ("Margin X", "Int", 0, 0, "Pixels that the clean plate is wider than the plate on each side"),
    ("Margin Y", "Int", 0, 0, "Pixels that the clean plate is higher than the plate on each side"),
    ("Width", "Int", 1920, 2, "Of the plate in pixels"),
    ("Height", "Int", 1080, 2, "Of the plate in pixels"),
    ("First", "Int", 1, None, "Number of the first depth file, which earlier frames show"),
    ("Last", "Int", 1, None, "Number of the last depth file, which later frames show"),
    ("Clip Offset", "Int", 0, None, "Added to Frame Offset: how the clip is moved in time, driven by it"),
    ("Sky Mask", "Image", None, None, "1 where the sky is, one file a frame as the depth"),
    ("Sky From", "Float", 1e9, None, "Depth in the files from which on it is sky, too"),
    ("Sky Distance", "Float", 500.0, 0.0, "Radius of the dome, in scene units"),
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
    return kept_tree(TREE, _built)


def _built() -> Any:
    tree = bpy.data.node_groups.new(TREE, "GeometryNodeTree")
    tree[VERSION_KEY] = VERSION
    tree.is_modifier = True
    _declare(tree)
    graph = Graph(tree)
    plate = Plate(graph)
    viewport = graph.field("GeometryNodeIsViewport")
    stride = graph.switch("INT", viewport, graph.input("Render Stride"), graph.input("Stride"))
    stride = graph.maximum(stride, 1)
    grid = plate.grid(stride)
    z = plate.aligned(plate.depth(plate.pixel(*plate.place())), 0.0)
    samples = smoothed(graph, sampled(graph, grid, z), graph.input("Smooth"))
    clean = CleanPlate(graph, plate)
    layers = {
        "Fill": fill_layer(graph, plate, clean, grid, samples, stride),
        "Skirt": skirt_layer(graph, plate, clean, stride),
    }
    behind = [graph.switch("GEOMETRY", graph.input(name), None, layer) for name, layer in layers.items()]
    known = graph.switch("GEOMETRY", graph.input("Clean Plate"), None, clean.layer(stride))
    lit = with_normals(graph, plate, grid, samples, stride)
    front = marked(graph, plate, surface(graph, grid, lit, NORMAL))
    front = plate.unproject(front, graph.attribute("depth"), plate.uv(*plate.place()))
    shown = graph.join(known, plate.finish(graph.join(*behind, front, dome(graph, plate))))
    points = plate.finish(_points(graph, plate, samples, stride))
    joined = graph.switch("GEOMETRY", graph.input("Points"), shown, points)
    tree.links.new(joined.socket, graph.node("NodeGroupOutput").inputs[0])
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


def _points(graph: Graph, plate: Plate, samples: Field, stride: Field) -> Field:
    """A point for every sample, but for those on the plate's sides, which are there twice."""
    z, (x, y) = graph.attribute("depth"), plate.place()
    side = (x < 0.25) | (y < 0.25) | (x > plate.width - 0.25) | (y > plate.height - 0.25)
    kept = graph.delete(samples, side | (1.0 - (z > 0.0)), "POINT")
    kept = plate.unproject(kept, z, plate.uv(x, y))
    radius = graph.input("Point Radius") * stride * z / graph.input("fx")
    return graph.field("GeometryNodeMeshToPoints", {"Mesh": kept, "Radius": radius})
