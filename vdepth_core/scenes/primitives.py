"""The solids that procedural scenes are made of.

A solid lives in its own unit space: row vectors ``v @ (axes / half)`` go there from the world. Rays of a
camera have planar z = 1, so the ray parameter of a hit *is* the planar depth in metres.

World axes follow the OpenCV camera: x right, y down, z forward; the floor is y = 0 and up is −y.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

NEAR = 0.05  # metres; nothing closer is drawn


class Kind(IntEnum):
    """The shapes of a solid, each within the cube [−1, 1]³ of its own space."""

    BOX = 0
    ELLIPSOID = 1
    FRUSTUM = 2  # axis y, radius 1 at the bottom (y = 1) and ``taper`` at the top (y = −1)
    POLYTOPE = 3  # the half-spaces n·p <= c given by ``planes``
    SHELL = 4  # a box seen from the inside: rooms
    LEAVES = 5  # an ellipsoid full of holes: foliage


@dataclass(frozen=True)
class Solid:
    """One solid: shape, pose and material.

    Attributes:
        kind: Shape.
        centre: (3,) world position of the unit space's origin.
        axes: (3, 3) columns are the solid's axes in the world.
        half: (3,) half sizes in metres.
        material: Row in the scene's material table.
        taper: Top radius of a frustum over its bottom radius.
        planes: (K, 4) half-spaces of a polytope in unit space, rows (n, c).
        phase: Random number that makes the holes of foliage its own.
        casts: Whether it throws a shadow.
        body: Which of the scene's bodies it moves with; 0 is the still world.
    """

    kind: Kind
    centre: np.ndarray
    axes: np.ndarray
    half: np.ndarray
    material: int
    taper: float = 1.0
    planes: np.ndarray | None = None
    phase: float = 0.0
    casts: bool = True
    body: int = 0


CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
