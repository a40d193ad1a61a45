# SPDX-License-Identifier: GPL-3.0-or-later
"""Where people walk and film beside a wall: alleys, arcades, and paths along a building."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import clutter  # type: ignore[import-not-found]
import looks  # type: ignore[import-not-found]
from catalogue import Catalogue, pick  # type: ignore[import-not-found]
from indoor import View  # type: ignore[import-not-found]
from outdoor import ANIMALS, BESIDE, CARS, PEOPLE, green, grown_tree, house, sky, tuft  # type: ignore[import-not-found]
from solids import Triple, blob, box, cylinder, instance, rod  # type: ignore[import-not-found]

START = -9.0  # metres; a passage begins behind the camera
PLANTS = "plant|ficus|yucca|bamboo|flower"


def passage(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """A way between two walls, or along one with plants and the open on its other side."""
    wide, long = rng.uniform(2.0, 6.5), rng.uniform(12, 60)
    _floor(rng, wide, long)
    one_sided = rng.random() < 0.4
    look = _masonry(rng, photos)
    for side in (-1, 1):
        if side < 0 and one_sided:
            _open_side(rng, things, wide, long)
        else:
            _front(rng, side, wide / 2, long, look if rng.random() < 0.6 else _masonry(rng, photos), photos)
        if rng.random() < 0.45:
            _bed(rng, things, side, wide, long)
    if not one_sided and rng.random() < 0.35:  # somebody built over it
        start = rng.uniform(3, 14)
        size = (wide + 4, rng.choice((0.6, 3, long)), rng.uniform(0.3, 4))
        box(size, (0, start + size[1] / 2, rng.uniform(2.5, 4)), look)
    targets: list[Triple] = [
        (rng.uniform(-0.3, 0.3) * wide, rng.uniform(0.4, 1) * long, rng.uniform(0.8, 2)) for _ in range(3)
    ]
    targets += [(side * wide / 2, rng.uniform(2, 8), rng.uniform(0.5, 2)) for side in (-1, 1)]
    for words, count, low, high in (
        (CARS, rng.choice((0, 0, 0, 1)), 2.5, 6),
        (PEOPLE, rng.choice((0, 0, 1, 3)), 0.3, 2.2),
        (BESIDE, rng.choice((0, 1, 2)), 0.3, 3),
        (ANIMALS, rng.choice((0, 0, 0, 1)), 0.3, 2),
        (clutter.UPRIGHT, rng.choice((0, 1, 3)), 0.3, 2),
    ):
        for _ in range(count):
            entry = pick(rng, things.find(words, low, high))
            room = wide / 2 - 0.55 * min(entry.size[:2])
            if room < 0.2:
                continue
            at = (rng.choice((-1, 1)) * room * rng.uniform(0.6, 1), rng.uniform(2.5, 16), 0.0)
            turn = rng.choice((0, math.pi)) + rng.gauss(0, 0.1) if words == CARS else rng.uniform(0, 6.28)
            things.place(entry, at, turn)
            targets.append((at[0], at[1], 0.6 * entry.size[2]))
    clutter.marks(rng, (-wide / 2, -3), (wide / 2, 14), 0)
    if rng.random() < 0.5:
        corners = (-0.4 * wide, 0.0, 0.0), (0.4 * wide, 12.0, 0.0)
        clutter.litter(rng, things, rng.randint(1, 5), corners)
    _end(rng, wide, long, look)
    sky(rng)
    low, high = (-wide / 2 + 0.35, -5, 1.0), (wide / 2 - 0.35, 3, 1.8)
    return View(low, high, targets, (45, 95), 0.3)


def _masonry(rng: random.Random, photos: list[Path]) -> Any:
    """A wall's surface; most have courses, some are painted or smooth."""
    kind = rng.choice(("bricks", "bricks", "tiles", "stone", "plain", "speckled", "stripes", "wood"))
    return looks.material(rng, kind, looks.colour(rng, 0.6, 0.08), rng.uniform(0.25, 1.5), photos)


def _floor(rng: random.Random, wide: float, long: float) -> None:
    """Paving, and thin strips in it: drains, joints and painted lines, which lie flat."""
    kind = rng.choice(("tiles", "bricks", "speckled", "stone", "plain", "cells"))
    paving = looks.material(rng, kind, looks.colour(rng, 0.9, 0.05, 0.55), rng.uniform(0.2, 1.5))
    box((wide, 2 * long, 0.1), (0, 0, -0.1), paving)
    beside = looks.material(rng, rng.choice(("speckled", "stone")), green(rng), 2.0)
    box((200, 400, 0.1), (0, 0, -0.14), beside)
    for _ in range(rng.choice((0, 1, 1, 2))):
        strip = looks.material(rng, rng.choice(("plain", "cells")), looks.colour(rng, 0.7, 0.02, 0.7), 0.1)
        box((rng.uniform(0.03, 0.3), 2 * long, 0.003), (rng.uniform(-0.4, 0.4) * wide, 0, 0), strip)
    if rng.random() < 0.4:
        joint = looks.material(rng, "plain", looks.colour(rng, 1, 0.02, 0.4))
        for k in range(int(long / (step := rng.uniform(0.8, 3)))):
            box((wide, rng.uniform(0.01, 0.1), 0.003), (0, START + k * step, 0), joint)


def _front(rng: random.Random, side: int, edge: float, long: float, look: Any, photos: list[Path]) -> None:
    """A wall in bays, some of which stand out or back, with windows, doors, pipes and boxes on it."""
    tall, ledge = rng.uniform(2.4, 11), rng.choice((0.0, 0.15, 0.5, 1.0))
    pane, frame = looks.material(rng, "plain", (0.03, 0.04, 0.05)), looks.material(rng, "plain")
    looks.polish(pane)
    other, y = looks.material(rng, size=0.5, photos=photos), START
    while y < long:
        bay = rng.uniform(1.2, 6)
        back = ledge * rng.choice((0, 0, 0, 1, -0.4))
        x = side * (edge + max(back, -0.3 * edge))  # of its face
        box((3, bay, tall * rng.uniform(0.97, 1)), (x + side * 1.5, y + bay / 2, -0.1), look)
        middle, kind = y + bay / 2, rng.random()
        for storey in range(max(1, int(tall / 3))):
            if kind < 0.45:
                size = rng.uniform(0.6, 0.9 * bay), rng.uniform(0.7, 1.8)
                low = 3 * storey + rng.uniform(0.7, 1.1)
                box((0.06, *size), (x, middle, low), pane)
                box((0.2, size[0] + 0.2, 0.08), (x, middle, low - 0.08), frame)
                for end in (-1, 1):
                    box((0.12, 0.06, size[1]), (x, middle + end * size[0] / 2, low), frame)
        if kind > 0.8:
            box((rng.uniform(0.04, 0.2), 1.0, 2.1), (x, middle, 0), rng.choice((frame, other)))
        elif kind > 0.7:
            size = (rng.uniform(0.15, 0.6), rng.uniform(0.3, 1), rng.uniform(0.3, 0.8))
            box(size, (x, middle, rng.uniform(0.2, 2.2)), other, bevel=0.02)
        if rng.random() < 0.25:
            foot = (x - side * 0.08, y + 0.1, 0.0)
            rod(foot, (foot[0], foot[1], tall), rng.uniform(0.02, 0.07), frame)
        y += bay
    if rng.random() < 0.4:  # a plinth
        box((0.12, long - START, rng.uniform(0.15, 0.8)), (side * edge, (long + START) / 2, -0.05), frame)


def _bed(rng: random.Random, things: Catalogue, side: int, wide: float, long: float) -> None:
    """A kerbed bed along the wall, full of bushes, grass or twigs."""
    deep, tall = rng.uniform(0.15, 0.3) * wide, rng.choice((0.1, 0.4, 0.8)) * rng.uniform(0.8, 1.2)
    x, start = side * (wide / 2 - deep / 2), rng.uniform(-4, 5)
    length = rng.uniform(3, max(4, 0.6 * long))
    box((deep, length, tall), (x, start + length / 2, -0.02), looks.material(rng, size=0.6))
    soil = looks.material(rng, "stone", looks.colour(rng, 0.7, 0.03, 0.2), 0.3)
    box((deep - 0.12, length - 0.12, tall), (x, start + length / 2, 0.0), soil)
    leaf, wood = (looks.material(rng, kind, green(rng), 0.2) for kind in ("cells", "speckled"))
    blade, kind = tuft(rng), rng.random()
    for _ in range(int(length * rng.uniform(1, 5))):
        at = (x + rng.uniform(-0.4, 0.4) * deep, start + rng.uniform(0.05, 0.95) * length, tall)
        if kind < 0.35:
            blob(rng, rng.uniform(0.15, 0.5) * deep, at, leaf, 0.6, rng.uniform(0.6, 1.2))
        elif kind < 0.65:
            instance(blade, at, rng.uniform(0, 6), rng.uniform(1, 3))
        elif kind < 0.9:
            for _ in range(6):
                tip = tuple(a + rng.gauss(0, s) for a, s in zip(at, (0.2, 0.2, 0), strict=True))
                rod(at, (tip[0], tip[1], tall + rng.uniform(0.2, 0.8)), 0.006, wood)
        elif rng.random() < 0.3:
            things.place(pick(rng, things.find(PLANTS, 0.3, 2)), at, rng.uniform(0, 6.28))


def _open_side(rng: random.Random, things: Catalogue, wide: float, long: float) -> None:
    """What a path along a building has on its other side: trees, a fence, parked cars, houses far away."""
    trees = [grown_tree(rng) for _ in range(2)]
    for _ in range(rng.choice((2, 6, 15))):
        at = (-wide / 2 - rng.uniform(0.5, 25), rng.uniform(0, 1.5 * long), -0.04)
        instance(rng.choice(trees), at, rng.uniform(0, 6), rng.uniform(0.4, 1.2))
    if rng.random() < 0.4:
        clutter.mesh_fence(rng, (-wide / 2 - 0.1, -5, 0), 25, math.pi / 2, rng.uniform(0.9, 2))
    if rng.random() < 0.5:
        row, gap = -wide / 2 - rng.uniform(4, 14), rng.uniform(2.6, 6)
        for k in range(rng.randint(2, 7)):
            entry = pick(rng, things.find(CARS, 2.5, 6))
            things.place(entry, (row, 2 + gap * k, -0.04), rng.choice((0, math.pi / 2)) + rng.gauss(0, 0.05))
    if rng.random() < 0.5:
        for k in range(3):
            house(rng, -wide / 2 - rng.uniform(15, 40), -5 + 16 * k, -1, rng.uniform(8, 14))


def _end(rng: random.Random, wide: float, long: float, look: Any) -> None:
    """A wall, a house across, a tree, or nothing but sky."""
    kind = rng.random()
    if kind < 0.3:
        box((wide + 6, 0.3, rng.uniform(2, 8)), (0, long, -0.1), look)
    elif kind < 0.6:
        front = rng.uniform(8, 14)
        box((front, 8, rng.uniform(4, 14)), (0, long + rng.uniform(6, 20), -0.1), looks.material(rng))
    elif kind < 0.8:
        instance(grown_tree(rng), (rng.uniform(-2, 2), long + 4, 0), rng.uniform(0, 6), 1.0)
        cylinder(0.06, rng.uniform(2.5, 6), (0.4 * wide, long, 0), looks.material(rng, "plain"))
