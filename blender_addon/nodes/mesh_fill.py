# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer behind the clip's surface: what shows through its tears and past the plate's edges.

A coarse grid without holes. Some times over, a vertex that lies before a jump takes depth and colour of its
farthest neighbour: background grows in behind objects. No vertex stays before the farthest depth of its cell,
and all lie a little deeper than the surface, so that they are hidden where it is whole.
"""

from __future__ import annotations

from .graph import Field, Graph
from .plate import Grid, Plate

CELLS = 64
"""Across the plate's width."""
MARGIN = 6
"""Cells past the plate's edges: about a tenth of its width."""
GROWTH = 12
"""Times the background grows by a cell: it meets behind objects of a third of the plate's width."""
CELL_JUMP = 3.0
"""What counts as a jump from cell to cell, in units of Tear, which is from vertex to vertex."""
BEHIND = 1.01
SKY = 1e10
SOURCE, FAR, NEAR = "fill_source", "fill_far", "fill_near"
"""Attributes while it is built: where in the plate the colour is from, farthest depth, greatest disparity."""


def fill_layer(graph: Graph, plate: Plate) -> Field:
    """The layer's geometry."""
    stride, jump = graph.math("CEIL", plate.width / CELLS), graph.input("Tear")
    grid = plate.grid(stride, MARGIN)
    mesh = _sampled(graph, plate, grid, stride / 3)
    z, far, near = (graph.attribute(name) for name in ("depth", FAR, NEAR))
    # The colour at a jump is of both sides. Such a cell stands in front, and so gets a clean one by growth.
    mesh = graph.store(mesh, "depth", graph.switch("FLOAT", far * near > jump + 1.0, far, 1.0 / near))
    mesh = graph.store(mesh, SOURCE, plate.uv(*plate.inside(grid.x, grid.y)), "FLOAT_VECTOR")
    mesh = _grow(graph, mesh, grid, jump * CELL_JUMP)
    mesh = graph.store(mesh, "depth", graph.maximum(z, far))
    uv = graph.field(
        "GeometryNodeBlurAttribute",
        {"Value": graph.attribute(SOURCE, "FLOAT_VECTOR"), "Iterations": 2},
        data_type="FLOAT_VECTOR",
    )
    mesh = graph.store(mesh, "UVMap", uv, "FLOAT2", "CORNER")
    for name in (SOURCE, FAR, NEAR):
        mesh = graph.field("GeometryNodeRemoveAttribute", {"Geometry": mesh, "Name": name})
    mesh = plate.unproject(mesh, grid.x, grid.y, z * BEHIND)
    empty = graph.logic_not((z > 0.0) & (z < SKY / 2), "POINT")
    mesh = graph.field(
        "GeometryNodeDeleteGeometry", {"Geometry": mesh, "Selection": empty}, domain="POINT", mode="ALL"
    )
    return plate.finish(mesh)


def _sampled(graph: Graph, plate: Plate, grid: Grid, step: Field) -> Field:
    """The grid with the farthest depth and the greatest disparity of nine pixels at every vertex."""

    def tap(mesh: Field, count: Field) -> Field:
        column = graph.math("FLOOR", count / 3)
        right, up = column - 1, count - column * 3 - 1
        pixel = graph.math("ROUND", grid.x + step * right), graph.math("ROUND", grid.y + step * up)
        z = plate.aligned(plate.depth(plate.uv(*plate.inside(*pixel))), SKY)
        mesh = graph.store(mesh, FAR, graph.maximum(z, graph.attribute(FAR)))
        return graph.store(mesh, NEAR, graph.maximum(1.0 / z, graph.attribute(NEAR)))  # 1 / 0 is 0 in nodes

    return graph.repeat(9, grid.mesh, tap)


def _grow(graph: Graph, mesh: Field, grid: Grid, threshold: Field) -> Field:
    """The background grown in behind what lies before it."""
    index = graph.field("GeometryNodeInputIndex")
    column = graph.math("FLOOR", index / grid.rows)
    row = index - column * grid.rows
    z, source = graph.attribute("depth"), graph.attribute(SOURCE, "FLOAT_VECTOR")
    far, far_source = z, source
    for right, up in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = graph.clamp(column + right, 0, grid.columns - 1), graph.clamp(row + up, 0, grid.rows - 1)
        neighbour = beside[0] * grid.rows + beside[1]
        other, other_source = graph.at_index(z, neighbour), graph.at_index(source, neighbour, "FLOAT_VECTOR")
        far_source = graph.switch("VECTOR", other > far, far_source, other_source)
        far = graph.maximum(far, other)
    jump = far > z * (threshold + 1.0)

    def cell(mesh: Field, _: Field) -> Field:
        # The source first: it depends on the depth as it was.
        mesh = graph.store(mesh, SOURCE, graph.switch("VECTOR", jump, source, far_source), "FLOAT_VECTOR")
        return graph.store(mesh, "depth", graph.switch("FLOAT", jump, z, far))

    return graph.repeat(GROWTH, mesh, cell)
