"""Furniture and the small things on it, as composites; sizes in metres, origin on the floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .builder import Builder, Frame, rotation
from .motions import stirring
from .nature import bin_, plant


def clutter(b: Builder, f: Frame, size: float = 0.2) -> None:
    """One small thing on ``f``: a pack, bottle, can, bowl, ball, books, toys.

    Args:
        b, f: The scene being built, and where in it: what the thing stands on.
        size: About its size.
    """
    m = b.paint(vivid=0.9, tile=size * b.u(0.5, 3))
    s = size * b.u(0.5, 1.3)
    g = f.at(0, 0, 0, b.u(0, 6.3))
    with stirring(b, g, size):
        _small_thing(b, g, s, m)


def _small_thing(b: Builder, g: Frame, s: float, m: int) -> None:
    match int(b.rng.integers(9)):
        case 0 | 1:
            h = (s * b.u(0.2, 0.6), s * b.u(0.1, 0.8), s * b.u(0.15, 0.5))
            b.box(g, (0, h[1], 0), h, m)
            if b.coin(0.4):
                b.box(
                    g, (0, h[1], -h[2]), (h[0] * 0.7, h[1] * 0.5, 0.003), b.paint("text", "patches", tile=s)
                )
        case 2:
            b.post(g, (0, 0.4 * s, 0), 0.17 * s, 0.4 * s, m)
            b.post(g, (0, 0.88 * s, 0), 0.16 * s, 0.1 * s, m, taper=0.4)
            b.post(g, (0, 1.05 * s, 0), 0.06 * s, 0.1 * s, b.paint("noise"))
        case 3:
            b.post(g, (0, 0.35 * s, 0), 0.22 * s, 0.35 * s, m)
            b.post(g, (0, 0.71 * s, 0), 0.2 * s, 0.01 * s, b.paint("noise", value=(0.5, 0.9)))
        case 4:
            b.ball(g, (0, 0.35 * s, 0), (0.35 * s,) * 3, m)
        case 5:
            height = 0.0
            for _ in range(int(b.rng.integers(2, 6))):
                t = s * b.u(0.04, 0.12)
                b.box(g.at(0, 0, 0, b.u(-0.4, 0.4)), (0, height + t, 0),
                      (s * b.u(0.35, 0.5), t, s * b.u(0.25, 0.4)),
                      b.paint("noise", "spines", vivid=0.9, tile=s))  # fmt: skip
                height += 2 * t
        case 6:
            b.post(g, (0, 0.2 * s, 0), 0.35 * s, 0.2 * s, m, taper=1.4)
        case 7:
            for _ in range(3):
                r = s * b.u(0.1, 0.3)
                b.ball(g, (b.u(-0.3, 0.3) * s, r, b.u(-0.3, 0.3) * s), (r, r, r * b.u(0.7, 1.3)), m)
        case _:
            b.wedge(g, (0, 0.3 * s, 0), (0.35 * s, 0.3 * s, 0.3 * s), m, (b.u(0, 1), b.u(0.3, 1)))


def scatter(b: Builder, f: Frame, half: tuple[float, float], count: int, size: float) -> None:
    """``count`` small things on a rectangle of half size (x, z).

    Args:
        b, f: The scene being built, and where in it: the middle of the rectangle.
        half: Metres.
        count: How many.
        size: Of each, as of `clutter`.
    """
    for _ in range(count):
        clutter(b, f.at(b.u(-half[0], half[0]), 0, b.u(-half[1], half[1])), size)


def table(b: Builder, f: Frame, items: int = 5) -> None:
    """A table or desk with things on it.

    Args:
        b, f: The scene being built, and where in it: on the floor under the middle.
        items: How many things lie on it.
    """
    w, d, h, t = b.u(0.5, 1.1), b.u(0.3, 0.55), b.u(0.4, 0.8), b.u(0.015, 0.04)
    top = b.paint("wood", "noise", "noise", contrast=0.4)
    leg = b.paint("noise", "wood", contrast=0.2)
    b.box(f, (0, h - t, 0), (w, t, d), top)
    if b.coin(0.25):
        b.post(f, (0, h / 2, 0), 0.06, h / 2, leg)
        b.post(f, (0, 0.02, 0), 0.3, 0.02, leg)
    else:
        for x in (-1, 1):
            for z in (-1, 1):
                b.box(f, (x * (w - 0.05), h / 2, z * (d - 0.05)), (0.025, h / 2, 0.025), leg)
        if b.coin(0.3):
            b.box(f, (w * 0.6, h / 2, 0), (w * 0.35, h / 2 - 0.03, d * 0.9), b.paint("wood", "noise"))
    if b.coin(0.35):
        monitor(b, f.at(b.u(-0.3, 0.3), h, d * 0.4, b.u(-0.3, 0.3) + np.pi * b.coin(0.3)))
    scatter(b, f.at(0, h, 0), (w * 0.85, d * 0.8), items, 0.2)


def monitor(b: Builder, f: Frame) -> None:
    """A screen on a foot.

    Args:
        b, f: The scene being built, and where in it: under the foot, the picture facing −z.
    """
    w = b.u(0.22, 0.4)
    black = b.paint("noise", value=(0.02, 0.15), contrast=0.2)
    b.box(f, (0, 0.1 + w * 0.6, 0), (w, w * 0.58, 0.02), black)
    b.box(
        f,
        (0, 0.1 + w * 0.6, -0.021),
        (w * 0.95, w * 0.53, 0.003),
        b.paint("text", "patches", tile=w, glow=b.u(0, 0.8)),
    )
    b.box(f, (0, 0.06, 0.02), (0.03, 0.07, 0.02), black)
    b.post(f, (0, 0.01, 0), 0.12, 0.01, black)


def chair(b: Builder, f: Frame) -> None:
    """A chair: four legs or a swivel foot, seat, back.

    Args:
        b, f: The scene being built, and where in it: on the floor under the middle, facing −z.
    """
    seat, back, w = b.u(0.4, 0.5), b.u(0.35, 0.6), b.u(0.19, 0.28)
    m, leg = b.paint("noise", "wood", "stripes", contrast=0.4), b.paint("noise", contrast=0.2)
    b.box(f, (0, seat, 0), (w, b.u(0.015, 0.06), w), m)
    b.box(f, (0, seat + back / 2 + b.u(0, 0.1), w), (w, back / 2, 0.025), m, rotation(0, b.u(-0.25, 0)))
    if b.coin(0.4):
        b.post(f, (0, seat / 2, 0), 0.03, seat / 2, leg)
        for k in range(5):
            b.box(f.at(0, 0, 0, k * 1.257), (0.15, 0.05, 0), (0.16, 0.02, 0.02), leg)
    else:
        for x in (-1, 1):
            for z in (-1, 1):
                b.limb(f, (x * w * 0.9, seat, z * w * 0.9), (x * w, 0, z * w), 0.018, leg, round_=False)


def sofa(b: Builder, f: Frame) -> None:
    """A sofa or armchair with cushions.

    Args:
        b, f: The scene being built, and where in it: on the floor under the middle, facing −z.
    """
    w, d = b.pick((b.u(0.4, 0.5), b.u(0.8, 1.2))), b.u(0.4, 0.5)
    m = b.paint("noise", "noise", "checker", "stripes", contrast=0.4, gloss=0.02, tile=0.5)
    b.box(f, (0, 0.22, 0), (w, 0.2, d), m)
    b.box(f, (0, 0.55, d * 0.8), (w, 0.35, d * 0.25), m, rotation(0, -0.1))
    for x in (-1, 1):
        b.box(f, (x * w, 0.32, 0), (0.1, 0.3, d), m)
    for _ in range(int(b.rng.integers(0, 4))):
        b.box(
            f,
            (b.u(-0.7, 0.7) * w, 0.55, d * 0.4),
            (0.2, 0.2, 0.07),
            b.paint(vivid=0.9),
            rotation(2, b.u(-0.6, 0.6)),
        )


def shelf(
    b: Builder, f: Frame, width: float | None = None, height: float | None = None, busy: float = 1.0
) -> None:
    """Open shelves full of things, facing −z.

    Args:
        b, f: The scene being built, and where in it: on the floor under the middle.
        width, height: In metres; None: random.
        busy: How full it is; 0: empty.
    """
    w, h, d = (width or b.u(0.6, 1.8)) / 2, height or b.u(0.8, 2.2), b.u(0.14, 0.25)
    rows = max(1, round(h / b.u(0.28, 0.5)))
    m = b.paint("wood", "noise", contrast=0.4)
    for x in (-1, 1):
        b.box(f, (x * w, h / 2, 0), (0.015, h / 2, d), m)
    if b.coin(0.7):
        b.box(f, (0, h / 2, d), (w, h / 2, 0.01), m)
    for row in range(rows + 1):
        level = row * h / rows
        b.box(f, (0, max(level, 0.01), 0), (w, 0.012, d), m)
        if row == rows and b.coin():
            continue
        room = h / rows * 0.8
        if b.coin(0.4):
            along = -w + 0.03
            while along < w - 0.06:
                t, tall = b.u(0.01, 0.04), room * b.u(0.55, 0.95) / 2
                if b.coin(0.9):
                    b.box(f, (along + t, level + 0.012 + tall, b.u(-0.3, 0.3) * d),
                          (t, tall, d * b.u(0.5, 0.8)),
                          b.paint("spines", "noise", vivid=1.0, tile=0.2),
                          rotation(2, b.u(-0.15, 0.15) * b.coin(0.2)))  # fmt: skip
                along += 2 * t + 0.003
                if b.coin(0.04):
                    along += b.u(0.05, 0.4)
        else:
            for _ in range(int(b.u(1, 5) * busy * w / 0.5)):
                clutter(b, f.at(b.u(-0.85, 0.85) * w, level + 0.012, b.u(-0.5, 0.4) * d), min(room, 0.3))


def cabinet(b: Builder, f: Frame) -> None:
    """A closed cupboard, drawers or a fridge.

    Args:
        b, f: The scene being built, and where in it: on the floor under the middle, facing −z.
    """
    w, h, d = b.u(0.25, 0.7), b.u(0.35, 1.1), b.u(0.2, 0.35)
    m = b.paint("wood", "noise", "noise", contrast=0.3)
    b.box(f, (0, h, 0), (w, h, d), m)
    rows, columns = int(b.rng.integers(1, 5)), int(b.rng.integers(1, 3))
    front, knob = b.paint("wood", "noise", contrast=0.3), b.paint("noise", value=(0.05, 0.9))
    for r in range(rows):
        for c in range(columns):
            x, y = (c + 0.5) / columns * 2 * w - w, (r + 0.5) / rows * 2 * h
            b.box(f, (x, y, -d - 0.01), (w / columns * 0.93, h / rows * 0.93, 0.01), front)
            b.box(f, (x, y + h / rows * 0.5, -d - 0.035), (0.05, 0.008, 0.015), knob)
    if h < 0.8:
        scatter(b, f.at(0, 2 * h, 0), (w * 0.8, d * 0.7), int(b.rng.integers(0, 6)), 0.25)


def bed(b: Builder, f: Frame) -> None:
    """A bed with blanket and pillows, head at +z.

    Args:
        b, f: The scene being built, and where in it: on the floor under the middle.
    """
    w, d, h = b.u(0.45, 0.95), 1.0, b.u(0.35, 0.55)
    b.box(f, (0, h / 2, 0), (w, h / 2, d), b.paint("noise", value=(0.4, 0.95), tile=1.0))
    b.box(
        f,
        (0, h * 0.55, -0.25),
        (w + 0.03, h * 0.5, d * 0.8),
        b.paint("noise", "stripes", "checker", tile=1.0, contrast=0.5),
    )
    b.box(f, (0, 0.5, d), (w + 0.05, 0.5, 0.03), b.paint("wood", "noise"))
    for x in (-0.45, 0.45) if w > 0.6 else (0,):
        b.ball(
            f,
            (x * w, h + 0.08, d * 0.75),
            (0.3, 0.11, 0.2),
            b.paint("noise", value=(0.6, 0.95)),
            rotation(0, 0.3),
        )


def lamp(b: Builder, f: Frame) -> None:
    """A floor lamp.

    Args:
        b, f: The scene being built, and where in it: under the foot.
    """
    h = b.u(1.2, 1.8)
    b.post(f, (0, h / 2, 0), 0.015, h / 2, b.paint("noise"))
    b.post(f, (0, 0.015, 0), 0.15, 0.015, b.paint("noise"))
    b.post(f, (0, h, 0), 0.2, 0.14, b.paint("noise", value=(0.7, 0.95), glow=b.u(0.2, 2)), taper=0.6)


FURNITURE: tuple[Callable[[Builder, Frame], None], ...] = (
    table, table, chair, chair, sofa, shelf, shelf, cabinet, cabinet, bed, lamp, plant, bin_,
)  # fmt: skip
