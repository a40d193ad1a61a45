# SPDX-License-Identifier: GPL-3.0-or-later
"""Simple meshes: boxes, sheets, hilly ground, blobs and trees; sizes in metres."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector, noise

Triple = tuple[float, float, float]


def link(mesh: Any, at: Triple, material: Any, turn: float = 0, smooth: bool = False) -> Any:
    """An object of a mesh, in the scene, turned by ``turn`` radians about its upright axis."""
    if isinstance(mesh, bmesh.types.BMesh):
        data = bpy.data.meshes.new("solid")
        mesh.to_mesh(data)
        mesh.free()
        mesh = data
    if smooth:
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    for one in material if isinstance(material, list) else [material]:
        mesh.materials.append(one)
    thing = bpy.data.objects.new("solid", mesh)
    thing.location, thing.rotation_euler = at, (0, 0, turn)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def instance(mesh: Any, at: Triple, turn: float = 0, scale: float = 1) -> Any:
    """One more object of a mesh that has its materials."""
    thing = bpy.data.objects.new("instance", mesh)
    thing.location, thing.rotation_euler, thing.scale = at, (0, 0, turn), (scale,) * 3
    bpy.context.scene.collection.objects.link(thing)
    return thing


def box(size: Triple, at: Triple, material: Any, turn: float = 0, bevel: float = 0.0) -> None:
    """A box standing on ``at``; see `gather`."""
    mesh = bmesh.new()
    lift = Matrix.Translation((0, 0, size[2] / 2))
    bmesh.ops.create_cube(mesh, size=1, matrix=lift @ Matrix.Diagonal((*size, 1)))
    if bevel:
        bmesh.ops.bevel(mesh, geom=list(mesh.edges), offset=bevel, segments=2, profile=0.6, affect="EDGES")
    _pend(mesh, at, material, turn)


def cylinder(radius: float, height: float, at: Triple, material: Any, top: float | None = None) -> None:
    """A cylinder or, with another ``top`` radius, a cone's stump, standing on ``at``; see `gather`."""
    mesh = bmesh.new()
    bmesh.ops.create_cone(
        mesh, cap_ends=True, segments=24, depth=height, radius1=radius,
        radius2=radius if top is None else top,
        matrix=Matrix.Translation((0, 0, height / 2)),
    )  # fmt: skip
    _pend(mesh, at, material, 0)


def rod(start: Triple, end: Triple, radius: float, material: Any) -> None:
    """A thin straight thing between two points: a wire, a rail, a post; see `gather`."""
    mesh, way = bmesh.new(), Vector(end) - Vector(start)
    turn = way.to_track_quat("Z", "Y").to_matrix().to_4x4()
    bmesh.ops.create_cone(
        mesh, cap_ends=True, segments=6, depth=way.length, radius1=radius, radius2=radius,
        matrix=turn @ Matrix.Translation((0, 0, way.length / 2)),
    )  # fmt: skip
    _pend(mesh, start, material, 0)


def sheet(rows: list[list[Triple]], material: Any) -> None:
    """A surface through rows of equally many points; see `gather`."""
    mesh = bmesh.new()
    points = [[mesh.verts.new(point) for point in row] for row in rows]
    for near, far in itertools.pairwise(points):
        for (a, b), (c, d) in zip(itertools.pairwise(near), itertools.pairwise(far), strict=True):
            mesh.faces.new((a, b, d, c))
    _pend(mesh, (0, 0, 0), material, 0)


def gather() -> None:
    """Makes one object a material of the boxes, cylinders, sheets: a thousand objects take Cycles seconds."""
    for mesh, material in _pending.values():
        link(mesh, (0, 0, 0), material)
    _pending.clear()


_pending: dict[str, tuple[Any, Any]] = {}  # by material name: a growing bmesh, the material


def _pend(mesh: Any, at: Triple, material: Any, turn: float) -> None:
    data = bpy.data.meshes.new("part")
    mesh.transform(Matrix.Translation(at) @ Matrix.Rotation(turn, 4, "Z"))
    mesh.to_mesh(data)
    mesh.free()
    whole, _ = _pending.setdefault(material.name, (bmesh.new(), material))
    whole.from_mesh(data)
    bpy.data.meshes.remove(data)


def blob(
    rng: random.Random, radius: float, at: Triple, material: Any, rough: float = 0.5, squash: float = 1.0
) -> Any:
    """A lump: a stone, a bush or a heap."""
    mesh = bmesh.new()
    bmesh.ops.create_icosphere(mesh, subdivisions=4, radius=1)
    offset = Vector((rng.uniform(-99, 99), rng.uniform(-99, 99), rng.uniform(-99, 99)))
    for vertex in mesh.verts:
        swell = 1 + rough * noise.fractal(vertex.co * 1.3 + offset, 0.9, 2.0, 5)
        vertex.co = vertex.co * swell * radius
        vertex.co.z *= squash
    return link(mesh, at, material, smooth=True)


def ground(rng: random.Random, side: float, height: float, material: Any, cells: int = 120) -> Any:
    """Hills of about ``height`` metres, flat near the origin; `level` tells their height anywhere."""
    offset = Vector((rng.uniform(-99, 99), rng.uniform(-99, 99), 0))
    axis = np.linspace(-1, 1, cells)
    axis = np.sign(axis) * np.abs(axis) ** 1.7 * side / 2  # finer where the camera is
    points = [(x, y, _hill(x, y, height, offset)) for y in axis for x in axis]
    faces = [
        (j * cells + i, j * cells + i + 1, (j + 1) * cells + i + 1, (j + 1) * cells + i)
        for j in range(cells - 1)
        for i in range(cells - 1)
    ]
    mesh = bpy.data.meshes.new("ground")
    mesh.from_pydata(points, [], faces)
    return link(mesh, (0, 0, 0), material, smooth=True)


def level(things: Any, x: float, y: float) -> float:
    """Height of the ground object ``things`` at (x, y)."""
    hit, where, _, _ = things.ray_cast((x, y, 500), (0, 0, -1))
    return float(where.z) if hit else 0.0


def _hill(x: float, y: float, height: float, offset: Vector) -> float:
    far = min(1.0, math.hypot(x, y) / 30)
    wide = noise.fractal(Vector((x, y, 0)) / 40 + offset, 0.9, 2.0, 5)
    return height * (far * wide + 0.06 * noise.fractal(Vector((x, y, 0)) / 4 + offset, 0.9, 2.0, 4))


def tree(rng: random.Random, height: float, bark: Any, leaves: Any, full: float = 1.0) -> Any:
    """The mesh of a tree with trunk, branches and leaves ``full`` times as long; place it with `instance`."""
    points: list[Triple] = []
    faces: list[tuple[int, ...]] = []
    kinds: list[int] = []

    def tube(a: Vector, b: Vector, thick: float, thin: float) -> None:
        start, along = len(points), (b - a).normalized()
        side = along.orthogonal()
        other = along.cross(side)
        for end, radius in ((a, thick), (b, thin)):
            for k in range(6):
                angle = k * math.pi / 3
                points.append(tuple(end + (side * math.cos(angle) + other * math.sin(angle)) * radius))
        faces.extend(
            (start + k, start + (k + 1) % 6, start + 6 + (k + 1) % 6, start + 6 + k) for k in range(6)
        )
        kinds.extend([0] * 6)

    def leaf(at: Vector, size: float) -> None:
        start = len(points)
        u = Vector((rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 1))).normalized() * size
        v = u.orthogonal().normalized() * size * 0.6
        points.extend(tuple(at + corner) for corner in (-u, v, u, -v))
        faces.append((start, start + 1, start + 2, start + 3))
        kinds.append(1)

    spread, bare = rng.uniform(0.4, 1.0), rng.random() < 0.1

    def grow(base: Vector, way: Vector, length: float, thick: float, depth: int) -> None:
        tip = base + way * length
        tube(base, tip, thick, thick * 0.65)
        if depth == 0:
            for _ in range(0 if bare else 28):
                drift = Vector((rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 0.8))) * length * 0.55
                leaf(tip + drift, full * (rng.uniform(0.03, 0.07) * height / 5 + 0.03))
            return
        for _ in range(rng.randint(3, 4)):
            bend = Vector((rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0.25, 0.5))) * spread
            grow(
                base + way * length * rng.uniform(0.6, 1),
                (way + bend).normalized(),
                length * 0.66,
                thick * 0.55,
                depth - 1,
            )

    grow(
        Vector((0, 0, 0)),
        Vector((rng.gauss(0, 0.06), rng.gauss(0, 0.06), 1)),
        height * 0.36,
        height * 0.03,
        3,
    )
    mesh = bpy.data.meshes.new("tree")
    mesh.from_pydata(points, [], faces)
    mesh.materials.append(bark)
    mesh.materials.append(leaves)
    mesh.polygons.foreach_set("material_index", kinds)
    return mesh
