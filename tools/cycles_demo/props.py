# SPDX-License-Identifier: GPL-3.0-or-later
"""Furniture and small things of the demo room."""

from __future__ import annotations

import math
import random
from typing import Any

import bpy
import materials as m  # type: ignore[import-not-found]
from shapes import Triple, box, cushion, group, lathe, place, rod, sheet, torus  # type: ignore[import-not-found]

COVERS = [
    (0.33, 0.06, 0.05), (0.05, 0.12, 0.2), (0.08, 0.16, 0.09), (0.5, 0.36, 0.14), (0.42, 0.4, 0.34),
    (0.12, 0.09, 0.07), (0.2, 0.05, 0.1), (0.05, 0.2, 0.22), (0.55, 0.5, 0.42), (0.28, 0.14, 0.06),
]  # fmt: skip


def _cover(thing: Any, rng: random.Random) -> Any:
    thing.color = (*(c * rng.uniform(0.7, 1.2) for c in rng.choice(COVERS)), 1)
    return thing


def book_row(rng: random.Random, width: float, at: Triple, material: Any, height: float = 0.3) -> None:
    """Standing books from ``at`` towards +x, spines towards -y, the last one leaning."""
    x = 0.0
    while True:
        thick, tall, deep = rng.uniform(0.016, 0.05), height * rng.uniform(0.62, 0.95), rng.uniform(0.15, 0.2)
        if x + thick > width - 0.06:
            break
        _cover(
            box(
                "book",
                (thick, deep, tall),
                (at[0] + x + thick / 2, at[1] + rng.uniform(0, 0.03), at[2]),
                material,
                bevel=0.003,
            ),
            rng,
        )
        x += thick + rng.uniform(0.0005, 0.003)
    _cover(
        box(
            "book",
            (0.028, 0.17, height * 0.8),
            (at[0] + x + 0.07, at[1], at[2]),
            material,
            (0, -11, 0),
            0.003,
        ),
        rng,
    )


def book_stack(rng: random.Random, count: int, at: Triple, material: Any) -> float:
    """Lying books; returns the height of the stack."""
    z = 0.0
    for _ in range(count):
        thick = rng.uniform(0.02, 0.042)
        size = (rng.uniform(0.2, 0.25), rng.uniform(0.145, 0.175), thick)
        _cover(
            box(
                "book",
                size,
                (at[0] + rng.uniform(-0.01, 0.01), at[1], at[2] + z),
                material,
                (0, 0, rng.uniform(-14, 14)),
                0.003,
            ),
            rng,
        )
        z += thick
    return z


def shelf(
    rng: random.Random, at: Triple, board: Any, cover: Any, width: float = 1.75, height: float = 2.05
) -> None:
    """A bookcase with four boards, books, boxes and vases."""
    x, y, z = at
    deep = 0.32
    for side in (-1, 1):
        box("shelf side", (0.03, deep, height), (x + side * width / 2, y, z), board)
    box("shelf back", (width, 0.012, height), (x, y + deep / 2 - 0.01, z), board)
    middle = x + 0.1
    box("shelf post", (0.025, deep - 0.01, height - 0.05), (middle, y, z), board)
    levels = [0.08, 0.5, 0.9, 1.28, 1.64, height]
    for level in levels:
        box("shelf board", (width, deep, 0.026), (x, y, z + level - 0.026), board)
    left, right, front = x - width / 2 + 0.03, middle + 0.03, y - 0.02
    card, jar, blue = (
        m.plain("card", (0.42, 0.29, 0.17), 0.85),
        m.plain("jar", (0.62, 0.55, 0.43), 0.3),
        m.plain("blue", (0.06, 0.16, 0.24), 0.2),
    )
    for row, level in enumerate(levels[:-1]):
        room = levels[row + 1] - level - 0.05
        wide_left, wide_right = middle - left - 0.03, x + width / 2 - right - 0.03
        if row == 0:
            box("carton", (0.5, 0.26, 0.27), (left + 0.3, front, z + level), card, (0, 0, 3))
            box("carton", (0.4, 0.26, 0.22), (right + 0.3, front, z + level), card, (0, 0, -4))
        elif row == 1:
            book_row(rng, wide_left, (left, front, z + level), cover, room)
            book_row(rng, wide_right * 0.55, (right, front, z + level), cover, room)
            lathe("vase", VASE, (right + wide_right * 0.8, front, z + level), blue)
        elif row == 2:
            lathe("jar", JAR, (left + 0.12, front, z + level), jar)
            book_row(rng, wide_left - 0.28, (left + 0.28, front, z + level), cover, room)
            book_row(rng, wide_right, (right, front, z + level), cover, room)
        elif row == 3:
            book_row(rng, wide_left * 0.6, (left, front, z + level), cover, room)
            stack = book_stack(rng, 4, (left + wide_left * 0.82, front, z + level), cover)
            lathe("bowl", BOWL, (left + wide_left * 0.82, front, z + level + stack), jar)
            book_row(rng, wide_right * 0.8, (right, front, z + level), cover, room)
        else:
            book_row(rng, wide_left, (left, front, z + level), cover, room)
            lathe("jar", JAR, (right + 0.15, front, z + level), blue)
            book_row(rng, wide_right - 0.3, (right + 0.3, front, z + level), cover, room)
    box("carton", (0.45, 0.3, 0.24), (x - 0.5, y, z + height), card, (0, 0, 8))
    plant(
        rng,
        (x + 0.45, y - 0.02, z + height),
        0.42,
        18,
        m.plain("pot small", (0.5, 0.22, 0.12), 0.7),
        trailing=True,
    )


VASE = [
    (0.001, 0.0),
    (0.05, 0.0),
    (0.075, 0.05),
    (0.08, 0.11),
    (0.055, 0.18),
    (0.028, 0.23),
    (0.036, 0.26),
    (0.03, 0.26),
    (0.022, 0.22),
]
JAR = [
    (0.001, 0.0),
    (0.07, 0.0),
    (0.078, 0.015),
    (0.078, 0.14),
    (0.06, 0.17),
    (0.06, 0.185),
    (0.066, 0.19),
    (0.066, 0.2),
    (0.001, 0.21),
]
BOWL = [
    (0.001, 0.0),
    (0.04, 0.0),
    (0.042, 0.008),
    (0.075, 0.03),
    (0.095, 0.06),
    (0.09, 0.062),
    (0.06, 0.025),
    (0.001, 0.014),
]
MUG = [
    (0.001, 0.0),
    (0.036, 0.0),
    (0.041, 0.006),
    (0.042, 0.095),
    (0.0395, 0.097),
    (0.037, 0.094),
    (0.036, 0.012),
    (0.001, 0.01),
]
POT = [
    (0.001, 0.0),
    (0.1, 0.0),
    (0.105, 0.01),
    (0.14, 0.23),
    (0.152, 0.235),
    (0.152, 0.27),
    (0.138, 0.27),
    (0.13, 0.22),
    (0.001, 0.22),
]


def mug(at: Triple, material: Any, turn: float) -> None:
    """A mug with a handle."""
    group(
        "mug",
        [
            lathe("mug", MUG, (0, 0, 0), material),
            torus("handle", 0.027, 0.006, (0.05, 0, 0.05), material, (90, 0, 0)),
        ],
        at,
        (0, 0, turn),
    )


def plant(
    rng: random.Random, at: Triple, length: float, count: int, pot: Any, trailing: bool = False
) -> None:
    """A potted plant of bent leaves; ``length`` of the longest leaf."""
    size = length / 0.9
    lathe("pot", [(r * size, z * size) for r, z in POT], at, pot)
    green = m.leaf("leaf", (0.022, 0.07, 0.02), (0.085, 0.2, 0.05))
    top = (at[0], at[1], at[2] + 0.22 * size)
    for k in range(count):
        long, droop = length * rng.uniform(0.6, 1), rng.uniform(0.5, 1.1) * (1.7 if trailing else 1)
        wide, lift = (
            long * rng.uniform(0.1, 0.16),
            math.radians(rng.uniform(20, 60) if trailing else rng.uniform(48, 85)),
        )

        def blade(
            u: float,
            v: float,
            long: float = long,
            wide: float = wide,
            lift: float = lift,
            droop: float = droop,
        ) -> Triple:
            angle = lift - droop * v * 1.3
            across = (u - 0.5) * 2 * wide * math.sin(math.pi * min(1, 0.08 + v * 0.92)) ** 0.8 * (1 - 0.3 * v)
            along = long * v
            return (across, along * math.cos(angle), along * math.sin(angle) + 0.25 * abs(across))

        sheet("leaf", 4, 14, blade, top, green, (0, 0, 137.5 * k + rng.uniform(-20, 20)))


def chair(at: Triple, turn: float, timber: Any, seat: Any) -> None:
    """A kitchen chair that looks towards its own -y."""
    parts = []
    for x in (-0.19, 0.19):
        parts.append(rod("leg", (x, -0.18, 0.45), (x * 1.1, -0.2, 0), 0.02, timber, 0.7))
        parts.append(rod("post", (x, 0.18, 0.45), (x * 0.95, 0.27, 0.92), 0.017, timber, 0.8))
        parts.append(rod("leg", (x, 0.18, 0.45), (x * 1.1, 0.22, 0), 0.02, timber, 0.7))
        parts.append(rod("rail", (x * 1.05, -0.19, 0.22), (x * 1.05, 0.2, 0.24), 0.011, timber))
    parts.append(rod("rail", (-0.2, 0, 0.23), (0.2, 0, 0.23), 0.011, timber))
    parts.append(box("seat", (0.44, 0.42, 0.03), (0, 0, 0.44), timber, bevel=0.012))
    parts.append(cushion("pad", (0.4, 0.38, 0.05), (0, 0, 0.465), seat))
    for z, y in ((0.86, 0.26), (0.6, 0.21)):
        parts.append(box("slat", (0.37, 0.016, 0.07), (0, y, z), timber, (-10, 0, 0), 0.006))
    spindles = (-0.1, -0.03, 0.04, 0.11)
    parts += [rod("spindle", (x, 0.215, 0.64), (x, 0.258, 0.87), 0.007, timber) for x in spindles]
    group("chair", parts, at, (0, 0, turn))


def armchair(at: Triple, turn: float, cloth: Any, timber: Any, pillow: Any) -> None:
    """An easy chair that looks towards its own -y."""
    parts = [
        cushion("base", (0.66, 0.7, 0.24), (0, 0, 0.16), cloth),
        cushion("seat", (0.6, 0.62, 0.17), (0, -0.06, 0.35), cloth),
        cushion("back", (0.64, 0.2, 0.6), (0, 0.3, 0.36), cloth, (-14, 0, 0)),
        cushion("arm", (0.15, 0.7, 0.44), (-0.38, 0, 0.16), cloth),
        cushion("arm", (0.15, 0.7, 0.44), (0.38, 0, 0.16), cloth),
        cushion("pillow", (0.4, 0.13, 0.36), (0.08, 0.12, 0.5), pillow, (-24, 8, 6)),
    ]
    parts += [
        rod("foot", (x, y, 0.17), (x * 1.1, y * 1.1, 0), 0.022, timber, 0.6)
        for x in (-0.32, 0.32)
        for y in (-0.28, 0.3)
    ]
    group("armchair", parts, at, (0, 0, turn))


def table(at: Triple, size: tuple[float, float], timber: Any) -> None:
    """A table, 75 cm high."""
    x, y, z = at
    box("table top", (*size, 0.035), (x, y, z + 0.715), timber, bevel=0.006)
    for sx in (-1, 1):
        for sy in (-1, 1):
            rod(
                "table leg",
                (x + sx * (size[0] / 2 - 0.08), y + sy * (size[1] / 2 - 0.08), z + 0.72),
                (x + sx * (size[0] / 2 - 0.06), y + sy * (size[1] / 2 - 0.06), z),
                0.034,
                timber,
                0.65,
            )
        box("apron", (0.02, size[1] - 0.2, 0.09), (x + sx * (size[0] / 2 - 0.08), y, z + 0.63), timber)
    for sy in (-1, 1):
        box("apron", (size[0] - 0.2, 0.02, 0.09), (x, y + sy * (size[1] / 2 - 0.08), z + 0.63), timber)


def lamp(at: Triple, metal: Any, shade: Any) -> None:
    """A standard lamp, lit."""
    x, y, z = at
    lathe("lamp foot", [(0.001, 0), (0.15, 0), (0.15, 0.015), (0.02, 0.03)], at, metal)
    rod("lamp pole", (x, y, z + 0.02), (x, y, z + 1.5), 0.011, metal)
    lathe("lamp shade", [(0.2, 1.36), (0.13, 1.66), (0.128, 1.66), (0.198, 1.362)], at, shade)
    light = bpy.data.lights.new("bulb", "POINT")
    light.energy, light.color, light.shadow_soft_size = 14, (1, 0.72, 0.42), 0.05
    bulb = bpy.data.objects.new("bulb", light)
    bulb.location = (x, y, z + 1.5)
    bpy.context.scene.collection.objects.link(bulb)


def framed(at: Triple, size: tuple[float, float], turn: float, art: Any, frame: Any) -> None:
    """A picture with a mount and a frame, facing its own -y."""
    wide, tall = size
    white = m.plain("mount", (0.7, 0.68, 0.63), 0.8, speckle=0.03)
    parts = [box("mount", (wide, 0.012, tall), (0, 0, -tall / 2), white, bevel=0.001)]
    parts.append(box("art", (wide * 0.72, 0.004, tall * 0.72), (0, -0.007, -tall * 0.36), art, bevel=0))
    for s in (-1, 1):
        parts.append(
            box(
                "frame",
                (0.025, 0.03, tall + 0.05),
                (s * (wide / 2 + 0.0125), -0.005, -tall / 2 - 0.025),
                frame,
                bevel=0.003,
            )
        )
        parts.append(
            box(
                "frame",
                (wide + 0.05, 0.03, 0.025),
                (0, -0.005, s * (tall / 2 + 0.0125) - 0.0125),
                frame,
                bevel=0.003,
            )
        )
    group("picture", parts, at, (0, 0, turn))


def figurine(material: Any, size: float) -> Any:
    """Blender's own monkey, smoothed; the hero of the shot."""
    bpy.ops.mesh.primitive_monkey_add()
    thing = bpy.context.object
    thing.modifiers.new("smooth", "SUBSURF").levels = 3
    mesh = bpy.data.meshes.new_from_object(thing.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    bpy.data.objects.remove(thing)
    hero = place(mesh, "figurine", (0, 0, 0), material, smooth=True)
    hero.scale = (size,) * 3
    return hero
