# SPDX-License-Identifier: GPL-3.0-or-later
"""Points that the user picked on the ground and on the horizon of a clip, in pixels of the plate."""

from __future__ import annotations

from typing import Any

KEYS = {"GROUND": "vdepth_ground_points", "HORIZON": "vdepth_horizon_points"}
"""Custom properties of the clip: pixels from the top left, x and y by turns."""
FRAME_KEY = "vdepth_points_of"
"""Custom property of the clip: number of the file whose frame they were picked in."""
LEAST = {"GROUND": 3, "HORIZON": 2}
_OPTIONS = {"GROUND": "--ground-at", "HORIZON": "--horizon-at"}


def points(clip: Any, kind: str) -> list[tuple[float, float]]:
    """The points of a kind, ``GROUND`` or ``HORIZON``."""
    flat = list(clip.get(KEYS[kind], ()))
    return list(zip(flat[::2], flat[1::2], strict=True))


def set_points(clip: Any, kind: str, chosen: list[tuple[float, float]], number: int) -> None:
    """Keeps points of a kind; those of the other kind go if they are of another frame.

    Args:
        number: File number of the frame.
    """
    if clip.get(FRAME_KEY) != number:
        for key in KEYS.values():
            clip.pop(key, None)
    clip[FRAME_KEY] = number
    if chosen:
        clip[KEYS[kind]] = [value for point in chosen for value in point]
    else:
        clip.pop(KEYS[kind], None)


def picked_words(clip: Any) -> list[str]:
    """What the core is told of them; of a kind with too few points nothing."""
    words = []
    for kind, option in _OPTIONS.items():
        if len(chosen := points(clip, kind)) >= LEAST[kind]:
            words += [option, " ".join(f"{x:.2f},{y:.2f}" for x, y in chosen)]
    return [*words, "--frame", str(clip[FRAME_KEY])] if words else []
