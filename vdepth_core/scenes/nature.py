"""Plants, rocks, and what plants stand in; sizes in metres, origin on the floor."""

from __future__ import annotations

import numpy as np

from .builder import Builder, Frame
from .motions import swaying


def foliage(b: Builder) -> int:
    """A leaf material.

    Args:
        b: The scene being built.
    """
    hue = np.array((b.u(0.05, 0.3), b.u(0.12, 0.35), b.u(0.01, 0.12)), np.float32)
    if b.coin(0.12):
        hue = b.colour((0.2, 0.7), 0.9)
    return b.paint("leaves", "noise", "cells", hue=hue, tile=b.u(0.3, 1.2), contrast=1.0, gloss=0.02)


def plant(b: Builder, f: Frame) -> None:
    """A potted plant.

    Args:
        b, f: The scene being built, and where in it: under the pot.
    """
    s = b.u(0.5, 1.4)
    b.post(f, (0, 0.15 * s, 0), 0.14 * s, 0.15 * s, b.paint("noise", "stripes"), taper=1.3)
    green = foliage(b)
    for _ in range(int(b.rng.integers(2, 5))):
        r = s * b.u(0.12, 0.3)
        b.leaves(
            f, (b.u(-0.2, 0.2) * s, s * b.u(0.45, 0.9), b.u(-0.2, 0.2) * s), (r, r * b.u(0.7, 1.6), r), green
        )
    b.post(f, (0, 0.4 * s, 0), 0.02 * s, 0.3 * s, b.paint("wood"))


def tree(b: Builder, f: Frame) -> None:
    """A broad-leaved tree, a conifer or a bare one.

    Args:
        b, f: The scene being built, and where in it: the root.
    """
    with swaying(b, f):
        _tree(b, f)


def _tree(b: Builder, f: Frame) -> None:
    h = b.u(3, 14)
    bark = b.paint(
        "wood",
        "cells",
        "noise",
        hue=np.array((0.2, 0.14, 0.09), np.float32) * b.u(0.4, 1.6),
        tile=b.u(0.4, 1.5),
    )
    green = foliage(b)
    r = h * b.u(0.014, 0.035)
    kind = b.rng.uniform()
    trunk = h * (b.u(0.25, 0.5) if kind < 0.75 else 0.8)
    b.post(f, (0, trunk / 2, 0), r, trunk / 2, bark, taper=0.6)
    if kind < 0.7:
        for _ in range(int(b.rng.integers(4, 10))):
            size = h * b.u(0.1, 0.22)
            at = (b.u(-0.22, 0.22) * h, b.u(0.45, 0.95) * h, b.u(-0.22, 0.22) * h)
            b.leaves(f, at, (size, size * b.u(0.6, 1), size), green)
        for _ in range(3):
            b.limb(
                f,
                (0, trunk * 0.9, 0),
                (b.u(-0.2, 0.2) * h, b.u(0.5, 0.8) * h, b.u(-0.2, 0.2) * h),
                r * 0.5,
                bark,
            )
    elif kind < 0.9:
        for k in range(4):
            b.post(f, (0, h * (0.3 + 0.2 * k), 0), h * (0.2 - 0.04 * k), h * 0.17, green, taper=0.1)
    else:
        for _ in range(9):
            low = b.u(0.3, 0.75) * h
            b.limb(
                f,
                (0, low, 0),
                (b.u(-0.25, 0.25) * h, low + b.u(0.1, 0.3) * h, b.u(-0.25, 0.25) * h),
                r * 0.35,
                bark,
            )


def bush(b: Builder, f: Frame, size: float | None = None) -> None:
    """A shrub, or a piece of hedge.

    Args:
        b, f: The scene being built, and where in it: on the ground under the middle.
        size: Half its width, about, in metres; None: random.
    """
    s, green = size or b.u(0.3, 1.2), foliage(b)
    for _ in range(int(b.rng.integers(2, 6))):
        r = s * b.u(0.3, 0.7)
        b.leaves(f, (b.u(-0.7, 0.7) * s, r * 0.8, b.u(-0.7, 0.7) * s), (r * b.u(0.8, 1.4), r, r), green)
    b.ball(f, (0, 0.2 * s, 0), (s * 0.7, s * 0.4, s * 0.7), green)


def rock(b: Builder, f: Frame) -> None:
    """A boulder.

    Args:
        b, f: The scene being built, and where in it: on the ground under the middle.
    """
    s = b.u(0.1, 0.9)
    m = b.paint("noise", "cells", hue=b.colour((0.15, 0.6), 0.25), tile=b.u(0.4, 2))
    b.stone(f, (0, s * 0.5, 0), (s * b.u(0.8, 1.8), s, s * b.u(0.8, 1.5)), m)


def bin_(b: Builder, f: Frame) -> None:
    """A bin or barrel, or a planter.

    Args:
        b, f: The scene being built, and where in it: on the ground under the middle.
    """
    r, h = b.u(0.15, 0.4), b.u(0.3, 0.55)
    b.post(f, (0, h, 0), r, h, b.paint("noise", "stripes"), taper=b.u(0.8, 1.3))
    if b.coin(0.3):
        bush(b, f.at(0, 2 * h, 0), r)
