# SPDX-License-Identifier: GPL-3.0-or-later
"""What every layer of the mesh's tree does with the plate: lay a grid over it, read its depth, unproject."""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Field, Graph

NO_DEPTH = 1e9
"""Depth files write 1e10 where there is none."""


@dataclass(frozen=True)
class Grid:
    """A grid over the plate: its mesh, and its vertices' pixels, to be read before they move."""

    mesh: Field
    x: Field
    y: Field
    columns: Field
    rows: Field


class Plate:
    """Fields of the plate. Pixels (x, y) count from 0 at the lower left corner, as Blender's images do."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.width, self.height = graph.input("Width"), graph.input("Height")
        offset = graph.input("Frame Offset") + graph.input("Clip Offset")
        frame = graph.field("GeometryNodeInputSceneTime", output="Frame") + offset
        # Rounded, motion blur's parts of a frame show one file. Outside the range a file would read as zeros.
        self.frame = graph.clamp(graph.math("ROUND", frame), graph.input("First"), graph.input("Last"))

    def grid(self, stride: Field, margin: int = 0) -> Grid:
        """A vertex every `stride` pixels, `margin` cells past the plate; the last may lie past its edge."""
        graph = self.graph
        cells = [graph.math("CEIL", (size - 1) / stride) + 2 * margin for size in (self.width, self.height)]
        extent = [count * stride for count in cells]
        mesh = graph.field(
            "GeometryNodeMeshGrid",
            {
                "Size X": extent[0],
                "Size Y": extent[1],
                "Vertices X": cells[0] + 1,
                "Vertices Y": cells[1] + 1,
            },
        )
        x, y, _ = graph.components(graph.field("GeometryNodeInputPosition"))
        corner = [size / 2 - margin * stride for size in extent] if margin else [size / 2 for size in extent]
        return Grid(mesh, x + corner[0], y + corner[1], cells[0] + 1, cells[1] + 1)

    def inside(self, x: Field, y: Field) -> tuple[Field, Field]:
        """The nearest pixel of the plate."""
        graph = self.graph
        return graph.clamp(x, 0.0, self.width - 1), graph.clamp(y, 0.0, self.height - 1)

    def uv(self, x: Field, y: Field) -> Field:
        """Texture coordinates of pixels' centres."""
        return self.graph.vector((x + 0.5) / self.width, (y + 0.5) / self.height)

    def depth(self, uv: Field) -> Field:
        """Depth in the file of the scene's frame."""
        texture = self.graph.field(
            "GeometryNodeImageTexture",
            {"Image": self.graph.input("Depth Image"), "Vector": uv, "Frame": self.frame},
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

    def unproject(self, mesh: Field, x: Field, y: Field, z: Field) -> Field:
        """Moves the vertices of pixels (x, y) to depth z before the camera."""
        graph = self.graph
        u, v = x + 0.5, self.height - y - 0.5
        across = (u - graph.input("cx")) / graph.input("fx") * z
        down = (v - graph.input("cy")) / graph.input("fy") * z
        position = graph.vector(across, -down, -z)
        return graph.field("GeometryNodeSetPosition", {"Geometry": mesh, "Position": position})

    def finish(self, geometry: Field) -> Field:
        """With the footage, shaded smooth."""
        graph = self.graph
        smooth = graph.field("GeometryNodeSetShadeSmooth", {0: geometry})  # "Geometry", "Mesh" since 5.0
        return graph.field(
            "GeometryNodeSetMaterial", {"Geometry": smooth, "Material": graph.input("Footage")}
        )
