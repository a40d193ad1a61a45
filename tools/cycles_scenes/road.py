# SPDX-License-Identifier: GPL-3.0-or-later
"""Roads as they are seen from a car: through woods, fields and suburbs, bending and climbing."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import Any

import clutter  # type: ignore[import-not-found]
import looks  # type: ignore[import-not-found]
from catalogue import Catalogue, pick  # type: ignore[import-not-found]
from indoor import View  # type: ignore[import-not-found]
from outdoor import BESIDE, CARS, LARGE, PEOPLE, green, grown_tree, house, sky, tuft  # type: ignore[import-not-found]
from solids import Triple, blob, box, cylinder, instance, sheet  # type: ignore[import-not-found]

BEHIND, END = -25.0, 600.0  # metres; where the land begins and ends
FURROW = (0.0, -0.25, -0.1, 0.5, 1.0, 1.3)  # how a bank rises, as shares; first a ditch
REACH = (0.0, 1.2, 3.0, 12.0, 45.0, 300.0)  # how far from the road's edge, in metres
PAINT = ((0.75, 0.75, 0.7), (0.75, 0.75, 0.7), (0.75, 0.5, 0.08))


class Way:
    """The middle of a road: straight, bent to a side, level, up or down a hill."""

    def __init__(self, rng: random.Random) -> None:
        """A random one, which leaves the camera straight and level."""
        self.bend = rng.choice((0, 0, 1, -1)) / rng.uniform(250, 1500)
        self.climb = rng.choice((0, 0, 1, -1)) * rng.uniform(1.5, 14)
        self.period = rng.uniform(120, 400)

    def at(self, u: float, y: float, lift: float = 0.0) -> Triple:
        """The point ``u`` metres right of the middle, after ``y`` metres, ``lift`` above the road."""
        on = min(max(y, 0.0), 150.0)
        x = self.bend * (on * on / 2 + on * max(y - 150, 0.0))
        turn = math.pi * min(max(y, 0.0), self.period) / self.period
        return (x + u, y, self.climb * (1 - math.cos(turn)) / 2 + lift)

    def heading(self, y: float) -> float:
        """Radians a car is turned by there."""
        return -math.atan(self.bend * min(max(y, 0.0), 150.0))

    def ribbon(self, section: list[tuple[float, float]], look: Any, start: float, end: float) -> None:
        """A strip along the way: the line ``section`` of points (u, lift) drawn from ``start`` to ``end``."""
        stops = [start]
        while stops[-1] < end:
            stops.append(min(end, stops[-1] + max(1.5, 0.04 * stops[-1])))
        sheet([[self.at(u, y, lift) for u, lift in section] for y in stops], look)


def road(rng: random.Random, things: Catalogue, photos: list[Path]) -> View:
    """A road of one to four lanes between trees, fields, fences or houses, seen from a car or its edge."""
    way, lane = Way(rng), rng.uniform(2.7, 3.7)
    lanes = rng.choice((1, 2, 2, 2, 3, 4))
    half = lanes * lane / 2 + rng.uniform(0, 1.2)
    asphalt = looks.material(
        rng, rng.choice(("speckled", "speckled", "stone", "plain")), looks.colour(rng, 1, 0.03, 0.3), 2.0
    )
    way.ribbon([(-half, 0), (half, 0)], asphalt, BEHIND, END)
    _lines(rng, way, half, lane, lanes)
    targets: list[Triple] = [way.at(rng.uniform(-2, 2), rng.uniform(20, 90), 1.0) for _ in range(3)]
    woods = [grown_tree(rng, rng.choice((1, 1.8, 2.6))) for _ in range(rng.randint(1, 3))]
    for side in (-1, 1):
        rise = rng.choice((0, 0, rng.uniform(-2, 6)))
        edge = half + (_pavement(rng, way, side, half) if rng.random() < 0.35 else rng.uniform(0, 2.5))
        _land(rng, way, side, edge, rise)
        _growth(rng, way, side, edge, rise, woods)
        _built(rng, things, way, side, edge, rise)
        if rng.random() < 0.4:
            targets.append(way.at(side * (edge + 4), rng.uniform(15, 40), 1.0))
    cars = things.find(CARS, 2.5, 9) + things.find(LARGE, 2.5, 14)
    for _ in range(rng.choice((0, 0, 1, 2, 4, 7))):
        number, y = rng.randrange(lanes), 7 + 110 * rng.random() ** 1.3
        turn = rng.choice((0, math.pi)) + way.heading(y) + rng.gauss(0, 0.02)
        things.place(pick(rng, cars), way.at((number + 0.5) * lane - lanes * lane / 2, y), turn)
    if not way.climb:
        clutter.marks(rng, (-half, -4), (half, 15), 0.002)
    sky(rng)
    if rng.random() < 0.8:
        own = lane * (rng.randrange(lanes) + 0.5) - lanes * lane / 2
        tall = rng.choice((1.2, 1.4, 1.6, 2.4))
        return View((own - 0.5, -6, tall - 0.15), (own + 0.5, 1, tall + 0.15), targets, (40, 90), 0.8)
    beside = rng.choice((-1, 1)) * (half + 0.4)
    return View((beside - 0.4, -4, 1.3), (beside + 0.4, 2, 1.8), targets, (45, 80), 0.6)


def _lines(rng: random.Random, way: Way, half: float, lane: float, lanes: int) -> None:
    """Painted lines: none, at the edges, dashed between lanes, double in the middle."""
    if rng.random() < 0.15:
        return
    white = looks.material(rng, "speckled", PAINT[0])
    middle = looks.material(rng, "speckled", rng.choice(PAINT))
    line = lambda u, look, start, end: way.ribbon([(u - 0.07, 0.004), (u + 0.07, 0.004)], look, start, end)  # noqa: E731
    if rng.random() < 0.75:
        for u in (-half + 0.2, half - 0.2):
            line(u, white, BEHIND, END)
    for number in range(1, lanes):
        u = number * lane - lanes * lane / 2
        if 2 * number == lanes and rng.random() < 0.5:
            for offset in (-0.12, 0.12) if rng.random() < 0.6 else (0.0,):
                line(u + offset, middle, BEHIND, END)
        else:
            gap = rng.uniform(6, 12)
            for k in range(int(160 / gap)):
                line(u, middle, -10 + k * gap, -10 + (k + 0.35) * gap)


def _pavement(rng: random.Random, way: Way, side: int, half: float) -> float:
    """A kerb and a pavement; returns how wide they are."""
    wide = rng.uniform(1.2, 4)
    look = looks.material(rng, rng.choice(("tiles", "plain", "speckled")), looks.colour(rng, 0.9, 0.2, 0.5))
    section = [(half, 0.0), (half, 0.12), (half + wide, 0.12), (half + wide, -0.3)]
    way.ribbon([(side * u, lift) for u, lift in section], look, BEHIND, 200)
    return wide


def _bank(edge: float, rise: float, u: float) -> float:
    """Height of the land ``u`` metres from the road's middle."""
    away = max(u - edge, 0.0)
    stops = list(zip(REACH, FURROW, strict=True))
    for (near, low), (far, high) in itertools.pairwise(stops):
        if away <= far:
            share = low + (high - low) * (away - near) / (far - near)
            return share * (rise if share > 0 else 1.0) - 0.03
    return FURROW[-1] * rise - 0.03


def _land(rng: random.Random, way: Way, side: int, edge: float, rise: float) -> None:
    """Grass, earth or a field beside the road, with a ditch, rising or falling."""
    kind = rng.choice(("speckled", "stone", "cells", "stone"))
    look = looks.material(rng, kind, green(rng), rng.uniform(0.5, 3))
    field = looks.material(rng, rng.choice(("stone", "stripes", "speckled")), green(rng), rng.uniform(1, 4))
    for reaches, cover in ((REACH[:4], look), (REACH[3:], rng.choice((look, field)))):
        section = [(side * (edge + u), _bank(edge, rise, edge + u)) for u in reaches]
        way.ribbon(section, cover, BEHIND, END)
    shoulder = looks.material(rng, "stone", looks.colour(rng, 0.9, 0.1, 0.4), 0.5)
    way.ribbon([(side * (edge - 2.6), -0.04), (side * (edge + 0.3), -0.02)], shoulder, BEHIND, END)


def _growth(rng: random.Random, way: Way, side: int, edge: float, rise: float, woods: list[Any]) -> None:
    """Trees in a row, as woods or scattered, a hedge, bushes and high grass."""

    def stand(mesh: Any, u: float, y: float, scale: float) -> None:
        instance(mesh, way.at(side * u, y, _bank(edge, rise, u) - 0.05), rng.uniform(0, 6.28), scale)

    kind = rng.random()
    if kind < 0.3:  # a row, whose crowns may close above the road
        gap, u, size = rng.uniform(5, 14), edge + rng.uniform(1.5, 5), rng.uniform(0.8, 1.9)
        for k in range(int(180 / gap)):
            if rng.random() < 0.9:
                stand(rng.choice(woods), u + rng.gauss(0, 0.3), -12 + k * gap, size * rng.uniform(0.8, 1.2))
    elif kind < 0.65:  # woods
        near = edge + rng.uniform(2, 12)
        for _ in range(rng.choice((40, 90, 150))):
            stand(rng.choice(woods), near + 35 * rng.random() ** 1.6, rng.uniform(-10, 220),
                  rng.uniform(0.7, 1.9))  # fmt: skip
    elif kind < 0.9:
        for _ in range(rng.randint(3, 25)):
            stand(rng.choice(woods), edge + rng.uniform(3, 60), rng.uniform(0, 200), rng.uniform(0.5, 1.6))
    leaf = looks.material(rng, rng.choice(("cells", "speckled", "stone")), green(rng), 0.3)
    if rng.random() < 0.25:  # a hedge
        u, size, y = edge + rng.uniform(1, 5), rng.uniform(0.5, 1.1), rng.uniform(-6, 20)
        for _ in range(rng.randint(8, 25)):
            blob(rng, size, way.at(side * u, y, _bank(edge, rise, u) + 0.5 * size), leaf, 0.4, 0.9)
            y += 1.3 * size
    for _ in range(rng.choice((0, 3, 12))):
        u, size = edge + 1 + 20 * rng.random() ** 2, rng.uniform(0.3, 1.4)
        blob(rng, size, way.at(side * u, rng.uniform(2, 70), _bank(edge, rise, u)), leaf, 0.6, 0.8)
    if rng.random() < 0.5:
        blade = tuft(rng)
        for _ in range(80):
            stand(blade, edge + 0.3 + 5 * rng.random() ** 2, 40 * rng.random(), rng.uniform(0.7, 2.5))


def _built(rng: random.Random, things: Catalogue, way: Way, side: int, edge: float, rise: float) -> None:
    """What people put beside a road: rails, walls, fences, poles, signs, houses, parked cars."""
    kind = rng.random()
    look = looks.material(rng, rng.choice(("plain", "wood", "speckled")), looks.colour(rng, 0.8, 0.1, 0.7))
    if kind < 0.15:
        u = side * (edge + 0.4)
        way.ribbon([(u, 0.45), (u + 0.04, 0.6), (u, 0.75)], look, rng.uniform(-10, 25), 150)
        for k in range(35):
            cylinder(0.06, 0.75, way.at(u + side * 0.08, -8 + 4 * k), look)
    elif kind < 0.27:
        u, tall = edge + rng.uniform(0.5, 4), rng.uniform(0.6, 3)
        base, stones = _bank(edge, rise, u), looks.material(rng, rng.choice(("bricks", "stone", "plain")))
        section = [(u, base - 0.5), (u, base + tall), (u + 0.3, base + tall), (u + 0.3, base - 0.5)]
        way.ribbon([(side * v, lift) for v, lift in section], stones, rng.uniform(-10, 10), 90)
    elif kind < 0.4:
        u, tall = edge + rng.uniform(1, 6), rng.uniform(0.8, 1.6)
        base = _bank(edge, rise, u)
        for k in range(40):
            cylinder(0.05, tall, way.at(side * u, -8 + 2.5 * k, base), look)
        for share in (0.45, 0.9):
            low, high = base + share * tall - 0.05, base + share * tall + 0.05
            way.ribbon([(side * u, low), (side * u, high)], look, -8, 90)
    if rng.random() < 0.4:
        _poles(rng, way, side * (edge + rng.uniform(0.6, 4)), look)
    for _ in range(rng.choice((0, 0, 1, 3))):
        y, tall = rng.uniform(6, 80), rng.uniform(1.6, 3)
        foot, plate = way.at(side * (edge + rng.uniform(0.3, 2)), y, -0.2), rng.uniform(0.4, 0.9)
        cylinder(0.035, tall + 0.2, foot, look)
        board = looks.material(rng, "plain", looks.colour(rng, 0.2, 0.1, 0.8))
        at = (foot[0], foot[1] - 0.05, foot[2] + tall - plate / 2)
        box((plate, 0.02, plate * rng.uniform(0.6, 1.3)), at, board, rng.gauss(0, 0.15))
    if not way.climb and rng.random() < 0.35:
        y = rng.uniform(-5, 30)
        for _ in range(rng.randint(1, 6)):
            wide = rng.uniform(7, 14)
            house(rng, way.at(side * (edge + rng.uniform(4, 18)), y + wide / 2)[0], y, side, wide)
            y += wide + rng.uniform(3, 25)
    for words, count in ((CARS, rng.choice((0, 0, 2, 5))), (f"{PEOPLE}|{BESIDE}", rng.choice((0, 0, 1, 3)))):
        for _ in range(count):
            y, entry = rng.uniform(5, 60), pick(rng, things.find(words, 0.3, 6))
            u = edge + (1.2 if words == CARS else rng.uniform(0.3, 4))
            turn = way.heading(y) + (rng.choice((0, math.pi)) if words == CARS else rng.uniform(0, 6.28))
            things.place(entry, way.at(side * u, y, max(_bank(edge, rise, u), -0.03)), turn)


def _poles(rng: random.Random, way: Way, u: float, look: Any) -> None:
    """Poles along the road, with lamps or with wires between them."""
    gap, tall, lamps = rng.uniform(18, 40), rng.uniform(5, 10), rng.random() < 0.4
    wire, first = looks.material(rng, "plain", (0.02, 0.02, 0.02)), rng.uniform(-10, 5)
    for k in range(7):
        y = first + k * gap
        cylinder(0.11, tall + 0.3, way.at(u, y, -0.3), look, 0.07)
        if lamps:
            x, _, z = way.at(u - math.copysign(0.8, u), y, tall - 0.1)
            box((1.6, 0.1, 0.08), (x, y, z), look)
            continue
        box((1.8, 0.1, 0.1), way.at(u, y, tall - 0.5), look)
        if k:
            for arm in (-0.8, 0.1, 0.8):
                start, end = way.at(u + arm, y - gap, tall - 0.4), way.at(u + arm, y, tall - 0.4)
                clutter.sagging(wire, start, end)
