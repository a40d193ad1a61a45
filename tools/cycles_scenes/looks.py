# SPDX-License-Identifier: GPL-3.0-or-later
"""Random materials from Cycles' noise and pattern nodes, and light from the probes Blender ships (CC0)."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import bpy

Colour = tuple[float, float, float]
PROBES = ("city", "courtyard", "forest", "interior", "night", "studio", "sunrise", "sunset")
OPEN_AIR = ("city", "courtyard", "forest", "sunrise", "sunset")
KINDS = ("plain", "speckled", "wood", "tiles", "bricks", "stripes", "cells", "stone", "photo")


def colour(rng: random.Random, grey: float = 0.4, dark: float = 0.03, light: float = 0.75) -> Colour:
    """A random albedo; ``grey`` is the chance of a nearly neutral one."""
    value = math.exp(rng.uniform(math.log(dark), math.log(light)))
    tint = 0.12 if rng.random() < grey else 0.8
    return tuple(min(0.9, value * (1 + tint * rng.uniform(-1, 1))) for _ in range(3))  # type: ignore[return-value]


def near(rng: random.Random, base: Colour, spread: float = 0.35) -> Colour:
    """A shade of ``base``."""
    factor = math.exp(rng.uniform(-spread, spread))
    return tuple(min(0.95, c * factor * math.exp(rng.uniform(-0.06, 0.06))) for c in base)  # type: ignore[return-value]


def material(
    rng: random.Random, kind: str | None = None, base: Colour | None = None, size: float = 1.0,
    photos: list[Path] | None = None,
) -> Any:  # fmt: skip
    """A random surface whose pattern repeats about every ``size`` metres."""
    kind = kind or rng.choice(KINDS if photos else KINDS[:-1])
    base = base or colour(rng)
    made = bpy.data.materials.new(kind)
    made.use_nodes = True
    tree = made.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = rng.choice((0.15, 0.3, 0.5, 0.7, 0.9, 0.9))
    if rng.random() < 0.06:
        shader.inputs["Metallic"].default_value = 1.0
    shader.inputs["Base Color"].default_value = (*base, 1)
    if kind == "plain":
        return made
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
    pattern = _pattern(tree, rng, kind, base, size, place, photos)
    grain = _node(tree, "ShaderNodeTexNoise", place, Scale=rng.uniform(4, 60) / size, Detail=8.0)
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    mix.inputs[0].default_value = rng.uniform(0, 0.5)
    tree.links.new(pattern, mix.inputs[6])
    tree.links.new(grain.outputs["Fac"], mix.inputs[7])
    tree.links.new(_worn(tree, rng, mix.outputs[2], size, place), shader.inputs["Base Color"])
    if rng.random() < 0.7:
        bump = tree.nodes.new("ShaderNodeBump")
        bump.inputs["Strength"].default_value = rng.uniform(0.05, 0.5)
        bump.inputs["Distance"].default_value = 0.01
        tree.links.new(grain.outputs["Fac"], bump.inputs["Height"])
        tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    return made


def glow(strength: float, tint: Colour = (1, 1, 1)) -> Any:
    """A surface that gives light."""
    made = bpy.data.materials.new("glow")
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Emission Color"].default_value = (*tint, 1)
    shader.inputs["Emission Strength"].default_value = strength
    return made


def polish(material: Any) -> None:
    """Makes a surface mirror what is above it, as a puddle does."""
    material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.04


def glass(rng: random.Random) -> Any:
    """Thick glass, of bottles and tables: light goes through, depth is its surface's."""
    made = bpy.data.materials.new("glass")
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Transmission Weight"].default_value = rng.uniform(0.7, 1.0)
    shader.inputs["Roughness"].default_value = rng.choice((0.02, 0.02, 0.3))
    shader.inputs["Base Color"].default_value = (*colour(rng, 0.5, 0.3, 0.95), 1)
    return made


def world(rng: random.Random, probes: tuple[str, ...], strength: float) -> None:
    """Light from all around: a probe, turned at random, or a sky of two colours.

    Only the sky is ever seen: a probe shows trees and rooms, and those have no depth.
    """
    made = bpy.data.worlds.new("world")
    made.use_nodes = True
    bpy.context.scene.world = made
    tree = made.node_tree
    background = next(node for node in tree.nodes if node.type == "BACKGROUND")
    background.inputs["Strength"].default_value = strength
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(place, split.inputs[0])
    clouds = _node(tree, "ShaderNodeTexNoise", place, Scale=rng.uniform(2, 8), Detail=6.0)
    add = tree.nodes.new("ShaderNodeMath")
    add.operation = "MULTIPLY_ADD"
    add.inputs[1].default_value = rng.choice((0.0, 0.3, 0.8))
    tree.links.new(clouds.outputs["Fac"], add.inputs[0])
    tree.links.new(split.outputs["Z"], add.inputs[2])
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    pale, blue = rng.uniform(0.6, 1.0), rng.uniform(0.2, 0.9)
    ramp.color_ramp.elements[0].color = (pale, pale, pale * rng.uniform(0.85, 1.05), 1)
    ramp.color_ramp.elements[1].color = (blue * 0.5, blue * 0.75, max(blue, 0.6), 1)
    tree.links.new(add.outputs[0], ramp.inputs[0])
    sky = ramp.outputs["Color"]
    if rng.random() < 0.6:
        folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
        turn = tree.nodes.new("ShaderNodeMapping")
        turn.inputs["Rotation"].default_value = (0, 0, rng.uniform(0, 2 * math.pi))
        tree.links.new(place, turn.inputs["Vector"])
        probe = tree.nodes.new("ShaderNodeTexEnvironment")
        probe.image = bpy.data.images.load(str(folder / f"{rng.choice(probes)}.exr"), check_existing=True)
        tree.links.new(turn.outputs["Vector"], probe.inputs["Vector"])
        choose = tree.nodes.new("ShaderNodeMix")
        choose.data_type = "RGBA"
        tree.links.new(tree.nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"], choose.inputs[0])
        tree.links.new(probe.outputs["Color"], choose.inputs[6])
        tree.links.new(sky, choose.inputs[7])
        sky = choose.outputs[2]
    tree.links.new(sky, background.inputs["Color"])


def sun(rng: random.Random, strength: float) -> None:
    """A sun at a random height, hard or hazy."""
    light = bpy.data.lights.new("sun", "SUN")
    light.energy, light.angle = strength, math.radians(rng.choice((0.5, 0.5, 3, 15)))
    light.color = (1, rng.uniform(0.8, 1), rng.uniform(0.6, 1))
    thing = bpy.data.objects.new("sun", light)
    thing.rotation_euler = (rng.uniform(0.2, 1.3), 0, rng.uniform(0, 2 * math.pi))
    bpy.context.scene.collection.objects.link(thing)


def _worn(tree: Any, rng: random.Random, clean: Any, size: float, place: Any) -> Any:
    """Stains and wear, much larger than the pattern: no floor, road or wall is the same all over."""
    if rng.random() < 0.35:
        return clean
    stains = _node(tree, "ShaderNodeTexNoise", place, Scale=rng.uniform(0.15, 1.2) / size, Detail=6.0)
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    first, last = ramp.color_ramp.elements
    first.position, last.position = rng.uniform(0.3, 0.5), rng.uniform(0.52, 0.75)
    shade = rng.uniform(0.35, 0.9)
    first.color, last.color = (shade, shade, shade * rng.uniform(0.85, 1), 1), (1, 1, 1, 1)
    tree.links.new(stains.outputs["Fac"], ramp.inputs[0])
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    mix.inputs[0].default_value = 1.0
    tree.links.new(clean, mix.inputs[6])
    tree.links.new(ramp.outputs["Color"], mix.inputs[7])
    return mix.outputs[2]


def _pattern(tree: Any, rng: random.Random, kind: str, base: Colour, size: float, place: Any,
             photos: list[Path] | None) -> Any:  # fmt: skip
    """The colour output of a node that draws ``kind``."""
    other = near(rng, base, 0.6) if rng.random() < 0.7 else colour(rng)
    if kind == "photo" and photos:
        mapping = tree.nodes.new("ShaderNodeMapping")
        mapping.inputs["Scale"].default_value = (1 / size,) * 3
        tree.links.new(place, mapping.inputs["Vector"])
        image = tree.nodes.new("ShaderNodeTexImage")
        image.image = bpy.data.images.load(str(rng.choice(photos)), check_existing=True)
        image.projection, image.projection_blend = "BOX", 0.2
        tree.links.new(mapping.outputs["Vector"], image.inputs["Vector"])
        return image.outputs["Color"]
    if kind in ("tiles", "bricks"):
        width = size * (0.5 if kind == "tiles" else 0.3)
        node = _node(tree, "ShaderNodeTexBrick", _flat(tree, place), Scale=1.0)
        node.offset = 0.0 if kind == "tiles" else 0.5
        node.inputs["Brick Width"].default_value = width
        node.inputs["Row Height"].default_value = width * (1 if kind == "tiles" else 0.35)
        node.inputs["Mortar Size"].default_value = width * rng.uniform(0.01, 0.05)
        for name, tone in (("Color1", base), ("Color2", near(rng, base)), ("Mortar", other)):
            node.inputs[name].default_value = (*tone, 1)
        return node.outputs["Color"]
    if kind in ("wood", "stripes"):
        node = _node(tree, "ShaderNodeTexWave", place, Scale=rng.uniform(0.5, 4) / size)
        node.inputs["Distortion"].default_value = rng.uniform(4, 14) if kind == "wood" else 0.0
        node.inputs["Detail"].default_value = 3.0
    elif kind == "cells":
        node = _node(tree, "ShaderNodeTexVoronoi", place, Scale=rng.uniform(2, 20) / size)
    else:
        scale = rng.uniform(0.5, 6) if kind == "stone" else rng.uniform(10, 60)
        node = _node(tree, "ShaderNodeTexNoise", place, Scale=scale / size, Detail=10.0)
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = (
        rng.uniform(0, 0.4),
        rng.uniform(0.6, 1),
    )
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (*base, 1), (*other, 1)
    value = node.outputs["Distance" if kind == "cells" else "Fac"]
    tree.links.new(value, ramp.inputs[0])
    return ramp.outputs["Color"]


def _flat(tree: Any, place: Any) -> Any:
    """Brick patterns are flat: uses x + y across and z up on upright things, x and y on lying ones."""
    split, join = tree.nodes.new("ShaderNodeSeparateXYZ"), tree.nodes.new("ShaderNodeCombineXYZ")
    across, up = tree.nodes.new("ShaderNodeMath"), tree.nodes.new("ShaderNodeMath")
    tree.links.new(place, split.inputs[0])
    for node, first, second in ((across, "X", "Y"), (up, "Z", "Y")):
        tree.links.new(split.outputs[first], node.inputs[0])
        tree.links.new(split.outputs[second], node.inputs[1])
    tree.links.new(across.outputs[0], join.inputs[0])
    tree.links.new(up.outputs[0], join.inputs[1])
    return join.outputs[0]


def _node(tree: Any, kind: str, place: Any, **values: float) -> Any:
    node = tree.nodes.new(kind)
    tree.links.new(place, node.inputs["Vector"])
    for name, value in values.items():
        node.inputs[name].default_value = value
    return node
