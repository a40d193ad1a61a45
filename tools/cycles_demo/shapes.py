# SPDX-License-Identifier: GPL-3.0-or-later
"""Mesh builders of the demo room; sizes in metres, no modifiers left to evaluate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import bmesh  # type: ignore[import-not-found]
import bpy
from mathutils import Euler, Matrix, Vector

Triple = tuple[float, float, float]


def place(
    mesh: Any, name: str, at: Triple, material: Any, turn: Triple = (0, 0, 0), smooth: bool = False
) -> Any:
    """An object of a bmesh or mesh, linked to the scene; ``turn`` in degrees."""
    if isinstance(mesh, bmesh.types.BMesh):
        data = bpy.data.meshes.new(name)
        mesh.normal_update()
        mesh.to_mesh(data)
        mesh.free()
        mesh = data
    mesh.materials.append(material)
    if smooth:
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    thing = bpy.data.objects.new(name, mesh)
    thing.location, thing.rotation_euler = at, [math.radians(a) for a in turn]
    bpy.context.scene.collection.objects.link(thing)
    return thing


def box(
    name: str, size: Triple, at: Triple, material: Any, turn: Triple = (0, 0, 0), bevel: float = 0.004
) -> Any:
    """A box with softened edges, its origin at the centre of its bottom."""
    mesh = bmesh.new()
    bmesh.ops.create_cube(
        mesh, size=1, matrix=Matrix.Translation((0, 0, size[2] / 2)) @ Matrix.Diagonal((*size, 1))
    )
    if bevel:
        edges = list(mesh.edges)
        bmesh.ops.bevel(mesh, geom=edges, offset=bevel, segments=2, profile=0.6, affect="EDGES")
    return place(mesh, name, at, material, turn)


def cushion(name: str, size: Triple, at: Triple, material: Any, turn: Triple = (0, 0, 0)) -> Any:
    """A stuffed box: superellipsoid with slightly sunken corners, origin at the centre of its bottom."""
    mesh = bmesh.new()
    bmesh.ops.create_cube(mesh, size=2)
    bmesh.ops.subdivide_edges(mesh, edges=list(mesh.edges), cuts=14, use_grid_fill=True)
    for vertex in mesh.verts:
        p = vertex.co
        sphere = p / (abs(p.x) ** 6 + abs(p.y) ** 6 + abs(p.z) ** 6) ** (1 / 6)
        puff = 1 - 0.22 * (p.x**4 + p.y**4) / 2
        vertex.co = Vector(
            (sphere.x * size[0] / 2, sphere.y * size[1] / 2, size[2] / 2 * (1 + sphere.z * puff))
        )
    return place(mesh, name, at, material, turn, smooth=True)


def lathe(
    name: str,
    profile: Sequence[tuple[float, float]],
    at: Triple,
    material: Any,
    turn: Triple = (0, 0, 0),
    steps: int = 48,
) -> Any:
    """Turns a profile of (radius, height) points about z."""
    mesh = bmesh.new()
    rings = []
    for radius, height in profile:
        angles = [2 * math.pi * k / steps for k in range(steps)]
        rings.append([mesh.verts.new((radius * math.cos(a), radius * math.sin(a), height)) for a in angles])
    for lower, upper in pairwise(rings):
        for k in range(steps):
            mesh.faces.new((lower[k], lower[(k + 1) % steps], upper[(k + 1) % steps], upper[k]))
    if profile[0][0] > 1e-3:
        mesh.faces.new(list(reversed(rings[0])))
    return place(mesh, name, at, material, turn, smooth=True)


def rod(name: str, start: Triple, stop: Triple, radius: float, material: Any, taper: float = 1.0) -> Any:
    """A round bar between two points, ``taper`` times as thick at its end."""
    a, b = Vector(start), Vector(stop)
    mesh = bmesh.new()
    length = (b - a).length
    bmesh.ops.create_cone(
        mesh, cap_ends=True, segments=20, radius1=radius, radius2=radius * taper, depth=length,
        matrix=Matrix.Translation((0, 0, length / 2)),
    )  # fmt: skip
    thing = place(mesh, name, start, material)
    thing.rotation_euler = (b - a).to_track_quat("Z", "Y").to_euler()
    return thing


def sheet(
    name: str,
    columns: int,
    rows: int,
    shape: Callable[[float, float], Triple],
    at: Triple,
    material: Any,
    turn: Triple = (0, 0, 0),
) -> Any:
    """A surface (u, v in 0..1) -> point: curtains, leaves, throws."""
    mesh = bmesh.new()
    grid = [
        [mesh.verts.new(shape(i / columns, j / rows)) for i in range(columns + 1)] for j in range(rows + 1)
    ]
    for j in range(rows):
        for i in range(columns):
            mesh.faces.new((grid[j][i], grid[j][i + 1], grid[j + 1][i + 1], grid[j + 1][i]))
    return place(mesh, name, at, material, turn, smooth=True)


def torus(name: str, major: float, minor: float, at: Triple, material: Any, turn: Triple = (0, 0, 0)) -> Any:
    """A ring."""

    def surface(u: float, v: float) -> Triple:
        a, b = 2 * math.pi * u, 2 * math.pi * v
        return (
            (major + minor * math.cos(b)) * math.cos(a),
            (major + minor * math.cos(b)) * math.sin(a),
            minor * math.sin(b),
        )

    return sheet(name, 32, 14, surface, at, material, turn)


def group(name: str, things: Sequence[Any], at: Triple, turn: Triple = (0, 0, 0), size: float = 1.0) -> Any:
    """An empty the things hang on, moved to its place."""
    parent = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(parent)
    for thing in things:
        thing.parent = parent
    parent.location, parent.rotation_euler = at, Euler([math.radians(a) for a in turn])
    parent.scale = (size,) * 3
    return parent
