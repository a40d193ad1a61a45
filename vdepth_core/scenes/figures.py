"""People and animals of ellipsoids, and abstract solids; sizes in metres, origin on the floor."""

from __future__ import annotations

import numpy as np

from .builder import Builder, Frame, rotation
from .motions import WALKING, Gait, stirring
from .primitives import Kind


def person(b: Builder, f: Frame, sit: bool = False) -> None:
    """A human of ellipsoids, facing −z, standing, walking or sitting.

    Args:
        b, f: The scene being built, and where in it: between the feet.
        sit: Whether it sits, which the chair under it does not know.
    """
    skin = b.paint(
        "noise", hue=np.array((0.55, 0.33, 0.24), np.float32) * b.u(0.25, 1.2), contrast=0.2, overlay=0.1
    )
    shirt = b.paint("noise", "stripes", "checker", "patches", vivid=0.9, tile=0.4, gloss=0.02)
    trousers = b.paint("noise", hue=b.colour((0.05, 0.5), 0.6), contrast=0.4, gloss=0.02)
    hair = b.paint("noise", hue=b.colour((0.02, 0.4), 0.5), tile=0.1)
    g = f.at(0, 0, 0, 0, b.u(0.85, 1.08))
    step, hip = b.u(-0.25, 0.25), 0.5 if sit else 0.95
    gait = Gait(b, hip, step, not sit and b.dice.coin(WALKING))
    with gait.body(g):
        for side in (-1, 1):
            x, z = side * 0.1, side * step
            with gait.leg(g, (x, hip, 0), side == 1):
                if sit:
                    b.limb(g, (x, hip, 0), (x, hip, -0.45), 0.085, trousers)
                    b.limb(g, (x, hip, -0.45), (x, 0.05, -0.45), 0.06, trousers)
                    z = -0.45
                else:
                    b.limb(g, (x, hip, 0), (x, 0.5, z * 0.5 - 0.03), 0.09, trousers)
                    b.limb(g, (x, 0.5, z * 0.5 - 0.03), (x, 0.06, z), 0.065, trousers)
                b.ball(g, (x, 0.05, z - 0.06), (0.05, 0.05, 0.13), hair)
            swing = (b.u(-0.3, 0.3), b.u(-0.35, 0.1))
            elbow = (side * (0.24 + abs(swing[0]) * 0.5), hip + 0.28, swing[1] * 0.4)
            hand = (side * 0.26 + swing[0] * 0.3, hip + b.u(0.0, 0.4), swing[1] - 0.1)
            with gait.arm(g, (side * 0.19, hip + 0.5, 0), side == 1):
                b.limb(g, (side * 0.19, hip + 0.5, 0), elbow, 0.05, shirt)
                b.limb(g, elbow, hand, 0.04, skin if b.coin() else shirt)
        b.limb(g, (0, hip + 0.1, 0), (0, hip + 0.46, 0), 0.165, shirt)
        b.ball(g, (0, hip + 0.42, 0), (0.21, 0.16, 0.12), shirt)
        b.post(g, (0, hip + 0.58, 0), 0.05, 0.06, skin)
        b.ball(g, (0, hip + 0.74, 0), (0.085, 0.12, 0.1), skin)
        b.ball(g, (0, hip + 0.78, 0.025), (0.09, 0.1, 0.095), hair)


def animal(b: Builder, f: Frame) -> None:
    """A four-legged animal, facing −z.

    Args:
        b, f: The scene being built, and where in it: between the feet.
    """
    m = b.paint("noise", "cells", hue=b.colour((0.1, 0.8), 0.35), tile=0.5, gloss=0.02)
    s = b.u(0.3, 1.2)
    gait = Gait(b, 0.65 * s, 0.0, b.dice.coin(WALKING))
    with gait.body(f):
        b.ball(f, (0, 0.75 * s, 0), (0.2 * s, 0.24 * s, 0.55 * s), m)
        for x in (-0.12, 0.12):
            for z in (-0.38, 0.38):
                with gait.leg(f, (x * s, 0.65 * s, z * s), x * z > 0):
                    foot = (x * s, 0.03, (z + b.u(-0.1, 0.1)) * s)
                    b.limb(f, (x * s, 0.65 * s, z * s), foot, 0.06 * s, m)
            b.wedge(f, (x * 0.7 * s, 1.25 * s, -0.68 * s), (0.05 * s, 0.08 * s, 0.03 * s), m, (0.1, 0.5))
        b.limb(f, (0, 0.85 * s, -0.45 * s), (0, 1.05 * s, -0.65 * s), 0.12 * s, m)
        b.ball(f, (0, 1.08 * s, -0.72 * s), (0.13 * s, 0.13 * s, 0.16 * s), m)
        b.ball(f, (0, 1.02 * s, -0.88 * s), (0.07 * s, 0.07 * s, 0.13 * s), m)
        b.limb(f, (0, 0.85 * s, 0.5 * s), (0, 0.95 * s, 0.8 * s), 0.04 * s, m)


def abstract(b: Builder, f: Frame, size: float) -> None:
    """Any solid in any pose.

    Args:
        b, f: The scene being built, and where in it: the middle.
        size: Half the largest it can be, in metres.
    """
    turn = rotation(0, b.u(0, 6.3)) @ rotation(1, b.u(0, 6.3)) @ rotation(2, b.u(0, 6.3))
    half = (size * b.u(0.2, 1), size * b.u(0.2, 1), size * b.u(0.2, 1))
    m, kind = b.paint(vivid=0.9), Kind(int(b.rng.choice([0, 1, 2, 5])))
    with stirring(b, f, size, chance=0.6, free=True):
        b.add(kind, f, (0, 0, 0), half, m, turn, taper=b.u(0, 1.2))
