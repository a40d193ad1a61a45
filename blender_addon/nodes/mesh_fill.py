# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers behind the clip's surface that nobody filmed: background goes on behind what stands before it.

Samples on the far side of a step are seeds. Each sample before the background takes the nearest seed that is
farther away (in leaps of halved length: jump flooding, Rong and Tan 2006), lies at the seed's own depth, and
shows the picture mirrored at the step, a little away from it, where no colour of the foreground is left.
"""

from __future__ import annotations

from .graph import Field, Graph
from .mesh_clean import CleanPlate
from .plate import SKY, Grid, Plate
from .surface import TORN, sampled, surface

REACH = 12
"""The background goes on behind the first one part in so many of the plate's width."""
AWAY = 480
"""Colour is taken from one part in so many of the plate's width beside the step, where it is mixed."""
BEHIND = 1.01
"""The background is at least so many times farther; more would miss a foreground that slopes towards it."""
RAMP = 6
"""Samples that a farther background may lie beyond a nearer one: a blurred step is several small ones."""
ALIKE = 1.5
"""What is so many times nearer or farther than the seed is no part of the same background."""
SKIRT = 10
"""The skirt is one part in so many of the plate's width wide."""
SEED, SHIFT = "vdepth_seed", "vdepth_shift"
"""Attributes while it is built: number of a sample's seed, and where in the plate from here its colour is."""
NONE = -1


def fill_layer(
    graph: Graph, plate: Plate, clean: CleanPlate, grid: Grid, samples: Field, stride: Field
) -> Field:
    """The layer's geometry, which leaves out what the clean plate shows."""
    own = graph.field("GeometryNodeInputPosition")
    z, seed = graph.attribute("depth"), graph.attribute(SEED, "INT")
    index = graph.field("GeometryNodeInputIndex")
    mesh = graph.store(samples, SEED, graph.switch("INT", _is_seed(graph, grid, z), NONE, index), "INT")
    # Leaps of stride · 2^n reach all of it.
    leaps = graph.math("CEIL", graph.math("LOGARITHM", plate.width / float(REACH) / stride + 1.0, 2.0))
    mesh = _flooded(graph, grid, mesh, graph.maximum(leaps, 1.0), stride)
    place, depth = graph.at_index(own, seed, "FLOAT_VECTOR"), graph.at_index(z, seed)
    mesh = graph.store(mesh, SHIFT, _shift(graph, plate, place, depth), "FLOAT_VECTOR")
    near = (seed > NONE + 0.5) & (1.0 - (graph.vector_math("DISTANCE", own, place, output="Value") < 0.01))
    near = near & (1.0 - (clean.depth(*plate.place()) > 0.0))
    mesh = sampled(graph, Grid(mesh, grid.columns, grid.rows), graph.switch("FLOAT", near, 0.0, depth))
    mesh = surface(graph, grid, mesh, SHIFT)
    x, y, _ = graph.components(graph.vector_math("ADD", own, graph.attribute(SHIFT, "FLOAT_VECTOR")))
    mesh = graph.store(mesh, SKY, plate.sky(plate.pixel(x, y)))
    mesh = plate.unproject(mesh, z, plate.uv(x, y))
    for name in (SEED, SHIFT):
        mesh = graph.field("GeometryNodeRemoveAttribute", {"Geometry": mesh, "Name": name})
    return mesh


def skirt_layer(graph: Graph, plate: Plate, clean: CleanPlate, stride: Field) -> Field:
    """What continues the plate past its sides: their depth, and the picture mirrored there."""
    size = plate.width / float(SKIRT)
    grid = plate.grid(stride * 2.0, (size, size))
    x, y = plate.place()
    z = plate.aligned(plate.depth(plate.pixel(x, y)), 0.0)
    shown = plate.outside(x, y) & (1.0 - (clean.depth(x, y) > 0.0))
    mesh = surface(graph, grid, sampled(graph, grid, graph.switch("FLOAT", shown, 0.0, z)))
    across, up = (
        place - 2.0 * (place - graph.clamp(place, 0.0, most))
        for place, most in ((x, plate.width), (y, plate.height))
    )
    mesh = graph.store(mesh, SKY, plate.sky(plate.pixel(across, up)))
    return plate.unproject(mesh, graph.attribute("depth"), plate.uv(across, up))


def _is_seed(graph: Graph, grid: Grid, z: Field) -> Field:
    """Whether a sample lies on the far side of a step."""
    beside = graph.on_domain(graph.attribute(TORN, "BOOLEAN"), "POINT", "BOOLEAN")
    nearest = z
    for neighbour in grid.neighbours(graph, 1.0):
        other = graph.at_index(z, neighbour)
        nearest = graph.switch("FLOAT", other > 0.0, nearest, graph.minimum(nearest, other))
    return beside & (z > nearest * (graph.input("Tear") + 1.0))


def _flooded(graph: Graph, grid: Grid, mesh: Field, leaps: Field, stride: Field) -> Field:
    """The samples with their seeds; what a step is blurred to between its sides is passed over."""
    z, seed = graph.attribute("depth"), graph.attribute(SEED, "INT")
    own = graph.field("GeometryNodeInputPosition")

    jump, ramp = graph.input("Tear") + 1.0, stride * float(RAMP)

    def leap(mesh: Field, count: Field) -> Field:
        best, deepest = seed, graph.at_index(z, seed)
        least = graph.switch("FLOAT", seed > NONE + 0.5, 1e9, _distance(graph, own, seed))
        for neighbour in grid.neighbours(graph, graph.math("POWER", 2.0, leaps - 1.0 - count)):
            other = graph.at_index(seed, neighbour, "INT")
            depth = graph.at_index(z, other)
            farther = depth > z * BEHIND
            distance = _distance(graph, own, other)
            deeper, shallower = depth > deepest * jump, depth * jump < deepest
            closer = distance + (shallower - deeper) * ramp < least
            better = (other > NONE + 0.5) & (z > 0.0) & farther & closer
            best = graph.switch("INT", better, best, other)
            least = graph.switch("FLOAT", better, least, distance)
            deepest = graph.switch("FLOAT", better, deepest, depth)
        return graph.store(mesh, SEED, best, "INT")

    return graph.repeat(leaps, mesh, leap)


def _distance(graph: Graph, own: Field, seed: Field) -> Field:
    place = graph.at_index(own, seed, "FLOAT_VECTOR")
    return graph.vector_math("DISTANCE", own, place, output="Value")


def _shift(graph: Graph, plate: Plate, seed: Field, depth: Field) -> Field:
    """From a sample to where its colour is: as far beyond its seed, or at it if that is another thing."""
    own = graph.field("GeometryNodeInputPosition")
    out = graph.vector_math("SUBTRACT", seed, own)
    away = graph.vector_math("SCALE", graph.vector_math("NORMALIZE", out), plate.width / float(AWAY))
    beside = graph.vector_math("ADD", out, away)
    mirrored = graph.vector_math("ADD", beside, out)
    x, y, _ = graph.components(graph.vector_math("ADD", own, mirrored))
    found = plate.aligned(plate.depth(plate.pixel(x, y)), 0.0)
    inside = (x > 0.0) & (x < plate.width) & (y > 0.0) & (y < plate.height)
    same = inside & (found * ALIKE > depth) & (found < depth * ALIKE)
    return graph.switch("VECTOR", same, beside, mirrored)
