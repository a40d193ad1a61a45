# SPDX-License-Identifier: GPL-3.0-or-later
"""What every layer of the mesh's tree does with the plate: lay a grid over it, read its depth, unproject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .graph import Field, Graph

NO_DEPTH = 1e9
"""Depth files write 1e10 where there is none."""


SKY = "vdepth_sky"
"""Attribute of the clip's surface: share of it that is sky."""
CUT = 0.5  # share of sky from which on a sample is cut out or put on the dome
PROJECTED = "vdepth_plate"
"""Attribute of all layers: where in the plate the camera sees a point, as (u·z, v·z, z). It is linear in
space, so that (u, v) after the division are exact all over a face; a UV map's are at its corners alone."""


@dataclass(frozen=True)
class Grid:
    """Samples of the plate: a mesh with a vertex each, at its pixel's centre or on the plate's sides."""

    mesh: Field
    columns: Field
    rows: Field

    def neighbours(self, graph: Graph, step: Field | float) -> list[Field]:
        """Numbers of the samples a step to the left, right, below and above; at the sides the last."""
        index = graph.field("GeometryNodeInputIndex")
        column = graph.math("FLOOR", index / self.rows)
        row = index - column * self.rows
        columns = [graph.clamp(place, 0, self.columns - 1) for place in (column - step, column + step)]
        rows = [graph.clamp(place, 0, self.rows - 1) for place in (row - step, row + step)]
        return [
            *(place * self.rows + row for place in columns),
            *(column * self.rows + place for place in rows),
        ]


class Plate:
    """Fields of the plate. Places (x, y) count in pixels from the lower left corner, as Blender's images."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.width, self.height = graph.input("Width"), graph.input("Height")
        offset = graph.input("Frame Offset") + graph.input("Clip Offset")
        frame = graph.field("GeometryNodeInputSceneTime", output="Frame") + offset
        # Rounded, motion blur's parts of a frame show one file. Outside the range a file would read as zeros.
        self.frame = graph.clamp(graph.math("ROUND", frame), graph.input("First"), graph.input("Last"))

    def grid(self, stride: Field, margins: tuple[Field, Field] | None = None) -> Grid:
        """A sample every `stride` pixels and at the last; the outer ones again on the picture's sides.

        Args:
            stride: Pixels from sample to sample.
            margins: Pixels that the picture reaches past the plate on each side, across and up.
        """
        graph = self.graph
        around: tuple[Any, Any] = margins or (0.0, 0.0)
        sizes = [
            size if margins is None else size + margin * 2.0
            for size, margin in zip((self.width, self.height), around, strict=True)
        ]
        counts = [graph.math("CEIL", (size - 1) / stride) + 3 for size in sizes]
        mesh, *places = self._lattice(stride, counts)
        inside = []
        for place, size, margin in zip(places, sizes, around, strict=True):
            first = place - stride
            past = (first > size - 1.5 + stride) - (first < -0.5)
            inside.append(graph.clamp(first, 0.0, size - 1) + past * 0.5 + 0.5 - margin)
        mesh = graph.field("GeometryNodeSetPosition", {"Geometry": mesh, "Position": graph.vector(*inside)})
        return Grid(mesh, *counts)

    def _lattice(self, stride: Field, counts: list[Field]) -> tuple[Field, Field, Field]:
        """A mesh of so many vertices across and up, and their places, `stride` from each other, from 0."""
        graph = self.graph
        extent = [(count - 1) * stride for count in counts]
        sizes: dict[str | int, Any] = {
            "Size X": extent[0],
            "Size Y": extent[1],
            "Vertices X": counts[0],
            "Vertices Y": counts[1],
        }
        mesh = graph.field("GeometryNodeMeshGrid", sizes)
        x, y, _ = graph.components(graph.field("GeometryNodeInputPosition"))
        return mesh, x + extent[0] / 2, y + extent[1] / 2

    def place(self) -> tuple[Field, Field]:
        """Where in the plate a vertex lies that was not unprojected yet."""
        x, y, _ = self.graph.components(self.graph.field("GeometryNodeInputPosition"))
        return x, y

    def pixel(self, x: Field, y: Field) -> Field:
        """Texture coordinates of the nearest pixel's centre."""
        graph = self.graph
        x, y = graph.clamp(x, 0.5, self.width - 0.5), graph.clamp(y, 0.5, self.height - 0.5)
        return self.uv(x, y)

    def uv(self, x: Field, y: Field) -> Field:
        """Texture coordinates of a place."""
        return self.graph.vector(x / self.width, y / self.height)

    def outside(self, x: Field, y: Field) -> Field:
        """Whether a place is past the plate's sides."""
        return (x < 0.0) | (y < 0.0) | (x > self.width) | (y > self.height)

    def depth(self, uv: Field) -> Field:
        """Depth in the file of the scene's frame, without the sky unless it stays where it is."""
        graph, z = self.graph, self.file("Depth Image", uv)
        stays = graph.input("Sky") > 1.5
        return graph.switch("FLOAT", (self.sky(uv) > CUT) & (1.0 - stays), z, 10 * NO_DEPTH)

    def sky(self, uv: Field) -> Field:
        """Share of sky, 0..1: the mask's, or all of what is farther than the socket says."""
        far = self.file("Depth Image", uv) > self.graph.input("Sky From")
        return self.file("Sky Mask", uv) | far

    def file(self, image: str, uv: Field) -> Field:
        """First channel of a sequence at the scene's frame; 0 where there is none."""
        texture = self.graph.field(
            "GeometryNodeImageTexture",
            {"Image": self.graph.input(image), "Vector": uv, "Frame": self.frame},
            interpolation="Closest",
            extension="EXTEND",
        )
        return self.graph.field("FunctionNodeSeparateColor", {"Color": texture})

    def aligned(self, z: Field, sky: float) -> Field:
        """The file's depth in the scene's units: `sky` past Far, 0 before Near and where there is none."""
        graph = self.graph
        divisor = graph.input("Shift") * z + 1.0
        aligned = graph.input("Scale") * z / divisor
        beyond = (z > NO_DEPTH) | (divisor < 1e-6) | (aligned > graph.input("Far"))
        seen = (z > 0.0) & (1.0 - (aligned < graph.input("Near")))
        # Switches, not products: a file may hold NaN.
        return graph.switch("FLOAT", beyond, graph.switch("FLOAT", seen, 0.0, aligned), sky)

    def unproject(self, mesh: Field, z: Field, uv: Field) -> Field:
        """Moves a layer's vertices to depth z before the camera, and says what of the plate they show.

        Args:
            mesh: Positions in the plate.
            z: Depth.
            uv: Where in the plate a vertex takes its colour.
        """
        graph = self.graph
        u, v, _ = graph.components(uv)
        # A UV map too: for Solid view, and for other programs.
        corners = graph.on_domain(uv, "POINT", "FLOAT_VECTOR")
        mesh = graph.store(mesh, "UVMap", corners, "FLOAT2", "CORNER")
        mesh = graph.store(mesh, PROJECTED, graph.vector(u * z, v * z, z), "FLOAT_VECTOR")
        return graph.field("GeometryNodeSetPosition", {"Geometry": mesh, "Position": self.point(z)})

    def point(self, z: Field) -> Field:
        """Where in the camera's space a place of the plate at depth z is."""
        graph, (x, y) = self.graph, self.place()
        across = (x - graph.input("cx")) / graph.input("fx") * z
        down = (self.height - y - graph.input("cy")) / graph.input("fy") * z
        return graph.vector(across, -down, -z)

    def finish(self, geometry: Field, material: str = "Footage") -> Field:
        """With its material, shaded smooth."""
        graph = self.graph
        smooth = graph.field("GeometryNodeSetShadeSmooth", {0: geometry})  # "Geometry", "Mesh" since 5.0
        return graph.field("GeometryNodeSetMaterial", {"Geometry": smooth, "Material": graph.input(material)})
