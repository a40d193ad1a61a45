# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer's surface from samples on a grid: whole where depth goes on, cut where it steps.

A step is what neither side's slope explains: a floor seen at a grazing angle stays whole, a silhouette does
not. The cells over a step are divided half-way between their samples, and each part lies at its own sample's
depth or, where samples hang together, at their mean in disparity. So all of the plate is covered once, seen
from its own camera, and nothing is stretched from one side of a step to the other.
"""

from __future__ import annotations

from .graph import Field, Graph
from .plate import Grid

CELL, TORN = "vdepth_cell", "vdepth_torn"
"""Attributes while it is built: column and row of a sample, whether an edge lies over a step."""
OWN, OWN_CARRIED = "vdepth_own", "vdepth_own_carried"
"""Of a part of a cell: depth and vector of the sample it belongs to."""
REACH = 3
"""Samples over which a side's slope is taken: a step blurred over two samples is none of its own slope."""


def sampled(graph: Graph, grid: Grid, z: Field) -> Field:
    """The samples with their depth, and the edges between them that lie over a step.

    Args:
        graph: The tree.
        grid: Samples.
        z: Their depth; 0 where there is nothing.
    """
    index = graph.field("GeometryNodeInputIndex")
    column = graph.math("FLOOR", index / grid.rows)
    mesh = graph.store(grid.mesh, "depth", z)
    mesh = graph.store(mesh, CELL, graph.vector(column, index - column * grid.rows), "FLOAT_VECTOR")
    return graph.store(mesh, TORN, _torn(graph, grid), "BOOLEAN", "EDGE")


def smoothed(graph: Graph, mesh: Field, times: Field) -> Field:
    """The samples with their depth smoothed so many times, but not over steps."""
    cut = graph.delete(mesh, graph.attribute(TORN, "BOOLEAN"), "EDGE", "EDGE_FACE")
    # Planes stay planes: their disparity is linear in the picture.
    disparity = 1.0 / graph.attribute("depth")
    blurred = graph.field(
        "GeometryNodeBlurAttribute", {"Value": disparity, "Iterations": times}, data_type="FLOAT"
    )
    cut = graph.store(cut, OWN, 1.0 / blurred)
    found = graph.sampled(cut, graph.attribute(OWN), graph.field("GeometryNodeInputIndex"))
    return graph.switch("GEOMETRY", times > 0, mesh, graph.store(mesh, "depth", found))


def surface(graph: Graph, grid: Grid, mesh: Field, carried: str = "") -> Field:
    """The mesh of a layer, its positions still in the plate, its depth as the attribute ``depth``.

    Args:
        graph: The tree.
        grid: Samples.
        mesh: They, as `sampled` leaves them.
        carried: Name of a vector that the samples have, which goes over as the depth does.
    """
    # On faces, Blender takes a condition on edges for met where all edges meet it.
    whole = graph.on_domain(graph.logic_not(graph.attribute(TORN, "BOOLEAN"), "EDGE"), "EDGE", "BOOLEAN")
    inside = graph.delete(mesh, graph.logic_not(whole, "FACE"), "FACE")
    joined = graph.join(_parts(graph, mesh, grid, whole, carried), inside)
    for name in (CELL, TORN, OWN, *((OWN_CARRIED,) if carried else ())):
        joined = graph.field("GeometryNodeRemoveAttribute", {"Geometry": joined, "Name": name})
    return joined


def _torn(graph: Graph, grid: Grid) -> Field:
    """Whether an edge lies over a step, or has an end without depth."""
    ends = graph.node("GeometryNodeInputMeshEdgeVertices")
    first, second = (Field(graph, end) for end in list(ends.outputs)[:2])
    disparity, cell = 1.0 / graph.attribute("depth"), graph.attribute(CELL, "FLOAT_VECTOR")
    a, b = graph.at_index(disparity, first), graph.at_index(disparity, second)
    (ax, ay, _), (bx, by, _) = (
        graph.components(graph.at_index(cell, end, "FLOAT_VECTOR")) for end in (first, second)
    )

    def slope(x: Field, y: Field, own: Field, right: Field, up: Field) -> Field:
        """Disparity from sample to sample on one side, out from the edge; 0 where there is no side."""
        far_x = graph.clamp(x + right * float(REACH), 0, grid.columns - 1)
        far_y = graph.clamp(y + up * float(REACH), 0, grid.rows - 1)
        other = graph.at_index(disparity, far_x * grid.rows + far_y)
        samples = graph.math("ABSOLUTE", far_x - x + far_y - y)
        return graph.switch("FLOAT", other > 0.0, 0.0, (other - own) / samples)

    right, up = bx - ax, by - ay
    step = b - a
    sign = graph.math("SIGN", step)
    before = -slope(ax, ay, a, -right, -up) * sign
    after = slope(bx, by, b, right, up) * sign
    explained = graph.maximum(graph.maximum(before, after), 0.0)
    farther = graph.minimum(a, b)
    excess = graph.math("ABSOLUTE", step) - explained
    whole = (farther > 0.0) & (1.0 - (excess > farther * graph.input("Tear")))
    return 1.0 - whole


def _parts(graph: Graph, mesh: Field, grid: Grid, whole: Field, carried: str) -> Field:
    """The cells over steps, in quarters that hang together as their samples do."""
    depth, cell = graph.attribute("depth"), graph.attribute(CELL, "FLOAT_VECTOR")
    empty = 1.0 - graph.on_domain(depth > 0.0, "POINT") > 0.99
    cells = graph.delete(mesh, graph.on_domain(whole, "FACE", "BOOLEAN"), "FACE")
    cells = graph.delete(cells, graph.on_domain(empty, "FACE", "BOOLEAN"), "FACE")
    parts = graph.field("GeometryNodeSubdivideMesh", {"Mesh": cells, "Level": 1})
    # A quarter's middle is nearest to its own sample.
    x, y, _ = graph.components(graph.on_domain(cell, "FACE", "FLOAT_VECTOR"))
    own = graph.math("ROUND", x) * grid.rows + graph.math("ROUND", y)
    parts = graph.store(parts, OWN, graph.sampled(mesh, depth, own), "FLOAT", "FACE")
    if carried:
        moved = graph.sampled(mesh, graph.attribute(carried, "FLOAT_VECTOR"), own, "FLOAT_VECTOR")
        parts = graph.store(parts, OWN_CARRIED, moved, "FLOAT_VECTOR", "FACE")
    parts = graph.field("GeometryNodeSplitEdges", {"Mesh": parts, "Selection": _between(graph, cell)})
    parts = graph.delete(parts, 1.0 - (graph.attribute(OWN) > 0.0), "FACE")
    together = graph.on_domain(1.0 / graph.attribute(OWN), "FACE")
    if carried:
        moved = graph.on_domain(graph.attribute(OWN_CARRIED, "FLOAT_VECTOR"), "FACE", "FLOAT_VECTOR")
        parts = graph.store(parts, carried, moved, "FLOAT_VECTOR")
    return graph.store(parts, "depth", 1.0 / together)


def _between(graph: Graph, cell: Field) -> Field:
    """Edges from the middle of a cell's torn edge to the cell's middle."""
    x, y, _ = graph.components(cell)
    halves = graph.math("FRACT", x) + graph.math(
        "FRACT", y
    )  # 0 at samples, 1/2 on edges, 1 in cells' middles
    torn = graph.on_domain(graph.attribute(TORN, "BOOLEAN"), "POINT", "BOOLEAN")
    cut = graph.on_domain(torn & (halves > 0.25) & (halves < 0.75), "POINT")
    ends = graph.node("GeometryNodeInputMeshEdgeVertices")
    first, second = (Field(graph, end) for end in list(ends.outputs)[:2])
    middle = (graph.at_index(halves, first) > 0.75) | (graph.at_index(halves, second) > 0.75)
    return middle & (graph.at_index(cut, first) | graph.at_index(cut, second))
