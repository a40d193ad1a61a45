"""Lenses that bend lines, taken as pinholes while that moves no pixel far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..camera import Intrinsics, check_plausible

BENT = 0.01
"""How far a corner may lie off, in widths of the picture."""


def straightened(lens: Intrinsics, width: int, height: int, bends: Sequence[float], model: str) -> float:
    """By how many pixels the bend of a lens, which is left out, moves the worst corner.

    Args:
        lens: The pinhole.
        width, height: Of the picture in pixels.
        bends: k1, k2, p1, p2 of OpenCV; later ones may be missing.
        model: What the lens is called, for the error.

    Raises:
        ValueError: the corners are farther off than `BENT`, or the lens is none.
    """
    check_plausible(lens, width, height)
    k1, k2, p1, p2 = [*bends, 0, 0, 0, 0][:4]
    u, v = np.meshgrid((0.0, width), (0.0, height))
    x, y = (u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy
    square = x * x + y * y
    bend = k1 * square + k2 * square**2
    dx = x * bend + 2 * p1 * x * y + p2 * (square + 2 * x * x)
    dy = y * bend + 2 * p2 * x * y + p1 * (square + 2 * y * y)
    moved = float(np.hypot(dx * lens.fx, dy * lens.fy).max())
    if not moved <= BENT * width:
        raise ValueError(f"the lens ({model}) bends lines so that corners are off by {moved:.0f} pixels")
    return moved


def bent_notes(file: object, moved: float, remedy: str) -> tuple[str, ...]:
    """What is said of a lens whose bend was left out; nothing where no pixel moves by half its width.

    Args:
        file: Where the lens stands.
        moved: From `straightened`.
        remedy: A sentence on what to do against it.
    """
    if moved < 0.5:
        return ()
    return (
        f"The lens in {file} bends lines and is taken as if it did not: the corners are off by "
        f"{moved:.1f} pixels. {remedy}",
    )
