"""What tells the horizon of a shot: picked points, upright edges, lines on the ground, the sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..choices import HorizonSource
from ..errors import InputError
from ..geometry.ground_plane import find_shift, on_plane, spread
from ..geometry.ground_shift import agreement, shift_by_uprights, uprights, ways_of_uprights
from ..geometry.lines import agreed_direction
from .ground_frames import ShotFrames, rays_of

_UPRIGHTS, _ALONE = 6, 8  # lines a frame that have to agree, with the ground's own tilt and without
_ROADS = 6  # lines a frame
_ROCK_DEG = 3.0  # by which frames may differ in where lines on the ground meet
_AS_GOOD = 0.85  # of what agrees when each frame's way down is free
_SKY = 0.04  # share of the pixels that shows it, by the plate
_ALL_FAR, _ALIKE = 0.08, 0.01  # share that is as far as anything, by depth alone, within that of its range


@dataclass(frozen=True)
class Horizon:
    """What the horizon is from, a key of `ground.WORDS`, and the shift it gives.

    Attributes:
        source: The key.
        shift: To be added to disparity.
        lean: Of the way down to the side, to be added to A over B.
        downs: (T, 3) the way down by each frame's own lines, or None.
    """

    source: str
    shift: float
    lean: float = 0.0
    downs: np.ndarray | None = None


def find_horizon(
    frames: ShotFrames,
    planes: np.ndarray,
    close: float,
    wanted: HorizonSource,
    picked: tuple[int, np.ndarray],
    *,
    affine: bool,
) -> Horizon:
    """The horizon by what is wanted, or by the first that the shot shows.

    Args:
        frames: Of the shot.
        planes: (T, 3) of its ground.
        close: Difference of disparity that is still the ground's.
        wanted: What it is taken from.
        picked: The file number of a frame, and (N, 2) pixels on its horizon, or none.
        affine: Whether depth is known up to scale and shift only.

    Raises:
        InputError: the shot does not show what is wanted.
    """
    number, points = picked
    if len(points) >= 2 and wanted in {"auto", "picked"}:
        return _by_points(frames, planes, number, points)
    if wanted == "depth" or (wanted == "auto" and not affine):
        return Horizon("depth", 0.0)
    if wanted in {"auto", "uprights"}:
        if (found := _by_uprights(frames, planes)) is not None:
            return found
        _give_up(wanted, "upright edges agree on the way down")
    if wanted in {"auto", "lines"}:
        if (shift := _by_road(frames, planes, close)) is not None:
            return Horizon("lines", shift)
        _give_up(wanted, "lines on the ground meet at one point of the horizon")
    far, seen = _far(frames)
    if wanted == "far" or (wanted == "auto" and seen):
        return Horizon("far", -far)
    return Horizon("level", float(np.median(-planes[:, 2])))


def _far(frames: ShotFrames) -> tuple[float, bool]:
    """Disparity of what is infinitely far, and whether the shot shows such a thing."""
    known = frames.disparity > 0
    far = frames.far
    if frames.sky is None:
        seen = frames.disparity[known]
        return far, bool((seen < far + _ALIKE * spread(seen)).mean() > _ALL_FAR)
    sky = frames.disparity[frames.sky & known]
    enough = sky.size > _SKY * frames.sky.size
    return (float(np.median(sky)) if enough else far), enough


def _give_up(wanted: str, what: str) -> None:
    if wanted != "auto":
        raise InputError(
            f"Too few {what}.", "Pick the horizon, or take it from something else with --horizon."
        )


def _by_points(frames: ShotFrames, planes: np.ndarray, number: int, points: np.ndarray) -> Horizon:
    """The plane of that frame has this horizon; the others follow by their own."""
    down = np.linalg.svd(rays_of(frames, points))[2][-1]  # at right angles to all rays to the horizon
    place = int(np.abs(frames.numbers - number).argmin())
    shift = float(planes[place, 1] * down[2] / down[1] - planes[place, 2])
    return Horizon("picked", shift, float(down[0] / down[1] - planes[place, 0] / planes[place, 1]))


def _by_uprights(frames: ShotFrames, planes: np.ndarray) -> Horizon | None:
    """By the edges of walls and furniture, with the ground's own tilt or, if fewer agree so, without."""
    if not frames.lines:
        return None
    own = [uprights(lines, plane) for lines, plane in zip(frames.lines, planes, strict=True)]
    shift, alone = shift_by_uprights(planes, own), ways_of_uprights(own)
    if shift is None or alone is None:
        return None
    tilted = planes + np.array((0.0, 0.0, shift))
    with_ground, without = agreement(tilted, own), agreement(alone, own)
    if with_ground[0] > _AS_GOOD * without[0]:
        return Horizon("uprights", shift) if with_ground[1] >= _UPRIGHTS else None
    if without[1] < _ALONE:
        return None
    found = _shift_under(frames, alone)
    return None if found is None else Horizon("uprights", found, downs=alone)


def _shift_under(frames: ShotFrames, downs: np.ndarray) -> float | None:
    """The shift by which disparity grows with how far below the horizon a pixel is."""
    shifts = []
    for down, row in zip(downs, frames.disparity, strict=True):
        below = down[0] * frames.x + down[1] * frames.y + down[2]
        seen = frames.low & (row > 0) & (below > 0.05)
        shifts.append(find_shift(row[seen], below[seen]) if seen.sum() > 50 else None)
    known = [shift for shift in shifts if shift is not None]
    return float(np.median(known)) if known else None


def _by_road(frames: ShotFrames, planes: np.ndarray, close: float) -> float | None:
    """The shift that puts the horizon where most lines on the ground meet, in most frames."""
    shifts = []
    for lines, row, plane in zip(frames.lines, frames.disparity, planes, strict=bool(frames.lines)):
        nearest = [int(np.hypot(frames.x - x, frames.y - y).argmin()) for x, y in lines.middles]
        apart = np.abs(on_plane(plane, frames.x[nearest], frames.y[nearest]) - row[nearest])
        crossing = np.abs(lines.along[:, 1]) > 0.2 * np.abs(lines.along[:, 0])
        here = lines.where((apart < close) & crossing & frames.low[nearest])
        found = agreed_direction(here, np.array((0.0, 0, 1)), 45)
        if found is not None and found[1] >= max(_ROADS, 0.5 * len(here)):
            shifts.append(float(-plane @ found[0] / found[0][2]))
    if len(shifts) < max(1, 0.5 * len(planes)):
        return None
    apart = np.median(np.abs(np.array(shifts) - np.median(shifts))) / np.median(planes[:, 1])
    return float(np.median(shifts)) if np.degrees(np.arctan(apart)) < _ROCK_DEG else None
