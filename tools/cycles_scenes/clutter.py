# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies, stands and hangs about: marks on the ground, thin things, and litter."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import looks  # type: ignore[import-not-found]
from catalogue import Catalogue, pick  # type: ignore[import-not-found]
from solids import Triple, box, cylinder, rod  # type: ignore[import-not-found]

LITTER = "box|bottle|newspaper|bag|shoe|sneakers|slippers|book|toy|towel|can|ball|handbag|cone|broom|shovel"
UPRIGHT = "cone|dustbin|trashcan|hydrant|bench|barrel|crate|pallet|step ladder|mailbox|wheelbarrow|recycling"


def marks(rng: random.Random, low: tuple[float, float], high: tuple[float, float], z: float) -> None:
    """Patches, stains, cracks and manholes: flat things of other colours between ``low`` and ``high``.

    Args:
        rng: Where chance comes from.
        low: Least x and y in metres.
        high: Greatest x and y.
        z: Height of the ground.
    """
    place = lambda: (rng.uniform(low[0], high[0]), rng.uniform(low[1], high[1]))  # noqa: E731
    for _ in range(rng.randint(0, 7)):  # mended asphalt, mats, puddles
        look = looks.material(
            rng, rng.choice(("speckled", "stone", "plain")), looks.colour(rng, 0.9, 0.02, 0.4)
        )
        if rng.random() < 0.25:
            looks.polish(look)
        x, y = place()
        box((rng.uniform(0.3, 4), rng.uniform(0.3, 4), 0.003), (x, y, z), look, rng.uniform(0, 3.14))
    iron = looks.material(rng, "cells", (0.06, 0.06, 0.06), 0.1)
    for _ in range(rng.choice((0, 0, 1, 3))):
        cylinder(0.3, 0.004, (*place(), z), iron)
    dark = looks.material(rng, "plain", (0.03, 0.03, 0.03))
    for _ in range(rng.choice((0, 1, 4))):  # a crack wanders
        x, y = place()
        heading = rng.uniform(0, 6.28)
        for _ in range(rng.randint(4, 12)):
            heading += rng.gauss(0, 0.5)
            step = rng.uniform(0.2, 0.6)
            box((step, rng.uniform(0.01, 0.04), 0.0035), (x, y, z), dark, heading)
            x, y = x + step * math.cos(heading), y + step * math.sin(heading)


def litter(
    rng: random.Random, things: Catalogue, count: int, spread: tuple[Triple, Triple], words: str = LITTER
) -> None:
    """Small things on the ground.

    Args:
        rng: Where chance comes from.
        things: The catalogue.
        count: How many.
        spread: Two corners of the ground, in metres.
        words: Which entries of the catalogue.
    """
    (x0, y0, z), (x1, y1, _) = spread
    entries = things.find(words, 0.1, 1.6)
    for _ in range(count):
        at = (rng.uniform(x0, x1), rng.uniform(y0, y1), z)
        things.place(pick(rng, entries), at, rng.uniform(0, 6.28))


def wires(rng: random.Random, x: float, y: float, step: float, height: float, count: int = 5) -> None:
    """Poles along y with sagging wires between them.

    Args:
        rng: Where chance comes from.
        x: Where the row stands, in metres.
        y: Where it begins.
        step: From pole to pole.
        height: Of the poles.
        count: How many poles.
    """
    look = looks.material(rng, rng.choice(("wood", "speckled", "plain")), looks.colour(rng, 0.8, 0.05, 0.4))
    wire = looks.material(rng, "plain", (0.02, 0.02, 0.02))
    arms = [rng.uniform(-0.8, 0.8) for _ in range(rng.randint(2, 4))]
    for k in range(count):
        cylinder(0.11, height, (x, y + k * step, 0), look, 0.08)
        box((1.8, 0.1, 0.1), (x, y + k * step, height - 0.5), look)
        if k:
            for arm in arms:
                sagging(
                    wire, (x + arm, y + (k - 1) * step, height - 0.4), (x + arm, y + k * step, height - 0.4)
                )


def sagging(look: Any, start: Triple, end: Triple, thick: float = 0.012, sag: float = 0.03) -> None:
    """A wire that hangs between two points.

    Args:
        look: Its material.
        start: Where it begins, in metres.
        end: Where it ends.
        thick: Its radius.
        sag: How far its middle hangs down, as a share of its length.
    """
    length = math.dist(start, end)
    points = []
    for k in range(9):
        t = k / 8
        drop = 4 * sag * length * t * (1 - t)
        points.append(
            tuple(
                a + (b - a) * t - (drop if axis == 2 else 0)
                for axis, (a, b) in enumerate(zip(start, end, strict=True))
            )
        )
    for a, b in itertools.pairwise(points):
        rod(a, b, thick, look)  # type: ignore[arg-type]


def mesh_fence(rng: random.Random, start: Triple, length: float, turn: float, height: float = 1.8) -> None:
    """Posts and a grid of thin wires, to be seen through.

    Args:
        rng: Where chance comes from.
        start: Its foot, in metres.
        length: How long.
        turn: Its direction in radians.
        height: How high.
    """
    look = looks.material(rng, "plain", looks.colour(rng, 0.9, 0.1, 0.6))
    along = lambda t, z: (start[0] + t * math.cos(turn), start[1] + t * math.sin(turn), start[2] + z)  # noqa: E731
    for k in range(int(length / 2.5) + 1):
        rod(along(2.5 * k, 0), along(2.5 * k, height), 0.03, look)
    gap = rng.choice((0.12, 0.2, 0.35))
    for k in range(int(length / gap)):
        rod(along(gap * k, 0.05), along(gap * k, height - 0.03), 0.005, look)
    for k in range(int(height / gap)):
        rod(along(0, gap * k + 0.05), along(length, gap * k + 0.05), 0.005, look)


def hanging(rng: random.Random, width: float, depth: float, height: float) -> None:
    """Cords, cables along walls and lamps on threads in a room around the origin.

    Args:
        rng: Where chance comes from.
        width: Of the room, in metres.
        depth: Of the room.
        height: Of its ceiling.
    """
    cord = looks.material(rng, "plain", looks.colour(rng, 1, 0.02, 0.8))
    shade = looks.material(rng, size=0.2)
    for _ in range(rng.choice((0, 1, 2))):
        x, y, drop = rng.uniform(-0.35, 0.35) * width, rng.uniform(-0.35, 0.35) * depth, rng.uniform(0.4, 1.1)
        rod((x, y, height), (x, y, height - drop), 0.006, cord)
        cylinder(rng.uniform(0.08, 0.25), rng.uniform(0.1, 0.3), (x, y, height - drop - 0.2), shade, 0.04)
    for _ in range(rng.choice((0, 1, 2))):
        a = (rng.uniform(-0.45, 0.45) * width, depth / 2 - 0.02, rng.uniform(0.3, height))
        b = (rng.uniform(-0.45, 0.45) * width, depth / 2 - 0.02, rng.uniform(0.05, 0.5))
        sagging(cord, a, b, 0.006, 0.2)
