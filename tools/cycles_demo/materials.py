# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural materials of the demo room: no image textures, so nothing to license."""

from __future__ import annotations

from typing import Any

import bpy

Colour = tuple[float, float, float]


class Graph:
    """Builds a material's node tree; socket values that are sockets become links."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.shader = next(n for n in self.tree.nodes if n.type == "BSDF_PRINCIPLED")

    def add(self, kind: str, inputs: dict[Any, Any] | None = None, output: Any = 0, **settings: Any) -> Any:
        """Adds a node and returns its output socket."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in settings.items():
            setattr(node, key, value)
        self.set(node, inputs or {})
        return node.outputs[output]

    def set(self, node: Any, inputs: dict[Any, Any]) -> None:
        """Sets or links inputs of a node."""
        for key, value in inputs.items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[key])
            else:
                node.inputs[key].default_value = (
                    (*value, 1.0) if _is_colour(node.inputs[key], value) else value
                )

    def coordinates(self, scale: tuple[float, float, float] = (1, 1, 1), axes: str = "xyz") -> Any:
        """Object coordinates in metres, axes swapped (``xzy`` lays a texture on a wall), then scaled."""
        vector = self.add("TexCoord", output="Object")
        if axes != "xyz":
            split = self.add("SeparateXYZ", {0: vector}).node
            parts = {i: split.outputs["xyz".index(axis)] for i, axis in enumerate(axes)}
            vector = self.add("CombineXYZ", parts)
        return self.add("Mapping", {"Vector": vector, "Scale": scale})

    def noise(self, vector: Any, scale: float, detail: float = 2, rough: float = 0.6, warp: float = 0) -> Any:
        """Fractal noise, about 0.3..0.7."""
        inputs = {"Vector": vector, "Scale": scale, "Detail": detail, "Roughness": rough, "Distortion": warp}
        return self.add("TexNoise", inputs)

    def ramp(self, factor: Any, *stops: tuple[float, tuple[float, ...]]) -> Any:
        """Maps a factor to colours."""
        socket = self.add("ValToRGB", {"Fac": factor})
        elements = socket.node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, stops, strict=True):
            element.position, element.color = position, (*colour, 1)
        return socket

    def mix(self, factor: Any, a: Any, b: Any, mode: str = "MIX") -> Any:
        """Mixes two colours."""
        return self.add("MixRGB", {"Fac": factor, "Color1": a, "Color2": b}, blend_type=mode)

    def bump(self, height: Any, strength: float, distance: float = 0.01) -> Any:
        """A bump normal."""
        inputs = {"Height": height, "Strength": strength, "Distance": distance}
        return self.add("Bump", inputs)

    def finish(self, colour: Any, rough: Any, normal: Any = None, **more: Any) -> Any:
        """Fills the shader and returns the material."""
        inputs = {
            "Base Color": colour,
            "Roughness": rough,
            **{k.replace("_", " "): v for k, v in more.items()},
        }
        if normal is not None:
            inputs["Normal"] = normal
        self.set(self.shader, inputs)
        return self.material


def _is_colour(socket: Any, value: Any) -> bool:
    return socket.type == "RGBA" and len(value) == 3


def plain(name: str, colour: Colour, rough: float = 0.5, metal: float = 0.0, speckle: float = 0.12) -> Any:
    """One colour with slight wear: ceramic, metal, paint, card."""
    g = Graph(name)
    at = g.coordinates()
    worn = tuple(c * (1 - 3 * speckle) for c in colour)
    tint = g.ramp(g.noise(at, 9, 4, 0.7), (0.35, worn), (0.6, colour))
    return g.finish(tint, rough, Metallic=metal)


def wood(
    name: str, dark: Colour, light: Colour, grain: tuple[float, float, float], rough: float = 0.4
) -> Any:
    """Grained wood; ``grain`` scales each axis, small along the fibres."""
    g = Graph(name)
    at = g.coordinates(grain)
    fibres = g.noise(at, 5.0, 4, 0.65, 0.6)
    tint = g.ramp(
        fibres,
        (0.32, dark),
        (0.5, tuple((a + b) / 2 for a, b in zip(dark, light, strict=True))),
        (0.68, light),
    )
    tint = g.mix(
        0.35, tint, g.ramp(g.noise(g.coordinates(), 2.5), (0.3, (0.5,) * 3), (0.7, (1,) * 3)), "MULTIPLY"
    )
    return g.finish(
        tint, g.add("MapRange", {0: fibres, 3: rough + 0.15, 4: rough - 0.1}), g.bump(fibres, 0.25, 0.004)
    )


def floorboards() -> Any:
    """Oiled oak boards, 13 cm wide."""
    g = Graph("floorboards")
    inputs = {
        "Vector": g.coordinates(axes="yxz"),
        "Color1": (0.55, 0.55, 0.55),
        "Color2": (1, 1, 1),
        "Mortar": (0.06, 0.05, 0.04),
    }
    inputs |= {
        "Scale": 1.0,
        "Mortar Size": 0.0022,
        "Mortar Smooth": 0.3,
        "Brick Width": 1.7,
        "Row Height": 0.13,
    }
    boards = g.add("TexBrick", inputs, offset=0.37)
    fibres = g.noise(g.coordinates((14, 1.2, 1)), 3.5, 4, 0.68, 0.8)
    tint = g.ramp(fibres, (0.3, (0.13, 0.06, 0.028)), (0.5, (0.27, 0.14, 0.065)), (0.7, (0.4, 0.235, 0.12)))
    tint = g.mix(1.0, tint, boards, "MULTIPLY")
    wear = g.noise(g.coordinates(), 3, 4)
    height = g.add(
        "Math", {0: g.add("Math", {0: fibres, 1: 0.25}, operation="MULTIPLY"), 1: boards}, operation="ADD"
    )
    return g.finish(
        tint, g.add("MapRange", {0: wear, 1: 0.3, 2: 0.7, 3: 0.25, 4: 0.5}), g.bump(height, 0.35, 0.004)
    )


def brick() -> Any:
    """Old whitewashed-in-places brick, on a wall in the xz plane."""
    g = Graph("brick")
    at = g.coordinates(axes="xzy")
    inputs = {
        "Vector": g.add(
            "VectorMath",
            {
                0: at,
                1: g.add(
                    "VectorMath",
                    {
                        0: g.add("TexNoise", {"Vector": at, "Scale": 14.0}, output="Color"),
                        1: (0.012, 0.012, 0),
                    },
                    operation="MULTIPLY",
                ),
            },
            operation="ADD",
        )
    }
    inputs |= {
        "Color1": (0.30, 0.105, 0.06),
        "Color2": (0.47, 0.21, 0.13),
        "Mortar": (0.42, 0.39, 0.35),
        "Scale": 1.0,
    }
    inputs |= {"Mortar Size": 0.009, "Mortar Smooth": 0.35, "Brick Width": 0.25, "Row Height": 0.075}
    bricks = g.add("TexBrick", inputs)
    stain = g.ramp(g.noise(at, 7, 4, 0.7), (0.33, (0.4, 0.38, 0.36)), (0.62, (1.1, 1.08, 1.05)))
    tint = g.mix(1.0, bricks, stain, "MULTIPLY")
    lime = g.ramp(g.noise(at, 1.3, 4, 0.72), (0.52, (0, 0, 0)), (0.66, (0.8,) * 3))
    tint = g.mix(lime, tint, (0.62, 0.58, 0.53))
    height = g.add(
        "Math",
        {
            0: g.add("Math", {0: bricks.node.outputs[1], 1: -1.2}, operation="MULTIPLY"),
            1: g.noise(at, 45, 4, 0.75),
        },
        operation="ADD",
    )
    return g.finish(tint, 0.88, g.bump(height, 0.7, 0.012))


def plaster(name: str, colour: Colour) -> Any:
    """Hand-smoothed wall plaster with faint stains."""
    g = Graph(name)
    at = g.coordinates()
    stained = tuple(0.72 * c for c in colour)
    tint = g.ramp(g.noise(at, 1.7, 4, 0.7, 0.4), (0.3, stained), (0.55, colour))
    return g.finish(tint, 0.85, g.bump(g.noise(at, 18, 4, 0.68), 0.45, 0.012))


def fabric(
    name: str, a: Colour, b: Colour, stripes: float = 0.0, weave: float = 160.0, axis: str = "X"
) -> Any:
    """Woven cloth; ``stripes`` a metre along an axis, 0 for mottled."""
    g = Graph(name)
    at = g.coordinates()
    if stripes:
        band = g.add(
            "TexWave",
            {"Vector": at, "Scale": stripes / 2, "Distortion": 0.4, "Detail": 1.0},
            bands_direction=axis,
        )
        tint = g.ramp(band, (0.42, a), (0.5, b))
    else:
        tint = g.ramp(g.noise(at, 14, 4, 0.7), (0.38, a), (0.62, b))
    threads = g.add(
        "TexWave",
        {"Vector": at, "Scale": weave, "Distortion": 1.5, "Detail": 2.0},
        bands_direction="DIAGONAL",
    )
    tint = g.mix(0.5, tint, g.ramp(threads, (0.1, (0.55,) * 3), (0.8, (1.0,) * 3)), "MULTIPLY")
    tint = g.mix(0.4, tint, g.ramp(g.noise(at, 90), (0.35, (0.5,) * 3), (0.65, (1.0,) * 3)), "MULTIPLY")
    return g.finish(tint, 0.95, g.bump(threads, 0.4, 0.004), Sheen_Weight=0.3)


def leather() -> Any:
    """A ball's panels."""
    g = Graph("leather")
    at = g.coordinates()
    cells = g.add("TexVoronoi", {"Vector": at, "Scale": 7.0}, output="Color")
    pick = g.add("SeparateColor", {0: cells})
    tint = g.ramp(pick, (0.0, (0.45, 0.08, 0.04)), (0.45, (0.5, 0.09, 0.04)), (0.5, (0.75, 0.66, 0.5)))
    tint.node.color_ramp.interpolation = "CONSTANT"
    seams = g.add("TexVoronoi", {"Vector": at, "Scale": 7.0}, feature="DISTANCE_TO_EDGE")
    tint = g.mix(g.ramp(seams, (0.02, (1,) * 3), (0.04, (0,) * 3)), tint, (0.05, 0.03, 0.02))
    return g.finish(tint, 0.45, g.bump(g.noise(at, 110), 0.25, 0.002))


def book() -> Any:
    """Cloth cover in the object's own colour with title bands along the spine."""
    g = Graph("book")
    info = g.add("ObjectInfo", output="Color")
    along = g.add("SeparateXYZ", {0: g.add("TexCoord", output="Generated")}, output=2)
    shifted = g.add("Math", {0: along, 1: info.node.outputs["Random"]}, operation="ADD")
    bands = g.add(
        "Math", {0: g.add("Math", {0: shifted, 1: 1.0}, operation="FRACT"), 1: 0.88}, operation="GREATER_THAN"
    )
    tint = g.mix(bands, info, (0.62, 0.5, 0.3))
    grime = g.ramp(g.noise(g.coordinates(), 22, 4), (0.35, (0.6,) * 3), (0.6, (1,) * 3))
    return g.finish(
        g.mix(1.0, tint, grime, "MULTIPLY"), 0.7, g.bump(g.noise(g.coordinates(), 240), 0.2, 0.002)
    )


def leaf(name: str, dark: Colour, light: Colour) -> Any:
    """Leaves with ribs and some light coming through."""
    g = Graph(name)
    at = g.coordinates()
    tint = g.ramp(g.noise(at, 11, 4), (0.35, dark), (0.65, light))
    ribs = g.add("TexWave", {"Vector": at, "Scale": 26.0, "Distortion": 1.0}, bands_direction="Y")
    tint = g.mix(0.3, tint, ribs.node.outputs[0], "MULTIPLY")
    return g.finish(tint, 0.42, g.bump(ribs, 0.15, 0.003), Transmission_Weight=0.0, Subsurface_Weight=0.0)


def picture(name: str, seed: float, palette: tuple[Colour, Colour, Colour]) -> Any:
    """An abstract print."""
    g = Graph(name)
    at = g.add("VectorMath", {0: g.coordinates((3, 3, 3)), 1: (seed, seed, seed)}, operation="ADD")
    flow = g.noise(at, 1.6, 3, 0.4, 2.5)
    return g.finish(g.ramp(flow, (0.4, palette[0]), (0.5, palette[1]), (0.58, palette[2])), 0.55)


def glow(name: str, colour: Colour, strength: float) -> Any:
    """A lamp shade or bulb."""
    g = Graph(name)
    more = {"Emission_Color": colour, "Emission_Strength": strength}
    return g.finish((0.8, 0.72, 0.6), 0.8, **more)
