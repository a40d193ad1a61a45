"""Vehicles, houses and street furniture, as composites; sizes in metres, origin on the floor."""

from __future__ import annotations

import numpy as np

from .builder import Builder, Frame, rotation
from .motions import driving


def car(b: Builder, f: Frame, fastest: float = 0.0) -> None:
    """A car, van or truck, front at −z; parked, or driving.

    Args:
        b, f: The scene being built, and where in it: on the ground under the middle.
        fastest: Its highest speed; 0: it is parked.
    """
    with driving(b, f, fastest):
        _car(b, f)


def _car(b: Builder, f: Frame) -> None:
    body = b.paint("noise", hue=b.colour((0.03, 0.95), 0.7), contrast=0.1, overlay=0.05, gloss=0.8)
    glass = b.paint("noise", value=(0.02, 0.2), contrast=0.3, gloss=0.9)
    dark = b.paint("noise", value=(0.02, 0.15), contrast=0.3)
    w, length, sill = b.u(0.82, 0.98), b.u(1.9, 2.4), b.u(0.25, 0.35)
    style = b.rng.uniform()
    if style < 0.65:
        belt, roof, cabin = b.u(0.8, 1.0), b.u(1.35, 1.75), b.u(0.5, 0.75)
        b.box(f, (0, (sill + belt) / 2, 0), (w, (belt - sill) / 2, length), body)
        b.wedge(
            f,
            (0, (belt + roof) / 2 - 0.03, b.u(0.0, 0.35)),
            (w * 0.95, (roof - belt) / 2, length * cabin),
            glass,
            (0.8, 0.62),
        )
        b.box(f, (0, roof - 0.04, 0.15), (w * 0.74, 0.04, length * cabin * 0.6), body)
    else:
        roof = b.u(1.9, 3.4)
        length *= b.u(1.0, 1.8)
        b.wedge(f, (0, (sill + roof) / 2, 0), (w * 1.1, (roof - sill) / 2, length), body, (0.95, 0.93))
        b.box(f, (0, roof * 0.7, 0), (w * 1.12, roof * 0.12, length * 0.9), glass)
        b.box(f, (0, roof * 0.7, 0), (w * 0.95, roof * 0.14, length * 1.005), glass)
    for x in (-1, 1):
        for z in (-0.62, 0.62):
            b.post(f, (x * (w - 0.08), 0.32, z * length), 0.32, 0.11, dark, turn=rotation(2, np.pi / 2))
        b.box(
            f,
            (x * w * 0.7, 0.68, -length),
            (0.16, 0.07, 0.02),
            b.paint("noise", value=(0.7, 1), glow=b.u(0, 1)),
        )
        b.box(
            f,
            (x * w * 0.75, 0.7, length),
            (0.13, 0.08, 0.02),
            b.paint("noise", hue=np.array((0.6, 0.02, 0.02), np.float32), glow=b.u(0, 1)),
        )
    b.box(f, (0, 0.55, length), (0.26, 0.06, 0.02), b.paint("text", value=(0.7, 1)))


def cart(b: Builder, f: Frame) -> None:
    """An open cart with a roof on posts, parked or rolling.

    Args:
        b, f: The scene being built, and where in it: on the ground under the middle.
    """
    with driving(b, f, 0.15 * b.dice.coin(0.6)):
        _cart(b, f)


def _cart(b: Builder, f: Frame) -> None:
    m, dark = b.paint("noise", contrast=0.2, gloss=0.6), b.paint("noise", value=(0.02, 0.3))
    b.box(f, (0, 0.45, 0), (0.6, 0.15, 1.1), m)
    b.wedge(f, (0, 0.75, -0.85), (0.58, 0.25, 0.25), m, (0.9, 0.5))
    b.box(f, (0, 0.75, 0.3), (0.5, 0.1, 0.25), b.paint("noise"))
    b.box(f, (0, 1.0, 0.55), (0.5, 0.25, 0.05), b.paint("noise"))
    for x in (-0.55, 0.55):
        for z in (-0.7, 0.75):
            b.limb(f, (x, 0.5, z), (x, 1.9, z * 0.85), 0.02, dark, round_=False)
        for z in (-0.75, 0.75):
            b.post(f, (x, 0.22, z), 0.22, 0.09, dark, turn=rotation(2, np.pi / 2))
    b.box(f, (0, 1.92, 0), (0.62, 0.04, 0.85), m)


def building(b: Builder, f: Frame, half: tuple[float, float], height: float) -> None:
    """A house front at −z: facade, roof, door, some real window recesses and awnings.

    Args:
        b, f: The scene being built, and where in it: on the ground under the middle.
        half: Half its width and depth, in metres.
        height: In metres.
    """
    w, d = half
    storey = b.u(2.7, 3.6)
    wall = b.paint(
        "facade", "facade", "brick", "noise", "tiles", tile=storey * b.u(1, 3.5), contrast=0.9, gloss=0.05
    )
    b.box(f, (0, height / 2, 0), (w, height / 2, d), wall)
    glass, trim = b.paint("noise", value=(0.02, 0.25), gloss=0.7), b.paint("noise", contrast=0.2)
    if b.coin(0.5):
        columns = max(2, int(2 * w / b.u(1.8, 3.5)))
        for level in range(min(6, int(height / storey))):
            for c in range(columns):
                x = -w + (c + 0.5) * 2 * w / columns
                b.box(f, (x, (level + 0.55) * storey, -d), (w / columns * 0.5, storey * 0.27, 0.05), glass)
                if b.coin(0.3):
                    b.box(f, (x, (level + 0.22) * storey, -d - 0.2), (w / columns * 0.6, 0.06, 0.25), trim)
    if b.coin(0.5):
        b.box(f, (b.u(-0.6, 0.6) * w, 1.1, -d), (b.u(0.45, 1.2), 1.1, 0.08), b.paint("wood", "noise"))
    if b.coin(0.3):
        b.box(
            f,
            (0, b.u(2.5, 3.2), -d - 0.6),
            (w * 0.9, 0.06, 0.6),
            b.paint("stripes", "noise"),
            rotation(0, 0.2),
        )
    if b.coin(0.4):
        roof = b.paint("tiles", "brick", "noise", tile=2)
        b.wedge(
            f,
            (0, height + d * 0.3, 0),
            (w * 1.05, d * 0.3, d * 1.08),
            roof,
            (1.0, 0.0) if b.coin() else (0.4, 0.2),
        )
    else:
        b.box(f, (0, height, 0), (w * 1.03, 0.15, d * 1.03), trim)


def street_post(b: Builder, f: Frame) -> None:
    """A lamp post, sign, traffic light or bollard.

    Args:
        b, f: The scene being built, and where in it: the foot.
    """
    m, kind = b.paint("noise", contrast=0.2), int(b.rng.integers(4))
    h = (b.u(4, 8), b.u(2, 3.2), b.u(2.5, 5), b.u(0.6, 1.1))[kind]
    b.post(f, (0, h / 2, 0), 0.06 if kind < 3 else 0.1, h / 2, m, taper=0.7)
    if kind == 0:
        b.box(f, (0.6, h, 0), (0.7, 0.05, 0.08), m)
        b.box(f, (1.3, h - 0.06, 0), (0.3, 0.06, 0.12), b.paint("noise", value=(0.7, 1), glow=0.3))
    elif kind == 1:
        b.box(
            f,
            (0, h - 0.3, -0.05),
            (b.u(0.25, 0.6), b.u(0.2, 0.4), 0.02),
            b.paint("text", "patches", vivid=1.0, tile=0.8),
        )
    elif kind == 2:
        b.box(f, (0, h, 0), (0.16, 0.45, 0.14), b.paint("noise", value=(0.02, 0.2)))


def bench(b: Builder, f: Frame) -> None:
    """A park bench.

    Args:
        b, f: The scene being built, and where in it: on the ground under the middle, facing −z.
    """
    m, leg = b.paint("wood", "stripes", tile=0.5), b.paint("noise", value=(0.02, 0.4))
    b.box(f, (0, 0.43, 0), (0.8, 0.03, 0.22), m)
    b.box(f, (0, 0.7, 0.22), (0.8, 0.18, 0.02), m, rotation(0, -0.15))
    for x in (-0.65, 0.65):
        b.box(f, (x, 0.21, 0), (0.04, 0.21, 0.2), leg)


def fence(b: Builder, f: Frame, length: float) -> None:
    """A fence, railing or low wall along x.

    Args:
        b, f: The scene being built, and where in it: on the ground under the middle.
        length: In metres.
    """
    m, h = b.paint("wood", "noise", contrast=0.4), b.u(0.7, 1.8)
    if b.coin(0.35):
        b.box(f, (0, h / 2, 0), (length / 2, h / 2, 0.1), b.paint("brick", "wood", "noise"))
        return
    gap = b.u(0.15, 1.2)
    for k in range(min(60, int(length / gap)) + 1):
        b.box(f, (-length / 2 + k * gap, h / 2, 0), (0.03, h / 2, 0.03), m)
    for level in (0.25, 0.85):
        b.box(f, (0, h * level, 0), (length / 2, 0.03, 0.02), m)


def stairs(b: Builder, f: Frame) -> None:
    """A flight of steps rising towards +z.

    Args:
        b, f: The scene being built, and where in it: the lowest step.
    """
    m, w = b.paint("noise", "tiles", "wood"), b.u(0.6, 2)
    for k in range(int(b.rng.integers(3, 12))):
        b.box(f, (0, 0.085 * (k + 1), 0.28 * k), (w, 0.085 * (k + 1), 0.15), m)
