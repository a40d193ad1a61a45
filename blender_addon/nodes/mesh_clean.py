# SPDX-License-Identifier: GPL-3.0-or-later
"""The clean plate behind the clip's surface: what other frames of the shot saw there.

Its picture reaches past the plate by margins on each side. It stands where the surface lies before it by more
than Tear, and past the plate's sides; elsewhere the surface itself shows the same thing.
"""

from __future__ import annotations

from .graph import Field, Graph
from .plate import SKY, Plate
from .surface import sampled, surface


class CleanPlate:
    """Fields of the clean plate."""

    def __init__(self, graph: Graph, plate: Plate) -> None:
        self._graph, self._plate = graph, plate
        self.margins = graph.input("Margin X"), graph.input("Margin Y")

    def depth(self, x: Field, y: Field) -> Field:
        """Its depth at a place of the plate, where it is shown; 0 elsewhere."""
        graph, plate = self._graph, self._plate
        mx, my = self.margins
        inside = (
            graph.clamp(x, 0.5 - mx, plate.width + mx - 0.5),
            graph.clamp(y, 0.5 - my, plate.height + my - 0.5),
        )
        z = plate.aligned(plate.file("Clean Depth", self._uv(*inside)), 0.0)
        front = plate.aligned(plate.depth(plate.pixel(x, y)), 0.0)
        behind = z > front * (graph.input("Tear") + 1.0)  # and where nothing is in front
        return graph.switch("FLOAT", graph.input("Clean Plate") & (behind | plate.outside(x, y)), 0.0, z)

    def layer(self, stride: Field) -> Field:
        """Its geometry."""
        graph, plate = self._graph, self._plate
        grid = plate.grid(stride, self.margins)
        mesh = surface(graph, grid, sampled(graph, grid, self.depth(*plate.place())))
        mesh = graph.store(mesh, SKY, self._sky(*plate.place()))
        mesh = plate.unproject(mesh, graph.attribute("depth"), self._uv(*plate.place()))
        return plate.finish(mesh, "Clean Footage")

    def _sky(self, x: Field, y: Field) -> Field:
        """Share of sky: of what is as far as that, and past the plate's sides as at them."""
        plate = self._plate
        far = plate.file("Clean Depth", self._uv(x, y)) > self._graph.input("Sky From")
        return far | (plate.outside(x, y) & plate.sky(plate.pixel(x, y)))

    def _uv(self, x: Field, y: Field) -> Field:
        mx, my = self.margins
        across, up = (x + mx) / (self._plate.width + mx * 2.0), (y + my) / (self._plate.height + my * 2.0)
        return self._graph.vector(across, up)
