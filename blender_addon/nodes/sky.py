# SPDX-License-Identifier: GPL-3.0-or-later
"""The sky in the mesh's tree: on a dome far away, cut out, or where the estimate has it.

Sky is what the core's mask says; where there is no mask, what has no depth or lies at the far end of it. As
part of the mesh it carries the attribute `SHARE`, by which no light of the scene is added to it.
"""

from __future__ import annotations

from .graph import Field, Graph
from .plate import SKY, Plate

SHARE = SKY
CELLS = 96
"""Of the dome, across the plate."""


def dome(graph: Graph, plate: Plate) -> Field:
    """The sky's faces on a sphere about the camera, the plate on them; nothing if it is not wanted there."""
    mesh = plate.grid(graph.maximum(graph.math("FLOOR", plate.width / float(CELLS)), 1.0)).mesh
    place = plate.place()
    share = plate.sky(plate.pixel(*place))
    seen = graph.on_domain(share, "FACE") > 0.001  # beside the sky too: it goes on behind what is before it
    wanted = seen & (graph.input("Sky") < 0.5)
    mesh = graph.delete(mesh, graph.logic_not(wanted, "FACE"), "FACE")
    right = (place[0] - graph.input("cx")) / graph.input("fx")
    down = (plate.height - place[1] - graph.input("cy")) / graph.input("fy")
    length = graph.math("SQRT", right * right + down * down + 1.0)
    mesh = plate.unproject(mesh, graph.input("Sky Distance") / length, plate.uv(*place))
    return graph.store(mesh, SHARE, graph.maximum(share, 1.0))


def marked(graph: Graph, plate: Plate, mesh: Field) -> Field:
    """A layer, not unprojected yet, with what of it is sky."""
    return graph.store(mesh, SHARE, plate.sky(plate.pixel(*plate.place())))
