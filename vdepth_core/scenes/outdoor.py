"""Streets, parks and open country."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import figures, nature, town
from .builder import Builder, Frame
from .scene import Light
from .views import View, outdoor_light

_PAVEMENT: tuple[Callable[[Builder, Frame], None], ...] = (
    figures.person, nature.bin_, town.bench, nature.bush, figures.animal,
)  # fmt: skip
_PARK: tuple[Callable[[Builder, Frame], None], ...] = (
    nature.tree, nature.tree, nature.bush, nature.bush, nature.rock, figures.person, town.bench,
    figures.animal, nature.bin_, town.street_post, town.cart, town.stairs,
)  # fmt: skip


def ground(b: Builder, *kinds: str, tile: float | None = None, hue: np.ndarray | None = None) -> None:
    """A plane to the horizon, painted in one of ``kinds``.

    Args:
        b: The scene being built.
        *kinds: Names of textures; none: any.
        tile: Metres a repetition; None: random.
        hue: Linear RGB; None: random.
    """
    m = b.paint(*kinds, tile=tile or b.u(1, 6), hue=hue, gloss=0.02, contrast=b.u(0.3, 1))
    b.box(Frame(), (0, -0.5, 400), (900, 0.5, 900), m, casts=False)


def _far(b: Builder, distance: float = 150) -> None:
    """Hills or a skyline at the horizon."""
    for _ in range(int(b.rng.integers(0, 9))):
        angle, r = b.u(-1.2, 1.2), distance * b.u(0.8, 4)
        f = Frame(r * np.sin(angle), 0, r * np.cos(angle), b.u(0, 6.3))
        if b.coin(0.65):
            hue = np.array((b.u(0.08, 0.35), b.u(0.15, 0.4), b.u(0.05, 0.3)), np.float32)
            b.ball(
                f,
                (0, 0, 0),
                (r * b.u(0.2, 0.8), r * b.u(0.03, 0.25), r * 0.2),
                b.paint("noise", "leaves", "cells", hue=hue, tile=b.u(10, 80), gloss=0.0),
            )
        else:
            town.building(b, f, (b.u(5, 20), b.u(5, 20)), b.u(8, 60))


def street(b: Builder) -> tuple[View, Light]:
    """A road with lanes, kerbs, houses or trees, traffic, posts and people; seen from a car or a pavement.

    Args:
        b: The scene being built.
    """
    grey = np.array((0.25, 0.25, 0.26), np.float32) * b.u(0.4, 1.8)
    green = np.array((b.u(0.1, 0.35), b.u(0.2, 0.4), b.u(0.05, 0.15)), np.float32)
    ground(b, "noise", "leaves", "cells", hue=green if b.coin(0.6) else grey)
    lanes, lane = int(b.rng.integers(1, 4)), b.u(2.8, 3.7)
    half, f = lanes * lane * (0.5 if lanes == 1 else 1.0) / (1 if lanes < 3 else 1.5), Frame()
    b.box(
        f,
        (0, -0.05, 300),
        (half, 0.06, 600),
        b.paint("noise", "cells", hue=grey, tile=b.u(1, 5), contrast=0.3, gloss=0.05),
        casts=False,
    )
    white = b.paint("noise", hue=np.array((0.8, 0.8, 0.75), np.float32), contrast=0.3)
    for x in (-half * 0.96, half * 0.96):
        b.box(f, (x, 0.01, 300), (0.07, 0.003, 600), white, casts=False)
    if lanes > 1:
        for x in np.linspace(-half, half, lanes + 1)[1:-1]:
            for k in range(16):
                b.box(f, (x, 0.01, 3 + 9 * k), (0.07, 0.003, 1.7), white, casts=False)
    walk, offset = b.u(1, 4), b.u(0, 6) * b.coin(0.7)
    if b.coin(0.65):
        paving = b.paint("tiles", "brick", "noise", hue=grey * 1.4, tile=b.u(0.8, 3), contrast=0.5)
        for x in (-1, 1):
            b.box(f, (x * (half + walk), 0.0, 300), (walk, 0.13, 600), paving, casts=False)
    kind = b.rng.uniform()
    for side in (-1, 1):
        z, built = b.u(-6, 4), b.u(0.1, 1.0) if kind < 0.65 else b.u(0, 0.15)
        while z < 160:
            depth = b.u(3, 9)
            x = side * (half + 2 * walk + offset + b.u(0, 2))
            if b.coin(built):
                town.building(
                    b,
                    Frame(x + side * depth, 0, z + depth, side * np.pi / 2),
                    (b.u(4, 11), depth),
                    b.u(3, 18),
                )
                z += b.u(9, 24)
            else:
                for _ in range(int(b.rng.integers(1, 4))):
                    f2 = Frame(x + side * b.u(0, 9), 0, z + b.u(0, 8), b.u(0, 6.3))
                    (nature.tree if b.coin(0.65) else nature.bush)(b, f2)
                z += b.u(3, 12)
        z, parked = b.u(2, 9), b.u(0, 1)
        while z < 90 and b.coin(0.9):
            if b.coin(parked * 0.7):
                town.car(
                    b,
                    Frame(
                        side * (half - 0.9 + b.u(0, 0.3)), 0, z + 4, np.pi * b.coin(0.3) + b.u(-0.05, 0.05)
                    ),
                )
            elif b.coin(0.35):
                f2 = Frame(side * (half + b.u(0.3, 0.8)), 0.1, z, b.u(-0.2, 0.2) - side * np.pi / 2)
                (town.street_post if b.coin(0.7) else nature.tree)(b, f2)
            elif b.coin(0.3):
                f2 = Frame(side * (half + walk * b.u(0.6, 1.5)), 0.13, z, b.u(0, 6.3))
                b.pick(_PAVEMENT)(b, f2)
            z += b.u(5, 11)
        if b.coin(0.25):
            town.fence(b, Frame(side * (half + 0.5), 0, 20, np.pi / 2), 40)
    for _ in range(int(b.rng.integers(0, 7))):
        place = Frame(b.u(-0.8, 0.8) * half, 0, b.u(7, 80), np.pi * b.coin(0.4))
        town.car(b, place, fastest=0.6)
    for _ in range(int(b.rng.integers(0, 4)) * b.coin(0.4)):
        figures.person(b, Frame(b.u(-1.3, 1.3) * half, 0, b.u(3, 25), b.u(0, 6.3)))
    _far(b)
    if b.coin(0.6):
        eye = (b.u(-0.7, 0.7) * half, b.u(1.1, 2.2), 0.0)
        target = (eye[0] + b.u(-3, 3), b.u(0.2, 2.5), 25.0)
    else:
        eye = (b.pick((-1, 1)) * (half + b.u(0.3, 1.5)), b.u(1.3, 1.9), 0.0)
        target = (b.u(-1.5, 1.5) * half, b.u(0.5, 2), b.u(5, 25))
    return View(eye, target, 5, (40, 90), 0.3, (0, 2, 14), 18.0, True), outdoor_light(b)


def park(b: Builder) -> tuple[View, Light]:
    """A garden, park, forest or yard: trees, shrubs, rocks, people, animals, a path, perhaps a wall.

    Args:
        b: The scene being built.
    """
    green = np.array((b.u(0.08, 0.4), b.u(0.18, 0.42), b.u(0.03, 0.15)), np.float32)
    ground(
        b,
        "leaves",
        "noise",
        "cells",
        hue=green if b.coin(0.75) else b.colour((0.3, 0.7), 0.3),
        tile=b.u(0.6, 3),
    )
    path = b.paint(
        "noise", "tiles", "brick", "cells", hue=b.colour((0.35, 0.75), 0.2), tile=b.u(0.5, 2), contrast=0.5
    )
    if b.coin(0.6):
        b.box(
            Frame(b.u(-3, 3), 0, 0, b.u(-0.4, 0.4)), (0, 0, 30), (b.u(0.6, 2.5), 0.015, 80), path, casts=False
        )
    for _ in range(int(b.rng.integers(0, 5))):
        angle, r = b.u(-1.2, 1.2), b.u(10, 60)
        b.ball(
            Frame(r * np.sin(angle), 0, r * np.cos(angle)),
            (0, -0.3, 0),
            (b.u(5, 20), b.u(0.6, 4), b.u(5, 20)),
            b.paint("leaves", "noise", hue=green, tile=b.u(1, 4), gloss=0.0),
        )
    if b.coin(0.4):
        side = b.pick((-1, 1))
        town.building(
            b,
            Frame(side * b.u(4, 9), 0, b.u(6, 14), side * np.pi / 2 + b.u(-0.2, 0.2)),
            (b.u(6, 16), 2.5),
            b.u(2.5, 8),
        )
    density = int(np.exp(b.u(np.log(6), np.log(45))))
    for _ in range(density):
        angle, r = b.u(-1.0, 1.0), 1.8 + 40 * b.u(0, 1) ** 1.6
        f = Frame(r * np.sin(angle), 0, r * np.cos(angle), b.u(0, 6.3))
        make = b.pick(_PARK)
        if make is nature.tree and r < 4:
            make = nature.bush
        if make in (town.cart, town.stairs, town.bench) and b.coin(0.6):
            make = nature.bush
        make(b, f)
    if b.coin(0.3):
        town.fence(b, Frame(b.u(-4, 4), 0, b.u(4, 15), b.u(-0.5, 0.5)), b.u(5, 20))
    for _ in range(int(b.rng.integers(0, 4)) * b.coin(0.4)):
        town.car(b, Frame(b.u(-15, 15), 0, b.u(10, 40), b.u(0, 6.3)), fastest=0.3 * b.dice.coin())
    _far(b, 90)
    low = b.coin(0.2)
    eye = (0, b.u(0.3, 0.8) if low else b.u(1.2, 1.9), 0)
    target = (b.u(-3, 3), b.u(0, 1.7), b.u(4, 12))
    return View(eye, target, 6, (40, 95), 0.05, (0, 1, 8), 12.0, True), outdoor_light(b)


def landscape(b: Builder) -> tuple[View, Light]:
    """Open country from high up or the ground: fields, hills, houses, woods; also roofs of a town.

    Args:
        b: The scene being built.
    """
    hue = np.array((b.u(0.15, 0.5), b.u(0.2, 0.45), b.u(0.05, 0.25)), np.float32)
    ground(b, "noise", "patches", "cells", hue=hue, tile=b.u(10, 60))
    height = float(np.exp(b.u(np.log(1.5), np.log(60))))
    for _ in range(int(b.rng.integers(5, 40))):
        angle, r = b.u(-1.0, 1.0), height * 1.5 + 15 + 250 * b.u(0, 1) ** 2
        f = Frame(r * np.sin(angle), 0, r * np.cos(angle), b.u(0, 6.3))
        choice = b.rng.uniform()
        if choice < 0.4:
            town.building(b, f, (b.u(4, 14), b.u(4, 12)), b.u(4, 20))
        elif choice < 0.75:
            nature.tree(b, f)
        else:
            b.ball(
                f,
                (0, 0, 0),
                (b.u(10, 60), b.u(2, 25), b.u(10, 60)),
                b.paint("noise", "leaves", hue=hue, tile=b.u(5, 30), gloss=0.0),
            )
    _far(b, 300)
    target = (b.u(-10, 10), -height * b.u(0, 0.6), 60)
    return View(
        (0, height, 0), (target[0], height + target[1], target[2]), 5, (35, 85), 0.5, (0, 2, 50), 60.0, True
    ), outdoor_light(b)
