"""Rooms, corridors, and shelves or table tops seen from near."""

from __future__ import annotations

import numpy as np

from . import figures, furniture
from .builder import Builder, Frame
from .scene import Light
from .views import View, indoor_light


def walls(b: Builder, w: float, h: float, d: float) -> None:
    """Floor, ceiling and four walls around [−w, w] x [0, h] x [0, 2d], with doors, windows, pictures.

    Args:
        b: The scene being built.
        w, h, d: Half its width, its height and half its depth, in metres.
    """
    f, t = Frame(), 0.1
    wall = b.paint(
        "noise",
        "noise",
        "noise",
        "brick",
        "stripes",
        "tiles",
        value=(0.45, 0.98),
        vivid=0.3,
        contrast=0.15,
        gloss=0.02,
        overlay=0.1,
    )
    floor = b.paint("wood", "tiles", "noise", "checker", "cells", tile=b.u(0.6, 2.5), gloss=b.u(0, 0.4))
    ceiling = b.paint("noise", "tiles", value=(0.6, 1), vivid=0.2, contrast=0.15, gloss=0.0, tile=1.5)
    b.box(f, (0, -t, d), (w + t, t, d + t), floor, casts=False)
    b.box(f, (0, h + t, d), (w + t, t, d + t), ceiling, casts=False)
    for sign in (-1, 1):
        other = b.paint("noise", value=(0.3, 0.95), vivid=0.5, contrast=0.15) if b.coin(0.15) else wall
        b.box(f, (sign * (w + t), h / 2, d), (t, h / 2, d + t), other, casts=False)
    for z in (-t, 2 * d + t):
        b.box(f, (0, h / 2, z), (w + t, h / 2, t), wall, casts=False)
    trim = b.paint("noise", "wood", contrast=0.15)
    sides = (
        Frame(0, 0, 2 * d, 0),
        Frame(-w, 0, d, -np.pi / 2),
        Frame(w, 0, d, np.pi / 2),
        Frame(0, 0, 0, np.pi),
    )
    for side, length in zip(sides, (w, d, d, w), strict=True):
        b.box(side, (0, 0.05, -0.01), (length, 0.05, 0.012), trim, casts=False)
        for _ in range(int(b.rng.integers(0, 2 + int(length)))):
            x = b.u(-0.85, 0.85) * length
            match int(b.rng.integers(6)):
                case 0:
                    door = b.u(0.38, 0.5)
                    b.box(side, (x, 1.02, -0.01), (door + 0.07, 1.05, 0.03), trim, casts=False)
                    b.box(
                        side,
                        (x, 1.0, -0.02),
                        (door, 1.0, 0.04),
                        b.paint("wood", "noise", contrast=0.3),
                        casts=False,
                    )
                    b.ball(side, (x + door * 0.8, 1.0, -0.09), (0.03, 0.03, 0.03), b.paint("noise"))
                case 1 | 2:
                    half, tall = b.u(0.4, 1.0), b.u(0.4, 0.7)
                    b.box(side, (x, 1.5, -0.01), (half + 0.06, tall + 0.06, 0.03), trim, casts=False)
                    b.box(
                        side,
                        (x, 1.5, -0.015),
                        (half, tall, 0.03),
                        b.paint("noise", "facade", "patches", value=(0.6, 1), tile=2.5, glow=b.u(0.5, 3)),
                        casts=False,
                    )
                    b.box(side, (x, 1.5, -0.03), (0.02, tall, 0.03), trim, casts=False)
                    if b.coin(0.4):
                        for s in (-1, 1):
                            b.box(
                                side,
                                (x + s * half, 1.45, -0.1),
                                (0.18, tall + 0.25, 0.04),
                                b.paint("stripes", "noise", tile=0.5),
                            )
                case 3 | 4:
                    half = b.u(0.15, 0.6)
                    b.box(
                        side,
                        (x, b.u(1.3, 1.7), -0.015),
                        (half, half * b.u(0.6, 1.5), 0.015),
                        b.paint("patches", "text", "noise", "facade", vivid=0.9, tile=half * 2),
                        casts=False,
                    )
                case _:
                    b.box(side, (x, h / 2, -0.1), (b.u(0.1, 0.4), h / 2, 0.15), wall, casts=False)


def room(b: Builder) -> tuple[View, Light]:
    """A furnished room.

    Args:
        b: The scene being built.
    """
    w, d, h = b.u(1.5, 4.0), b.u(1.6, 4.5), b.u(2.3, 3.3)
    walls(b, w, h, d)
    eye = (b.u(-0.7, 0.7) * w, b.u(0.7, 1.75), b.u(0.1, 0.7))
    around = [Frame(x * w, 0, 0, 0) for x in (-1, 1)]
    for base, yaw, length in (
        (around[0], -np.pi / 2, d),
        (around[1], np.pi / 2, d),
        (Frame(0, 0, 2 * d), 0.0, w),
    ):
        place = -0.9 * length + b.u(0, 0.8)
        while place < 0.9 * length:
            make = furniture.FURNITURE[int(b.rng.integers(len(furniture.FURNITURE)))]
            middle = base.z if yaw == 0.0 else d
            x, z = (
                (place, 2 * d - b.u(0.3, 0.6))
                if yaw == 0.0
                else (base.x - np.sign(base.x) * b.u(0.3, 0.6), middle - place)
            )
            if np.hypot(x - eye[0], z - eye[2]) > 1.1 and b.coin(0.85):
                make(b, Frame(x, 0, z, yaw + b.u(-0.1, 0.1)))
            place += b.u(0.7, 1.7)
    for _ in range(int(b.rng.integers(1, 7))):
        x, z = b.u(-0.6, 0.6) * w, b.u(0.6, 1.7) * d
        if np.hypot(x - eye[0], z - eye[2]) > 1.0:
            choice = b.rng.uniform()
            frame = Frame(x, 0, z, b.u(0, 6.3))
            if choice < 0.3:
                furniture.table(b, frame, int(b.rng.integers(2, 9)))
                for k in range(int(b.rng.integers(0, 4))):
                    furniture.chair(
                        b,
                        frame.at(b.u(-0.6, 0.6), 0, (-1) ** k * b.u(0.6, 0.9), np.pi * (k % 2 == 0) + np.pi),
                    )
            elif choice < 0.5:
                figures.person(b, frame, sit=b.coin(0.3))
            elif choice < 0.6:
                furniture.scatter(b, frame, (0.8, 0.8), 5, 0.4)
            elif choice < 0.65:
                figures.animal(b, frame)
            else:
                furniture.FURNITURE[int(b.rng.integers(len(furniture.FURNITURE)))](b, frame)
    if b.coin(0.3):
        b.box(
            Frame(),
            (0, 0.006, d),
            (w * 0.6, 0.006, d * 0.6),
            b.paint("patches", "stripes", "checker", "noise", tile=1.5),
        )
    for _ in range(int(b.rng.integers(0, 4))):
        b.box(
            Frame(),
            (b.u(-0.8, 0.8) * w, h - 0.03, b.u(0.3, 1.8) * d),
            (b.u(0.1, 0.6), 0.04, b.u(0.1, 0.6)),
            b.paint("noise", value=(0.9, 1), glow=b.u(1, 4)),
            casts=False,
        )
    target = (b.u(-0.6, 0.6) * w, b.u(0.3, 1.5), b.u(0.9, 2) * d)
    return View(eye, target, 8, (45, 95), 0.03, (0, 1, d), max(w, d) * 1.2, False), indoor_light(b, w, h, d)


def corridor(b: Builder) -> tuple[View, Light]:
    """A long hall with doors, pillars, things along the walls and people.

    Args:
        b: The scene being built.
    """
    w, d, h = b.u(0.8, 2.6), b.u(4, 14), b.u(2.2, 3.6)
    walls(b, w, h, d)
    for _ in range(int(b.rng.integers(2, 12))):
        side, z = b.pick((-1, 1)), b.u(1.8, 2 * d - 0.5)
        make = furniture.FURNITURE[int(b.rng.integers(len(furniture.FURNITURE)))]
        if w > 1.3 or b.coin(0.3):
            make(b, Frame(side * (w - 0.35), 0, z, side * np.pi / 2))
        else:
            b.box(
                Frame(),
                (side * w, b.u(0.5, 1.5), z),
                (b.u(0.02, 0.25), b.u(0.3, 1.2), b.u(0.1, 0.6)),
                b.paint(),
            )
    for _ in range(int(b.rng.integers(0, 4))):
        figures.person(b, Frame(b.u(-0.6, 0.6) * w, 0, b.u(2, 2 * d - 1), b.u(0, 6.3)))
    lights = int(b.rng.integers(2, 9))
    glow = b.paint("noise", value=(0.9, 1), glow=b.u(1, 4))
    for k in range(lights):
        b.box(
            Frame(),
            (0, h - 0.02, (k + 0.5) * 2 * d / lights),
            (b.u(0.1, 0.4), 0.03, b.u(0.1, 0.5)),
            glow,
            casts=False,
        )
    eye = (b.u(-0.5, 0.5) * w, b.u(0.8, 1.8), 0.3)
    target = (b.u(-1, 1) * w, b.u(0.4, 1.6), b.u(3, 2 * d))
    return View(eye, target, 6, (45, 95), 0.05, (0, 1, 5), 6.0, False), indoor_light(b, w, h, d)


def close_up(b: Builder) -> tuple[View, Light]:
    """Things on a table, or a shelf bin, from near: packs, bottles, books, tools.

    Args:
        b: The scene being built.
    """
    w, d, h = 1.8, 1.6, 2.6
    walls(b, w, h, d)
    light = indoor_light(b, w, h, d)
    top = b.u(0.4, 1.0)
    if b.coin(0.5):
        b.box(
            Frame(),
            (0, top - 0.03, d),
            (b.u(0.5, 1.2), 0.03, b.u(0.35, 0.7)),
            b.paint("wood", "noise", "checker", "patches", tile=b.u(0.3, 1)),
        )
        b.box(
            Frame(), (0, top / 2 - 0.03, d), (0.2, top / 2 - 0.03, 0.2), b.paint()
        )  # its end is no second top
        furniture.scatter(b, Frame(0, top, d), (0.45, 0.35), int(b.rng.integers(4, 26)), b.u(0.08, 0.3))
        if b.coin(0.3):
            furniture.monitor(b, Frame(b.u(-0.3, 0.3), top, d + 0.35, b.u(-0.3, 0.3)))
        reach, above = b.u(0.35, 1.2), b.u(0.1, 0.9)
        eye, target = (b.u(-0.4, 0.4), top + above, d - reach), (b.u(-0.15, 0.15), top + b.u(0, 0.15), d)
    elif b.coin(0.6):
        half, deep, tall = b.u(0.15, 0.4), b.u(0.15, 0.35), b.u(0.12, 0.3)
        wood = b.paint("noise", "wood", "stripes")
        for row in (-1, 0, 1):
            for column in (-1, 0, 1):
                f = Frame(column * 2.1 * half, top + row * 2.1 * tall, d)
                for x in (-1, 1):
                    b.box(f, (x * half, tall, 0), (0.012, tall, deep), wood)
                b.box(f, (0, tall, deep), (half, tall, 0.01), wood)
                for y in (0, 2 * tall):
                    b.box(f, (0, y, 0), (half, 0.012, deep), wood)
                for _ in range(
                    int(b.rng.integers(1, 8)) if row == column == 0 else int(b.rng.integers(0, 4))
                ):
                    furniture.clutter(
                        b,
                        f.at(b.u(-0.7, 0.7) * half, 0.012, b.u(-0.7, 0.7) * deep),
                        min(half, tall) * b.u(0.8, 1.6),
                    )
        eye, target = (
            (b.u(-0.3, 0.3), top + tall + b.u(-0.1, 0.45), d - deep - b.u(0.15, 0.7)),
            (b.u(-0.5, 0.5) * half, top + tall * b.u(0.5, 1.3), d),
        )
    else:
        for k in (-1, 0, 1):
            furniture.shelf(b, Frame(k * 1.0, 0, d + 0.2), 0.95, 2.2, busy=3)
        eye, target = (b.u(-0.5, 0.5), b.u(0.6, 1.7), d - b.u(0.4, 1.2)), (b.u(-0.5, 0.5), b.u(0.6, 1.6), d)
    return View(eye, target, 5, (40, 75), 0.01, (0, top, d), 1.6, False), light
