# SPDX-License-Identifier: GPL-3.0-or-later
"""Rooms, corridors and close-ups of things on tables and in bins."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import bpy
import clutter  # type: ignore[import-not-found]
import looks  # type: ignore[import-not-found]
from catalogue import Catalogue, Entry, pick  # type: ignore[import-not-found]
from mathutils import Vector
from solids import Triple, box, cylinder  # type: ignore[import-not-found]

WALLSIDE = (
    "bookcase|shel|wardrobe|cabinet|dresser|chest|drawers|fridge|tv |sofa|couch|desk|bed|piano|stove|sink"
)
MIDDLE = "table|chair|armchair|stool|sofa|couch|desk|pool table|ottoman|puff|bench"
LYING = "box|book|bottle|cup|glass|bowl|plate|vase|lamp|laptop|keyboard|phone|screen|radio|mug|pan|pot|toy"
PLANTS = "plant|ficus|yucca|bamboo"
ODDS = "box|suitcase|basket|dustbin|bag|toy"
LIVING = "characters|siamese|cat|dog|bulldog|child"


class View:
    """Where cameras may stand, and what they look at: points in metres."""

    def __init__(
        self, low: Triple, high: Triple, targets: list[Triple], lens: tuple[float, float], nearest: float
    ) -> None:
        """``lens``: horizontal fields of view in degrees; nothing may be nearer than ``nearest``."""
        self.low, self.high, self.targets, self.lens, self.nearest = low, high, targets, lens, nearest


def room(rng: random.Random, things: Catalogue, photos: list[Path], narrow: bool = False) -> View:
    """A furnished room."""
    width, depth, height = rng.uniform(2.8, 7), rng.uniform(3.2, 9), rng.uniform(2.3, 3.2)
    if narrow:
        width, depth = rng.uniform(1.6, 3.2), rng.uniform(8, 22)
    _shell(rng, width, depth, height, photos)
    targets: list[Triple] = []
    taken: list[tuple[float, float, float]] = []

    def free(x: float, y: float, radius: float) -> bool:
        if any(math.hypot(x - a, y - b) < radius + c for a, b, c in taken):
            return False
        taken.append((x, y, radius))
        return True

    for _ in range(int(rng.uniform(2, 9) * (0.5 if narrow else 1))):  # along the walls
        entry = pick(rng, things.find(WALLSIDE, 0.4, 3.2))
        side = rng.randrange(4)
        gap = entry.size[1] / 2 + 0.02
        along = rng.uniform(-0.45, 0.45)
        x, y, turn = [
            (along * width, depth / 2 - gap, 0.0), (along * width, gap - depth / 2, math.pi),
            (width / 2 - gap, along * depth, -math.pi / 2), (gap - width / 2, along * depth, math.pi / 2),
        ][side]  # fmt: skip
        if entry.size[2] < height and free(x, y, 0.45 * max(entry.size[:2])):
            things.place(entry, (x, y, 0), turn)
            targets.append((x, y, entry.size[2] * 0.6))
            if entry.size[2] < 1.3:
                _scatter(rng, things, (x, y, entry.size[2]), entry.size, rng.randint(0, 5))
    for _ in range(rng.randint(0, 2) if narrow else rng.randint(2, 8)):
        entry = pick(rng, things.find(MIDDLE, 0.3, 2.6))
        x, y = rng.uniform(-0.4, 0.4) * width, rng.uniform(-0.42, 0.42) * depth
        if free(x, y, 0.5 * max(entry.size[:2])):
            things.place(entry, (x, y, 0), rng.choice((0, 1, 2, 3)) * math.pi / 2 + rng.gauss(0, 0.3))
            targets.append((x, y, entry.size[2] * 0.7))
            if _carries(entry):
                _scatter(rng, things, (x, y, entry.size[2]), entry.size, rng.randint(1, 9))
    extras = (
        (LIVING, rng.choice((0, 0, 1, 2)), 0.3, 2.0),
        (PLANTS, rng.choice((0, 1, 2)), 0.4, 2.2),
        (ODDS, rng.choice((0, 1, 3)), 0.15, 1.0),
    )
    for words, count, low, high in extras:
        for _ in range(count):
            entry = pick(rng, things.find(words, low, high))
            x, y = rng.uniform(-0.42, 0.42) * width, rng.uniform(-0.45, 0.45) * depth
            if free(x, y, 0.4 * max(entry.size[:2])):
                things.place(entry, (x, y, 0), rng.uniform(0, 6.28))
                targets.append((x, y, entry.size[2] * 0.6))
    targets += [
        (rng.uniform(-0.5, 0.5) * width, rng.choice((-0.5, 0.5)) * depth, rng.uniform(0.5, 1.6))
        for _ in range(rng.randint(1, 4))
    ]
    clutter.hanging(rng, width, depth, height)
    clutter.litter(
        rng,
        things,
        rng.choice((0, 0, 2, 6)),
        ((-0.4 * width, -0.4 * depth, 0), (0.4 * width, 0.4 * depth, 0)),
    )
    looks.world(rng, looks.PROBES, rng.uniform(0.4, 1.6))
    return View(
        (-0.45 * width, -0.47 * depth, 0.7), (0.45 * width, 0.47 * depth, 1.9), targets, (45, 85), 0.35
    )


def _carries(entry: Entry) -> bool:
    """Whether things stand on it."""
    return any(word in entry.name.lower() for word in ("table", "desk", "bench")) and entry.size[2] < 1.2


def close_up(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """Things on a table, or crammed into a bin of a shelf, seen from near."""
    rack = rng.random() < 0.5
    width, depth, height = rng.uniform(0.35, 1.4), rng.uniform(0.3, 0.8), rng.uniform(0.25, 0.5)
    look = looks.material(rng, rng.choice(("plain", "speckled", "wood")) if rack else None, size=0.3)
    _shell(rng, rng.uniform(3, 6), rng.uniform(3, 6), 2.6, photos, floor=-0.74)
    if rack:
        bins = [(x, z) for x in range(rng.randint(-1, 0), rng.randint(1, 2)) for z in (-1, 0, 1)]
        for x, z in bins if rng.random() < 0.6 else [(0, 0)]:
            left, low = x * (width + 0.02), z * (height + 0.02)
            for size, at in (
                ((width, depth, 0.02), (left, 0, low - 0.02)),
                ((width, depth, 0.02), (left, 0, low + height)),
                ((width, 0.02, height), (left, depth / 2, low)),
                ((0.02, depth, height), (left - width / 2, 0, low)),
                ((0.02, depth, height), (left + width / 2, 0, low)),
            ):
                box(size, at, look)
            if z or x:
                _scatter(rng, things, (left, 0, low), (width, depth, 0), rng.randint(0, 5))
    else:
        box((width * 1.3, depth * 1.6, 0.04), (0, 0, -0.04), look, bevel=0.005)
        for x, y in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
            box((0.05, 0.05, 0.7), (x * width * 0.6, y * depth * 0.75, -0.74), look)
    count = rng.randint(4, 16)
    _scatter(rng, things, (0, 0, 0), (width, depth, 0), count)
    for _ in range(rng.randint(1, 8)):  # plain packets and cans
        at = (rng.uniform(-0.42, 0.42) * width, rng.uniform(-0.35, 0.4) * depth, 0.0)
        look = looks.material(rng, size=rng.uniform(0.05, 0.3), photos=photos)
        tall = rng.uniform(0.03, 0.24)
        if rng.random() < 0.15:
            look = looks.glass(rng)
        if rng.random() < 0.6:
            box(
                (rng.uniform(0.03, 0.2), rng.uniform(0.02, 0.14), tall), at, look, rng.uniform(0, 3.14), 0.003
            )
        else:
            cylinder(rng.uniform(0.02, 0.06), tall, at, look)
    lamp = bpy.data.lights.new("lamp", "AREA")
    lamp.energy, lamp.size = rng.uniform(3, 30), rng.uniform(0.1, 1.0)
    light = bpy.data.objects.new("lamp", lamp)
    light.location = (rng.uniform(-1, 1), -rng.uniform(0.3, 1.5), rng.uniform(0.4, 1.6))
    light.rotation_euler = (Vector((0, 0, 0)) - light.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(light)
    looks.world(rng, looks.PROBES, rng.uniform(0.4, 1.3))
    high = height * 0.9 if rack else 0.8
    targets = [
        (rng.uniform(-0.3, 0.3) * width, rng.uniform(-0.3, 0.3) * depth, rng.uniform(0, 0.1))
        for _ in range(6)
    ]
    return View((-0.6, -1.2, 0.08), (0.6, -0.42, high), targets, (40, 75), 0.12)


def _shell(
    rng: random.Random, width: float, depth: float, height: float, photos: list[Path], floor: float = 0.0
) -> None:
    """Floor, ceiling, four walls, a rug now and then, lights."""
    paint = rng.choice(("plain", "plain", "speckled", "bricks", "stripes"))
    wall = looks.material(rng, paint, looks.colour(rng, 0.8, 0.15), 0.8)
    wood = looks.material(rng, rng.choice(("plain", "wood")), size=0.5)
    boards = looks.material(
        rng, rng.choice(("wood", "tiles", "speckled", "stone", "cells", "plain")), size=0.7
    )
    above = looks.material(rng, rng.choice(("plain", "tiles", "speckled")), looks.colour(rng, 0.95, 0.3))
    box((width, depth, 0.1), (0, 0, floor - 0.1), boards)
    box((width, depth, 0.1), (0, 0, floor + height), above)
    if rng.random() < 0.3:
        rug = looks.material(rng, size=0.6, photos=photos)
        box((rng.uniform(1, width), rng.uniform(1, depth * 0.6), 0.01), (0, 0, floor), rug)
    for side in range(4):
        _wall(rng, _Wall(side, width, depth, height, floor), wall, wood, photos)
    strength, tint = rng.uniform(4, 25), (1, rng.uniform(0.8, 1), rng.uniform(0.6, 1))
    for _ in range(rng.randint(1, 5)):
        at = (
            rng.uniform(-0.4, 0.4) * width, rng.uniform(-0.45, 0.45) * depth, floor + height - 0.04
        )  # fmt: skip
        box((rng.uniform(0.15, 1.2), rng.uniform(0.15, 0.6), 0.04), at, looks.glow(strength, tint))


class _Wall:
    """One of a room's four walls: how long, and where on it a thing is."""

    def __init__(self, side: int, width: float, depth: float, height: float, floor: float) -> None:
        self.side, self.height, self.floor = side, height, floor
        self.long, self.out = (width, depth / 2) if side < 2 else (depth, width / 2)
        self.turn = (0, math.pi, -math.pi / 2, math.pi / 2)[side]

    def at(self, along: float, away: float, z: float) -> Triple:
        """The point ``along`` from the wall's middle, ``away`` into the room, ``z`` above the floor."""
        back = self.out - away
        x, y = ((along, back), (-along, -back), (back, -along), (-back, along))[self.side]
        return (x, y, self.floor + z)

    def put(self, size: Triple, along: float, away: float, z: float, look: Any) -> None:
        """A box parallel to the wall."""
        box(size, self.at(along, away, z), look, self.turn)


def _wall(rng: random.Random, wall: _Wall, paint: Any, wood: Any, photos: list[Path]) -> None:
    """A wall with a window, or with pictures; a door; a skirting."""
    long, height = wall.long, wall.height
    gap = rng.uniform(0.8, max(0.9, long * 0.6)) if rng.random() < 0.4 else 0.0
    if gap:  # wall beside, below and above it
        low, high = rng.uniform(0.3, 1.0), rng.uniform(1.9, height - 0.05)
        left = rng.uniform(gap - long, long - gap) / 2
        for a, b in ((-long / 2, left - gap / 2), (left + gap / 2, long / 2)):
            wall.put((max(0.01, b - a), 0.12, height), (a + b) / 2, -0.06, 0, paint)
        wall.put((gap, 0.12, low), left, -0.06, 0, paint)
        wall.put((gap, 0.12, height - high), left, -0.06, high, paint)
        for k in range(rng.randint(2, 4)):
            wall.put((0.05, 0.06, high - low), left + gap * (k / 3 - 0.5), -0.06, low, wood)
        if rng.random() < 0.2:  # a blind
            slat = looks.material(rng, "plain", looks.colour(rng, 0.8, 0.3))
            for k in range(int((high - low) * rng.uniform(0.3, 1) / 0.05)):
                wall.put((gap, 0.03, 0.004), left, 0.02, high - 0.05 * k, slat)
        wall.put((gap, 0.06, 0.05), left, -0.06, rng.choice((low, (low + high) / 2)), wood)
    else:
        wall.put((long, 0.12, height), 0, -0.06, 0, paint)
        for _ in range(rng.randint(0, 4)):
            size = (rng.uniform(0.25, 1.1), 0.03, rng.uniform(0.25, 0.9))
            kind = rng.choice(("photo", "photo", "cells", "stripes")) if photos else None
            art = looks.material(rng, kind, size=rng.uniform(0.5, 1.5), photos=photos)
            wall.put(size, rng.uniform(-0.45, 0.45) * long, 0.015, rng.uniform(0.9, 1.6), art)
    if rng.random() < 0.5:
        along = rng.uniform(-0.4, 0.4) * long
        wall.put((0.9, 0.05, 2.0), along, 0.02, 0, wood)
        wall.put((1.04, 0.03, 2.08), along, 0.015, 0, looks.material(rng, "plain"))
    wall.put((long, 0.02, 0.1), 0, 0.01, 0, wood)


def _scatter(rng: random.Random, things: Catalogue, at: Triple, size: Triple, count: int) -> None:
    """Small things within the rectangle ``size`` around ``at``."""
    small = things.find(LYING, 0.04, 0.45)
    for _ in range(count):
        entry = pick(rng, small)
        x, y = at[0] + rng.uniform(-0.4, 0.4) * size[0], at[1] + rng.uniform(-0.4, 0.4) * size[1]
        things.place(entry, (x, y, at[2]), rng.uniform(0, 6.28))


def corridor(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """A long, narrow, emptier room."""
    return room(rng, things, photos, narrow=True)
