# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo shot: a room with a bookcase, an armchair, a table with things on it, and light from a window."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import bpy
import materials as m  # type: ignore[import-not-found]
import props  # type: ignore[import-not-found]
from mathutils import Vector
from motion import add_camera, add_movers  # type: ignore[import-not-found]
from shapes import Triple, box, lathe, rod, sheet  # type: ignore[import-not-found]

ROOM_X, ROOM_Y, ROOM_Z = (-2.4, 2.4), (-1.6, 5.2), 2.7
WINDOW_Y, WINDOW_Z = (2.5, 4.35), (0.75, 2.35)
DOOR_X, DOOR_Z = (0.95, 1.85), 2.08
FAR_Y = 7.8


def build() -> None:
    """Fills an empty file with the room, lights, camera and animation."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rng = random.Random(20240607)
    _walls()
    _window()
    _next_room(rng)
    _furniture(rng)
    _table_things(rng)
    add_movers()
    _lights()
    add_camera()


def _walls() -> None:
    white, brick = m.plaster("plaster", (0.55, 0.52, 0.46)), m.brick()
    x0, x1 = ROOM_X
    y0, y1 = ROOM_Y
    box(
        "floor",
        (x1 - x0 + 0.4, FAR_Y - y0 + 0.4, 0.1),
        ((x0 + x1) / 2, (y0 + FAR_Y) / 2, -0.1),
        m.floorboards(),
        bevel=0,
    )
    box(
        "ceiling",
        (x1 - x0 + 0.4, FAR_Y - y0 + 0.4, 0.1),
        ((x0 + x1) / 2, (y0 + FAR_Y) / 2, ROOM_Z),
        white,
        bevel=0,
    )
    box("wall right", (0.15, y1 - y0 + 0.2, ROOM_Z), (x1 + 0.075, (y0 + y1) / 2, 0), white, bevel=0)
    box("wall behind", (x1 - x0 + 0.4, 0.15, ROOM_Z), (0, y0 - 0.075, 0), white, bevel=0)
    # The back wall in three pieces around the door, the left one in four around the window.
    box("wall back", (DOOR_X[0] - x0, 0.18, ROOM_Z), ((x0 + DOOR_X[0]) / 2, y1 + 0.09, 0), brick, bevel=0)
    box("wall back", (x1 - DOOR_X[1], 0.18, ROOM_Z), ((x1 + DOOR_X[1]) / 2, y1 + 0.09, 0), brick, bevel=0)
    box(
        "wall back",
        (DOOR_X[1] - DOOR_X[0], 0.18, ROOM_Z - DOOR_Z),
        (sum(DOOR_X) / 2, y1 + 0.09, DOOR_Z),
        brick,
        bevel=0,
    )
    a, b = WINDOW_Y
    box("wall left", (0.25, a - y0 + 0.2, ROOM_Z), (x0 - 0.125, (a + y0 - 0.2) / 2, 0), white, bevel=0)
    box("wall left", (0.25, y1 - b + 0.2, ROOM_Z), (x0 - 0.125, (b + y1 + 0.2) / 2, 0), white, bevel=0)
    box("wall left", (0.25, b - a, WINDOW_Z[0]), (x0 - 0.125, (a + b) / 2, 0), white, bevel=0)
    box(
        "wall left",
        (0.25, b - a, ROOM_Z - WINDOW_Z[1]),
        (x0 - 0.125, (a + b) / 2, WINDOW_Z[1]),
        white,
        bevel=0,
    )
    paint = m.plain("paint", (0.5, 0.48, 0.43), 0.4, speckle=0.05)
    for at, size in (
        ((x1 - 0.01, (y0 + y1) / 2, 0), (0.02, y1 - y0, 0.11)),
        ((-0.75, y1 - 0.01, 0), (3.35, 0.02, 0.11)),
    ):
        box("skirting", size, at, paint)
    for side in DOOR_X:
        box("door frame", (0.08, 0.24, DOOR_Z), (side, y1 + 0.09, 0), paint)
    box("door frame", (DOOR_X[1] - DOOR_X[0] + 0.16, 0.27, 0.09), (sum(DOOR_X) / 2, y1 + 0.09, DOOR_Z), paint)
    beam = m.wood("beam", (0.06, 0.033, 0.018), (0.2, 0.115, 0.06), (8, 0.6, 8), 0.7)
    for y in (0.4, 1.9, 3.4, 4.9):
        box("beam", (x1 - x0, 0.14, 0.18), (0, y, ROOM_Z - 0.18), beam, bevel=0.012)


def _window() -> None:
    paint = m.plain("window paint", (0.6, 0.58, 0.54), 0.35, speckle=0.05)
    (a, b), (low, high), x = WINDOW_Y, WINDOW_Z, ROOM_X[0] - 0.14
    for y in (a + 0.03, (a + b) / 2, b - 0.03):
        box("mullion", (0.06, 0.05, high - low), (x, y, low), paint)
    for z in (low, low + 0.98, high - 0.05):
        box("mullion", (0.055, b - a, 0.04), (x, (a + b) / 2, z), paint)
    box("sill", (0.32, b - a + 0.16, 0.035), (ROOM_X[0] - 0.06, (a + b) / 2, low - 0.035), paint)
    rod(
        "curtain rod",
        (ROOM_X[0] + 0.1, a - 0.4, high + 0.14),
        (ROOM_X[0] + 0.1, b + 0.5, high + 0.14),
        0.012,
        m.plain("iron", (0.03, 0.03, 0.03), 0.5),
    )
    cloth = m.fabric("curtain", (0.36, 0.3, 0.21), (0.45, 0.39, 0.28))

    def folds(u: float, v: float) -> Triple:
        depth = 0.045 * math.sin(2 * math.pi * 6.5 * u + 0.8 * math.sin(3 * v)) * (0.6 + 0.4 * v)
        return (
            depth,
            (u - 0.5) * 0.62 * (1 - 0.14 * math.sin(math.pi * min(1, 1.6 * v))),
            (1 - v) * (high + 0.1 - 0.06) + 0.06,
        )

    sheet("curtain", 120, 24, folds, (ROOM_X[0] + 0.1, b + 0.2, 0), cloth)
    sheet("curtain", 120, 24, folds, (ROOM_X[0] + 0.1, a - 0.2, 0), cloth)


def _next_room(rng: random.Random) -> None:
    blue = m.plaster("plaster blue", (0.2, 0.29, 0.32))
    box("far wall", (5.2, 0.15, ROOM_Z), (0.5, FAR_Y + 0.075, 0), blue, bevel=0)
    box(
        "far side", (0.15, FAR_Y - ROOM_Y[1], ROOM_Z), (-0.4, (ROOM_Y[1] + FAR_Y) / 2 + 0.1, 0), blue, bevel=0
    )
    box("far side", (0.15, FAR_Y - ROOM_Y[1], ROOM_Z), (3.2, (ROOM_Y[1] + FAR_Y) / 2 + 0.1, 0), blue, bevel=0)
    oak = m.wood("oak", (0.17, 0.09, 0.04), (0.38, 0.23, 0.11), (0.9, 9, 9))
    box("sideboard", (1.3, 0.42, 0.78), (1.55, FAR_Y - 0.24, 0.06), oak, bevel=0.01)
    lathe(
        "vase",
        [(1.3 * r, 1.3 * z) for r, z in props.VASE],
        (1.25, FAR_Y - 0.24, 0.84),
        m.plain("ochre", (0.5, 0.28, 0.06), 0.3),
    )
    props.book_stack(rng, 5, (1.9, FAR_Y - 0.24, 0.84), m.book())
    art = m.picture("print far", 3.7, ((0.5, 0.42, 0.3), (0.45, 0.12, 0.06), (0.06, 0.1, 0.14)))
    props.framed(
        (1.55, FAR_Y - 0.012, 1.6), (0.6, 0.75), 0, art, m.plain("black frame", (0.02, 0.018, 0.016), 0.4)
    )


def _furniture(rng: random.Random) -> None:
    walnut = m.wood("walnut", (0.05, 0.025, 0.013), (0.17, 0.09, 0.045), (9, 9, 0.9))
    beech = m.wood("beech", (0.24, 0.13, 0.06), (0.45, 0.28, 0.15), (9, 9, 1.0))
    props.shelf(rng, (-0.5, ROOM_Y[1] - 0.19, 0), walnut, m.book())
    wool = m.fabric("wool", (0.055, 0.12, 0.115), (0.085, 0.165, 0.15), weave=120)
    pillow = m.fabric("pillow", (0.55, 0.46, 0.3), (0.42, 0.13, 0.06), stripes=16)
    props.armchair((1.62, 3.75, 0), -52, wool, walnut, pillow)
    props.chair((0.98, 1.75, 0), 155, beech, m.fabric("pad", (0.4, 0.1, 0.06), (0.5, 0.16, 0.09)))
    props.lamp(
        (2.08, 4.75, 0), m.plain("brass", (0.55, 0.38, 0.16), 0.3, 1.0), m.glow("shade", (1, 0.62, 0.3), 1.6)
    )
    rug = m.fabric("rug", (0.36, 0.31, 0.24), (0.28, 0.07, 0.045), stripes=5, weave=60, axis="Y")
    box("rug", (2.3, 1.7, 0.012), (0.62, 3.15, 0), rug, (0, 0, 4), 0.004)
    props.plant(rng, (-1.92, 4.62, 0), 1.15, 26, m.plain("terracotta", (0.42, 0.17, 0.09), 0.75))
    frame = m.wood("frame", (0.1, 0.05, 0.02), (0.25, 0.14, 0.07), (3, 3, 3))
    prints = [
        ((0.06, 0.13, 0.2), (0.52, 0.46, 0.34), (0.5, 0.2, 0.07)),
        ((0.5, 0.46, 0.38), (0.1, 0.17, 0.12), (0.48, 0.3, 0.1)),
    ]
    props.framed(
        (ROOM_X[1] - 0.012, 4.1, 1.62), (0.62, 0.8), -90, m.picture("print a", 1.0, prints[0]), frame
    )
    props.framed((ROOM_X[1] - 0.012, 3.2, 1.55), (0.5, 0.5), -90, m.picture("print b", 8.0, prints[1]), frame)
    lathe(
        "basket",
        [(0.001, 0), (0.16, 0), (0.21, 0.14), (0.2, 0.3), (0.185, 0.3), (0.19, 0.14), (0.001, 0.03)],
        (0.72, 4.75, 0),
        m.fabric("wicker", (0.2, 0.11, 0.05), (0.38, 0.24, 0.12), stripes=60, axis="Z"),
    )


def _table_things(rng: random.Random) -> None:
    oak = m.wood("table oak", (0.2, 0.1, 0.045), (0.46, 0.28, 0.14), (0.8, 9, 9), 0.35)
    props.table((-0.55, 1.2, 0), (1.5, 0.85), oak)
    top, cover = 0.75, m.book()
    cream = m.plain("cream", (0.62, 0.57, 0.47), 0.22, speckle=0.06)
    props.mug((0.03, 1.02, top), cream, -35)
    height = props.book_stack(rng, 3, (-0.95, 1.02, top), cover)
    lathe("bowl", props.BOWL, (-0.95, 1.02, top + height), m.plain("glaze", (0.09, 0.2, 0.2), 0.15))
    lathe("vase", props.VASE, (-1.1, 1.42, top), m.plain("celadon", (0.28, 0.36, 0.27), 0.25))
    straw = m.leaf("straw", (0.28, 0.18, 0.07), (0.5, 0.36, 0.16))
    for _ in range(9):
        tip = (-1.1 + rng.uniform(-0.13, 0.13), 1.42 + rng.uniform(-0.1, 0.1), top + rng.uniform(0.52, 0.75))
        rod("stalk", (-1.1, 1.42, top + 0.2), tip, 0.0022, straw)
        lathe(
            "ear",
            [(0.001, 0), (0.011, 0.02), (0.012, 0.05), (0.004, 0.09)],
            tip,
            straw,
            (rng.uniform(-14, 14), rng.uniform(-14, 14), 0),
            12,
        )
    paper = m.plain("paper", (0.66, 0.64, 0.58), 0.9, speckle=0.03)
    for k in range(4):
        box(
            "paper",
            (0.21, 0.297, 0.0012),
            (-0.62 + 0.012 * k, 0.96, top + 0.0013 * k),
            paper,
            (0, 0, 8 + 5 * k),
            0,
        )
    rod(
        "pencil",
        (-0.66, 0.9, top + 0.011),
        (-0.55, 1.02, top + 0.011),
        0.004,
        m.plain("pencil", (0.5, 0.3, 0.03), 0.4),
    )
    iron = m.plain("pendant iron", (0.05, 0.065, 0.06), 0.4, speckle=0.08)
    shade = [
        (0.03, 0.2),
        (0.05, 0.19),
        (0.17, 0.02),
        (0.175, 0.0),
        (0.168, 0.0),
        (0.045, 0.18),
        (0.03, 0.195),
    ]
    lathe("pendant", shade, (-0.3, 1.55, 1.66), iron)
    rod("cable", (-0.3, 1.55, 1.84), (-0.3, 1.55, ROOM_Z), 0.004, iron)


def _lights() -> None:
    probes = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    bpy.context.scene.world = world
    sky = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
    sky.image = bpy.data.images.load(
        str(probes / "courtyard.exr")
    )  # Greg Zaal, Poly Haven, CC0; ships with Blender
    background = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND")
    world.node_tree.links.new(sky.outputs["Color"], background.inputs["Color"])
    background.inputs["Strength"].default_value = 1.2
    world.cycles.sampling_method = (
        "NONE"  # seen through the window only: the room is lit by lamps placed there
    )
    world.cycles_visibility.diffuse = False
    (a, b), (low, high) = WINDOW_Y, WINDOW_Z
    _light("SUN", "sun", (0, 0, 3), Vector((1.0, 0.12, -0.5)), 14.0, (1, 0.85, 0.66), angle=math.radians(1.2))
    _light(
        "AREA",
        "window",
        (ROOM_X[0] - 0.3, (a + b) / 2, (low + high) / 2),
        Vector((1, 0, -0.15)),
        90,
        (0.8, 0.9, 1.0),
        size=(b - a, high - low),
    )
    _light(
        "AREA",
        "fill",
        (0.6, ROOM_Y[0] + 0.1, 1.9),
        Vector((0, 1, -0.25)),
        45,
        (0.85, 0.92, 1.0),
        size=(2.4, 1.2),
    )
    _light(
        "AREA", "far window", (3.05, 6.6, 1.6), Vector((-1, 0.2, -0.2)), 40, (0.9, 0.95, 1.0), size=(1.2, 1.2)
    )


def _light(
    kind: str,
    name: str,
    at: Triple,
    towards: Vector,
    energy: float,
    colour: Triple,
    size: Any = None,
    angle: float = 0,
) -> None:
    light = bpy.data.lights.new(name, kind)
    light.energy, light.color = energy, colour
    if size:
        light.shape, (light.size, light.size_y) = "RECTANGLE", size
    if angle:
        light.angle = angle
    thing = bpy.data.objects.new(name, light)
    thing.location, thing.rotation_euler = at, towards.to_track_quat("-Z", "Y").to_euler()
    thing.visible_camera = False
    bpy.context.scene.collection.objects.link(thing)
