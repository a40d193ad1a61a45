# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a camera may leave the plate's before a mesh of its depth shows what nobody filmed. No bpy in here.

A shift of the camera by t widens the step between neighbouring pixels by f·t·Δ(1/z) pixels; a move by t
along the view by r·t·Δ(1/z), r from the optical axis. What opens so is a hole where the mesh is torn and a
smear where it is not. Turning on the spot opens nothing, so an orbit about the distance D by an angle counts
as a shift by D·tan(angle).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

STRETCH = 0.5
"""Pixels a step may widen by before it counts; that much does not show in a moving picture."""
WIDEST = math.radians(60)
NEAREST = 0.02  # quantile of depth that counts as the nearest
_LINES = 270  # rows or columns looked at; more do not change the answer


@dataclass(frozen=True)
class SafeRange:
    """Depth of a frame, and moves to either side until holes and smears take the share asked for.

    Attributes:
        near, median: Nearest and median depth.
        sideways, upwards, along: Shifts of the camera, in units of depth.
    """

    near: float
    median: float
    sideways: float
    upwards: float
    along: float

    @property
    def yaw(self) -> float:
        """Orbit sideways about the median depth, in radians."""
        return math.atan(self.sideways / self.median)

    @property
    def pitch(self) -> float:
        """Orbit upwards about the median depth, in radians."""
        return math.atan(self.upwards / self.median)


def safe_range(z: np.ndarray, fx: float, fy: float, cx: float, cy: float, holes: float) -> SafeRange:
    """Measures a depth picture.

    Args:
        z: (height, width) planar depth, infinite where there is nothing; something has to be there.
        fx, fy, cx, cy: Intrinsics in pixels.
        holes: Share of the picture that may open, 0..1.
    """
    there = z[np.isfinite(z)]
    near, median = float(np.quantile(there, NEAREST)), float(np.median(there))
    height, width = z.shape
    every_row, every_column = max(1, height // _LINES), max(1, width // _LINES)
    right, down = _steps(z[::every_row]), _steps(z[:, ::every_column].T).T
    u, v = np.arange(1, width) - cx, (np.arange(1, height) - cy)[:, None]
    rows, columns = height * width // every_row, height * width // every_column
    farthest = median * math.tan(WIDEST)
    return SafeRange(
        near,
        median,
        sideways=_reach([fx * right], [rows], holes, farthest),
        upwards=_reach([fy * down], [columns], holes, farthest),
        along=_reach([u * right, v * down], [rows, columns], holes, 0.8 * near),
    )


def _steps(z: np.ndarray) -> np.ndarray:
    """1/z of the next pixel along a row minus this one's; 0 beside what is not there."""
    first, second = z[:, :-1], z[:, 1:]
    return np.where(np.isfinite(first) & np.isfinite(second), 1 / second - 1 / first, 0.0)


def _reach(widening: list[np.ndarray], sizes: list[int], holes: float, farthest: float) -> float:
    """The largest move that keeps the share of opened pixels, the sum over the parts, to either side.

    Args:
        widening: Pixels a step widens by for a move by one unit.
    """
    nearest = farthest
    for sign in (1, -1):
        opens = [part[part > STRETCH / farthest] for part in (sign * w for w in widening)]

        def share(move: float, opens: list[np.ndarray] = opens) -> float:
            parts = zip(opens, sizes, strict=True)
            return sum(float(np.maximum(move * part - STRETCH, 0).sum()) / size for part, size in parts)

        low, high = 0.0, farthest
        if share(high) <= holes:
            continue
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if share(middle) <= holes else (low, middle)
        nearest = min(nearest, low)
    return nearest
