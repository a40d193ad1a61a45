# SPDX-License-Identifier: GPL-3.0-or-later
"""Streets, parks, and gatherings of people, animals and things under the sky."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import bpy
import clutter  # type: ignore[import-not-found]
import looks  # type: ignore[import-not-found]
from catalogue import Catalogue, pick  # type: ignore[import-not-found]
from indoor import View  # type: ignore[import-not-found]
from solids import Triple, blob, box, cylinder, ground, instance, level, tree  # type: ignore[import-not-found]

CARS = "beetle|sedan|focus|seat leon|scenic|peugeot|car model|truck|bus|van|suv|chevrolet|smart car"
LARGE = "truck|bus|van|shipping container"
PEOPLE = "male|female|girl|boy|woman|man|child"
ANIMALS = "dog|cat|horse|deer|chicken|bulldog|siamese"
BESIDE = "bench|trashcan|hydrant|lamppost|street lamp|mailbox|park light|bike|scooter|motorbike|fence|railing"


def street(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """A road with lines, pavements, houses or trees on both sides, cars and people."""
    road, pave = rng.uniform(5, 14), rng.uniform(1.5, 5)
    length, wild = rng.uniform(80, 300), rng.random()
    grass = looks.material(rng, rng.choice(("speckled", "stone")), green(rng), 3.0)
    box((400, 2 * length, 0.1), (0, 0, -0.16), grass)
    box(
        (road, 2 * length, 0.1),
        (0, 0, -0.1),
        looks.material(
            rng, rng.choice(("speckled", "stone", "plain")), looks.colour(rng, 1, 0.03, 0.25), 2.0
        ),
    )
    kerb = looks.material(
        rng, rng.choice(("tiles", "plain", "speckled", "bricks")), looks.colour(rng, 0.9, 0.15, 0.5), 1.0
    )
    line = looks.material(rng, "speckled", (0.75, 0.75, 0.7))
    for x in (-road / 2 + 0.3, road / 2 - 0.3):
        box((0.12, 2 * length, 0.004), (x, 0, 0), line)
    lanes = max(1, int(road / 3.4))
    for lane in range(1, lanes):
        for k in range(int(length / 8)):
            box((0.12, 3, 0.004), (-road / 2 + road * lane / lanes, -20 + 8 * k, 0), line)
    trees = [grown_tree(rng) for _ in range(rng.randint(1, 3))]
    for side in (-1, 1):
        if wild < 0.75:
            box((pave, 2 * length, 0.12), (side * (road + pave) / 2, 0, -0.02), kerb)
        y = -15.0
        while y < length * rng.uniform(0.4, 0.9):
            wide = rng.uniform(5, 16)
            if rng.random() < (0.8 if wild < 0.5 else 0.15):
                house(rng, side * (road / 2 + pave + rng.uniform(0.2, 6)), y, side, wide)
            else:
                for _ in range(rng.randint(1, 4)):
                    at = (side * (road / 2 + pave + rng.uniform(0.5, 14)), y + rng.uniform(0, wide), -0.06)
                    instance(rng.choice(trees), at, rng.uniform(0, 6), rng.uniform(0.6, 1.3))
            y += wide + rng.choice((0, 0, 1, 3, 10))
        if rng.random() < 0.5:
            lamp = pick(rng, things.find("lamppost|street lamp|park light", 1.5, 9))
            for k in range(8):
                things.place(
                    lamp,
                    (side * (road / 2 + 0.5), -10 + 18 * k, 0.1),
                    0,
                    rng.uniform(0.95, 1.05) * max(1, 4 / lamp.size[2]),
                )
        if rng.random() < 0.25:
            for k in range(40):
                cylinder(0.05, 0.9, (side * (road / 2 + pave), -10 + 2.5 * k, 0), kerb)
            box((0.05, 100, 0.12), (side * (road / 2 + pave), 40, 0.8), kerb)
    targets: list[Triple] = [(rng.uniform(-3, 3), rng.uniform(20, 60), rng.uniform(0, 3)) for _ in range(4)]
    cars = things.find(CARS, 2.5, 9)
    for _ in range(rng.randint(0, 8)):
        x, y = road * (rng.randrange(lanes) + 0.5) / lanes - road / 2, rng.uniform(6, 70)
        if rng.random() < 0.5:
            x = rng.choice((-1, 1)) * (road / 2 - 1.1)
        things.place(pick(rng, cars), (x, y, 0), rng.choice((0, math.pi)) + rng.gauss(0, 0.03))
    for words, count in (
        (PEOPLE, rng.choice((0, 1, 2, 5))),
        (BESIDE, rng.choice((0, 2, 4))),
        (ANIMALS, rng.choice((0, 0, 1))),
    ):
        for _ in range(count):
            x = rng.choice((-1, 1)) * (road / 2 + pave * rng.uniform(0.2, 0.9))
            at = (x, rng.uniform(3, 25), 0.1)
            things.place(pick(rng, things.find(words, 0.3, 3)), at, rng.uniform(0, 6.28))
            targets.append((at[0], at[1], 1.0))
    clutter.marks(rng, (-road / 2, -4), (road / 2, 30), 0)
    for side in (-1, 1):
        edge = side * (road / 2 + 0.6 * pave)
        if rng.random() < 0.5:
            corners = (edge - 0.4 * pave, 0.0, 0.1), (edge + 0.4 * pave, 25.0, 0.1)
            clutter.litter(
                rng, things, rng.randint(1, 6), corners, rng.choice((clutter.UPRIGHT, clutter.LITTER))
            )
        if rng.random() < 0.3:
            clutter.wires(rng, side * (road / 2 + pave), -12, rng.uniform(15, 30), rng.uniform(6, 9))
        if rng.random() < 0.15:
            clutter.mesh_fence(rng, (side * (road / 2 + pave), -6, 0), 30, math.pi / 2)
    sky(rng)
    inside = road / 2 + (pave - 0.5 if rng.random() < 0.4 else -1)
    return View((-inside, -6, 1.0), (inside, 4, rng.choice((1.7, 1.7, 3.0))), targets, (45, 90), 0.7)


def highway(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """A wide road between rails or walls, seen from a car: large vehicles near and far."""
    lanes, lane = rng.randint(2, 5), rng.uniform(3.3, 3.8)
    road, length = lanes * lane, 400.0
    asphalt = looks.material(rng, rng.choice(("speckled", "stone")), looks.colour(rng, 1, 0.04, 0.3), 2.0)
    box((600, 2 * length, 0.1), (0, 0, -0.16), looks.material(rng, "speckled", green(rng), 3.0))
    box((road + 4, 2 * length, 0.1), (0, 0, -0.1), asphalt)
    paint = looks.material(rng, "speckled", rng.choice(((0.75, 0.75, 0.7), (0.7, 0.5, 0.1))))
    for x in (-road / 2, road / 2):
        box((0.15, 2 * length, 0.004), (x, 0, 0), paint)
    for number in range(1, lanes):
        for k in range(int(length / 12)):
            box((0.15, 4, 0.004), (-road / 2 + number * lane, -20 + 12 * k, 0), paint)
    steel = looks.material(rng, "plain", looks.colour(rng, 1, 0.2, 0.6))
    for side in (-1, 1):
        edge = side * (road / 2 + rng.uniform(1, 3))
        if rng.random() < 0.3:
            box(
                (0.3, length, rng.uniform(0.8, 4)),
                (edge, length / 2 - 20, -0.1),
                looks.material(rng, size=2.0),
            )
        elif rng.random() < 0.7:
            box((0.06, length, 0.3), (edge, length / 2 - 20, 0.45), steel)
            for k in range(60):
                cylinder(0.05, 0.7, (edge + 0.06 * side, -20 + 3 * k, 0), steel)
        trees = [grown_tree(rng) for _ in range(2)]
        for _ in range(rng.choice((0, 8, 30))):
            at = (edge + side * rng.uniform(3, 50), rng.uniform(-5, 200), -0.06)
            instance(rng.choice(trees), at, rng.uniform(0, 6), rng.uniform(0.7, 1.5))
        if rng.random() < 0.3:
            clutter.wires(rng, edge + side * 2, -10, 35, rng.uniform(8, 11), 8)
    if rng.random() < 0.35:  # a bridge or a gantry
        far = rng.uniform(25, 120)
        box(
            (road + 10, rng.choice((0.5, 8)), 1.2),
            (0, far, rng.uniform(5.2, 6.5)),
            looks.material(rng, size=2.0),
        )
        for side in (-1, 1):
            cylinder(0.4, 6, (side * (road / 2 + 3), far, 0), steel)
    clutter.marks(rng, (-road / 2, -2), (road / 2, 40), 0)
    targets: list[Triple] = [(rng.uniform(-2, 2), 60, 1.0), (rng.uniform(-2, 2), 40, 1.2)]
    taken = {rng.randrange(lanes): [0.0]}
    for _ in range(rng.randint(2, 14)):
        number, y = rng.randrange(lanes), 5 + 90 * rng.random() ** 1.5
        large = rng.random() < 0.4
        if any(abs(y - other) < 9 for other in taken.setdefault(number, [])):
            continue
        taken[number].append(y)
        x = -road / 2 + (number + 0.5) * lane + rng.gauss(0, 0.15)
        if large and rng.random() < 0.6:
            _lorry(rng, x, y)
        else:
            cars = things.find(LARGE if large else CARS, 2.5, 14)
            things.place(pick(rng, cars), (x, y, 0), rng.choice((0, math.pi)) + rng.gauss(0, 0.02))
    sky(rng)
    return View((-road / 2 + 1, -3, 1.0), (road / 2 - 1, 1, 2.2), targets, (40, 75), 0.8)


def _lorry(rng: random.Random, x: float, y: float) -> None:
    """A lorry seen from behind or before: a box on wheels with a cabin."""
    long, high = rng.uniform(5, 13), rng.uniform(2.2, 2.9)
    body = looks.material(
        rng, rng.choice(("plain", "plain", "stripes", "cells")), looks.colour(rng, 0.6, 0.1)
    )
    cabin, rubber = looks.material(rng, "plain"), looks.material(rng, "plain", (0.02, 0.02, 0.02))
    dark = looks.material(rng, "plain", (0.05, 0.06, 0.08))
    box((2.5, long, high), (x, y + long / 2, 1.1), body, bevel=0.03)
    box((2.4, long, 0.35), (x, y + long / 2, 0.75), dark)
    box((2.4, 2.0, 2.6), (x, y + long + 1.1, 0.6), cabin, bevel=0.08)
    box((2.1, 0.05, 0.9), (x, y + long + 2.1, 2.0), dark)
    for side in (-1, 1):
        box((0.3, 0.06, 0.25), (x + side * 0.95, y - 0.02, 0.85), looks.glow(1.0, (0.8, 0.05, 0.03)))
        for along in (0.12, 0.28, 0.95):
            for k in range(8):  # a wheel of slabs
                turn = k * math.pi / 8
                wide, tall = 0.95 * math.cos(turn) + 0.05, 0.95 * math.sin(turn) + 0.05
                box(
                    (0.3, abs(wide), abs(tall)),
                    (x + side * 1.08, y + along * long, 0.5 - abs(tall) / 2),
                    rubber,
                )


def park(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """Hills, paths, trees, bushes, stones, and now and then somebody."""
    land = ground(
        rng,
        400,
        rng.choice((1, 4, 12, 40)),
        looks.material(rng, rng.choice(("stone", "speckled", "cells")), green(rng), rng.uniform(0.3, 3)),
    )
    bpy.context.view_layer.update()
    at = lambda x, y: (x, y, level(land, x, y))  # noqa: E731
    trees = [grown_tree(rng) for _ in range(rng.randint(1, 3))]
    for _ in range(rng.choice((2, 10, 40))):
        radius, angle = rng.uniform(4, 90), rng.uniform(0, 6.28)
        instance(
            rng.choice(trees),
            at(radius * math.cos(angle), radius * math.sin(angle)),
            rng.uniform(0, 6),
            rng.uniform(0.6, 1.4),
        )
    if rng.random() < 0.7:
        blade = tuft(rng)
        for _ in range(rng.choice((50, 150))):
            radius, angle = 1 + 20 * rng.random() ** 2, rng.uniform(0, 6.28)
            instance(
                blade,
                at(radius * math.cos(angle), radius * math.sin(angle)),
                rng.uniform(0, 6),
                rng.uniform(0.5, 1.5),
            )
    stone = looks.material(rng, "stone", looks.colour(rng, 0.9, 0.1, 0.5))
    leaf = looks.material(rng, "cells", green(rng), 0.2)
    for _ in range(rng.randint(0, 12)):
        radius, angle = rng.uniform(3, 35), rng.uniform(0, 6.28)
        look, size = rng.choice(((stone, rng.uniform(0.1, 1.5)), (leaf, rng.uniform(0.3, 1.5))))
        blob(
            rng, size, at(radius * math.cos(angle), radius * math.sin(angle)), look, 0.5, rng.uniform(0.5, 1)
        )
    targets: list[Triple] = []
    words = rng.choice(
        (PEOPLE, ANIMALS, BESIDE, f"{PEOPLE}|{ANIMALS}|{BESIDE}|chair|table|plant|tractor|swing|seesaw")
    )
    for _ in range(rng.choice((1, 2, 4, 8))):
        where = at(rng.gauss(0, 5), rng.gauss(3, 5))
        entry = pick(rng, things.find(words, 0.25, 4))
        things.place(entry, where, rng.uniform(0, 6.28))
        targets.append((where[0], where[1], where[2] + entry.size[2] * 0.6))
    if rng.random() < 0.3:
        wood = looks.material(rng, "wood")
        side = rng.uniform(5, 25)
        for k in range(30):
            where = at(side, -30 + 2 * k)
            box((0.1, 0.1, 1.2), where, wood)
            box((0.04, 2, 0.12), (where[0], where[1] + 1, where[2] + 0.9), wood)
    if rng.random() < 0.25:
        clutter.mesh_fence(rng, at(rng.uniform(-12, 4), rng.uniform(3, 12)), 14, rng.gauss(0, 0.4))
    if rng.random() < 0.2:
        clutter.wires(rng, rng.choice((-1, 1)) * rng.uniform(6, 20), -20, 22, 8)
    if rng.random() < 0.35:
        house(rng, rng.uniform(12, 40), rng.uniform(-10, 10), 1, rng.uniform(6, 14))
    sky(rng)
    low = level(land, 0, -6)
    return View((-4, -9, low + 0.4), (4, -3, low + 1.9), targets, (40, 80), 0.5)


def gathering(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """Anything at all on a plane, sizes mixed up, sometimes before a wall."""
    box((60, 60, 0.1), (0, 0, -0.1), looks.material(rng, size=rng.uniform(0.3, 2), photos=photos))
    targets: list[Triple] = []
    for _ in range(rng.randint(3, 14)):
        x, y = rng.gauss(0, 1.6), rng.gauss(1, 2.0)
        kind = rng.random()
        if kind < 0.7:
            words = rng.choice((f"{PEOPLE}|{ANIMALS}", f"{PEOPLE}|{ANIMALS}", "."))
            entry = pick(rng, things.find(words, 0.3, 3) or things.entries)
            things.place(entry, (x, y, 0), rng.uniform(0, 6.28), math.exp(rng.gauss(0, 0.15)))
            targets.append((x, y, entry.size[2] * 0.6))
        elif kind < 0.85:
            blob(
                rng,
                rng.uniform(0.15, 0.7),
                (x, y, 0.2),
                looks.material(rng, size=0.4, photos=photos),
                rng.uniform(0, 0.7),
            )
        else:
            box(
                (rng.uniform(0.1, 1),) * 2 + (rng.uniform(0.1, 2),),
                (x, y, 0),
                looks.material(rng, size=0.5, photos=photos),
                rng.uniform(0, 3),
            )  # type: ignore[arg-type]
    if rng.random() < 0.4:
        box(
            (30, 0.2, rng.uniform(1, 5)),
            (0, rng.uniform(4, 9), 0),
            looks.material(rng, size=1.0, photos=photos),
        )
    clutter.marks(rng, (-5, -4), (5, 8), 0)
    targets.append((0, 1, 0.6))
    sky(rng)
    return View((-2.5, -5, 0.3), (2.5, -2.2, 1.9), targets, (35, 75), 0.4)


def sky(rng: random.Random) -> None:
    """Light from above, with the sun now and then."""
    looks.world(rng, looks.OPEN_AIR, rng.uniform(0.5, 1.5))
    if rng.random() < 0.6:
        looks.sun(rng, rng.uniform(1, 5))


def green(rng: random.Random) -> looks.Colour:
    """The colour of leaves, a quarter of them withered."""
    if rng.random() < 0.25:
        return (rng.uniform(0.1, 0.4), rng.uniform(0.08, 0.3), rng.uniform(0.03, 0.15))
    return (rng.uniform(0.03, 0.15), rng.uniform(0.08, 0.25), rng.uniform(0.02, 0.07))


def grown_tree(rng: random.Random, full: float = 1.0) -> Any:
    """The mesh of a tree of 4 to 14 m, with leaves ``full`` times as long."""
    bark = looks.material(rng, "stone", (0.1, 0.07, 0.05), 0.3)
    return tree(rng, rng.uniform(4, 14), bark, looks.material(rng, "speckled", green(rng), 2.0), full)


def tuft(rng: random.Random) -> Any:
    """A tuft."""
    points: list[Triple] = []
    faces = []
    for _ in range(60):
        x, y, turn = rng.gauss(0, 0.25), rng.gauss(0, 0.25), rng.uniform(0, 6.28)
        tall, lean = rng.uniform(0.06, 0.3), rng.uniform(0, 0.1)
        a, b = 0.008 * math.cos(turn), 0.008 * math.sin(turn)
        start = len(points)
        points += [(x - a, y - b, 0), (x + a, y + b, 0), (x - lean * b * 100, y + lean * a * 100, tall)]
        faces.append((start, start + 1, start + 2))
    mesh = bpy.data.meshes.new("grass")
    mesh.from_pydata(points, [], faces)
    mesh.materials.append(looks.material(rng, "plain", green(rng)))
    return mesh


def house(rng: random.Random, x: float, y: float, side: int, wide: float) -> None:
    """A house whose front is at ``x`` and starts at ``y``: windows, a door, a roof."""
    deep, storeys = rng.uniform(6, 14), rng.choice((1, 2, 2, 3, 5, 8))
    tall = storeys * 3.0
    wall = looks.material(
        rng,
        rng.choice(("bricks", "plain", "speckled", "tiles", "stone")),
        looks.colour(rng, 0.6, 0.1),
        rng.uniform(0.5, 1.5),
    )
    box((deep, wide, tall), (x + side * deep / 2, y + wide / 2, -0.1), wall)
    glass, frame = looks.material(rng, "plain", (0.03, 0.04, 0.05)), looks.material(rng, "plain")
    glass.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.1
    count, big = max(1, int(wide / rng.uniform(1.8, 3.5))), rng.uniform(0.8, 1.5)
    for storey in range(storeys):
        for k in range(count):
            at = (x, y + (k + 0.5) * wide / count, storey * 3 + 0.9)
            box((0.1, big, 1.4), at, glass)
            box((0.16, big + 0.2, 0.1), (at[0], at[1], at[2] - 0.1), frame)
    box((0.14, 1.1, 2.2), (x, y + wide * rng.uniform(0.2, 0.8), 0), frame)
    if storeys < 4 and rng.random() < 0.7:
        roof = looks.material(rng, "tiles", looks.colour(rng, 0.3, 0.05, 0.3), 0.6)
        for step in range(8):
            share = 1 - step / 8
            box(
                (deep * share + 0.6, wide + 0.5, 0.4),
                (x + side * deep / 2, y + wide / 2, tall - 0.1 + 0.4 * step),
                roof,
            )
    elif rng.random() < 0.6:
        box((deep + 0.3, wide + 0.3, 0.5), (x + side * deep / 2, y + wide / 2, tall - 0.1), frame)
