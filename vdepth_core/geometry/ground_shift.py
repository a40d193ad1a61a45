"""The one shift of a shot's disparity under which its ground is level, by upright lines of its pictures.

Each frame's ground is a plane ``(A, B, C)`` over the picture, and the way down in it ``(A, B, C + shift)``
(`ground_plane`). An upright line spans a plane with the camera's centre that holds the way down, so that it
votes for one shift. The ground's own planes say how the camera turns from frame to frame, so that all frames
vote together.
"""

from __future__ import annotations

import numpy as np

from .lines import Lines, agreed_direction

STEEPEST_DEG = 40.0  # up or down that a camera looks
_STEPS = 321
_TURN_DEG = 10.0  # from all frames' way down to one frame's
_CLOSE = 0.012  # sine of the angle up to which a line agrees; 3 times as much to begin with
_LEAN = 0.6  # tangent of what an upright may lean against the ground's own


def uprights(lines: Lines, plane: np.ndarray) -> Lines:
    """Those that go up and down on the ground in the picture, roughly.

    Args:
        lines: Of a frame.
        plane: (A, B, C) of its ground.
    """
    up = plane[:2] / np.hypot(*plane[:2])
    upward, aside = lines.along @ up, lines.along @ np.array((-up[1], up[0]))
    return lines.where(np.abs(aside) < _LEAN * np.abs(upward))


def shift_by_uprights(planes: np.ndarray, lines: list[Lines]) -> float | None:
    """The shift for which the most upright lines of all frames agree on the way down.

    Args:
        planes: (T, 3) of each frame's ground.
        lines: Each frame's uprights.

    Returns:
        The shift; None where no line votes.
    """
    pitches = np.tan(np.radians(np.linspace(-STEEPEST_DEG, STEEPEST_DEG, _STEPS)))
    middle = np.median(planes, 0)
    shifts = middle[1] * pitches - middle[2]
    scores = np.zeros(_STEPS)
    for plane, own in zip(planes, lines, strict=True):
        scores += _votes(own, plane + shifts[:, None] * np.array((0.0, 0.0, 1.0)), 2 * _CLOSE)
    if not scores.any():
        return None
    shift = float(shifts[int(scores.argmax())])
    for close in (3 * _CLOSE, 2 * _CLOSE, _CLOSE, _CLOSE, _CLOSE):  # Tukey's weights
        over, under = 0.0, 0.0
        for plane, own in zip(planes, lines, strict=True):
            down = plane + np.array((0.0, 0.0, shift))
            size = float(np.linalg.norm(down))
            off = own.normals @ down / size
            trust = np.sqrt(own.lengths) * np.clip(1 - (off / (1.5 * close)) ** 2, 0, None) ** 2
            over += float(trust @ (off * own.normals[:, 2])) * size
            under += float(trust @ own.normals[:, 2] ** 2)
        shift -= over / max(under, 1e-12)
    return shift


def ways_of_uprights(lines: list[Lines]) -> np.ndarray | None:
    """The way down in each frame by its own and its neighbours' upright lines alone.

    Args:
        lines: Each frame's uprights.

    Returns:
        (T, 3) unit vectors; None where hardly two lines agree.
    """
    pooled = agreed_direction(Lines.join(lines), np.array((0.0, 1, 0)), 40)
    if pooled is None:
        return None
    ways = []
    for place in range(len(lines)):
        own = agreed_direction(Lines.join(lines[max(0, place - 1) : place + 2]), pooled[0], _TURN_DEG)
        ways.append(pooled[0] if own is None else own[0])
    return np.stack(ways)


def agreement(ways: np.ndarray, lines: list[Lines]) -> tuple[float, float]:
    """How much upright lines agree on ways down: by their lengths' roots, and lines a frame.

    Args:
        ways: (T, 3).
        lines: Each frame's uprights.
    """
    length, count = 0.0, 0
    for way, own in zip(ways, lines, strict=True):
        length += float(_votes(own, way[None], _CLOSE)[0])
        count += int((np.abs(own.normals @ way) < _CLOSE * np.linalg.norm(way)).sum())
    return length, count / max(len(lines), 1)


def _votes(lines: Lines, downs: np.ndarray, close: float) -> np.ndarray:
    """(K,) how many lines hold each of (K, 3) ways down, by the roots of lengths, fading with the angle."""
    downs = downs / np.linalg.norm(downs, axis=1, keepdims=True)
    votes: np.ndarray = np.sqrt(lines.lengths) @ (
        1 - np.minimum(np.abs(lines.normals @ downs.T) / close, 1) ** 2
    )
    return votes
