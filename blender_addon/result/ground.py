# SPDX-License-Identifier: GPL-3.0-or-later
"""The ground of a clip as the core found it, and where that puts the camera. No bpy in here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class ShotGround:
    """The ground of a shot.

    Attributes:
        numbers: Files that were looked at; between them all changes evenly.
        words: What the horizon is from, for the user.
        height: Of the camera over the ground, in units of the aligned depth.
        down: Unit vectors to the ground, with OpenCV's axes, one a number.
        scale, shift: Of the alignment, scale · z / (1 + shift · z), one a number.
        horizon: Rows of the plate where the horizon crosses its middle column, one a number.
    """

    numbers: list[int]
    words: str
    height: float
    down: list[Vector]
    scale: list[float]
    shift: list[float]
    horizon: list[float]


def read_grounds(text: str) -> list[ShotGround]:
    """What ``vdepth ground --json`` said.

    Raises:
        ValueError: it is something else.
    """
    try:
        shots = json.loads(text)["shots"]
        names = ("numbers", "words", "height", "down", "scale", "shift", "horizon")
        found = [ShotGround(*(shot[name] for name in names)) for shot in shots]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"The core's answer cannot be read ({error}): press Install Core to repair it."
        ) from error
    if not found:
        raise ValueError("The core found no shot.")
    return found


def tilt(down: Vector) -> tuple[Vector, Vector, Vector]:
    """Rotation from a Blender camera's axes to a floor's: z is up, y is ahead. Rows.

    Args:
        down: Unit vector to the ground with OpenCV's axes.
    """
    up = (-down[0], down[1], down[2])
    ahead = (-up[0] * -up[2], -up[1] * -up[2], -1.0 - up[2] * -up[2])  # (0, 0, -1), less its part along up
    length = math.hypot(*ahead)
    y = (ahead[0] / length, ahead[1] / length, ahead[2] / length)
    x = (y[1] * up[2] - y[2] * up[1], y[2] * up[0] - y[0] * up[2], y[0] * up[1] - y[1] * up[0])
    return x, y, up


def is_still(found: ShotGround) -> bool:
    """Whether the tilt hardly changes over a shot: by less than a twentieth of a degree."""
    middle = found.down[len(found.down) // 2]
    return all(math.dist(down, middle) < math.radians(0.05) / 2 for down in found.down)


def spot(down: Vector, height: float, row: float) -> float:
    """How far ahead on the floor a row of the picture's middle column shows; at most thirty heights.

    Args:
        down: Unit vector to the ground with OpenCV's axes.
        height: Of the camera.
        row: As y at z = 1.
    """
    below = down[1] * row + down[2]
    ahead = math.hypot(row, 1.0) ** 2 - below**2
    return min(height * math.sqrt(max(ahead, 0.0)) / below, 30 * height) if below > 0 else 30 * height
