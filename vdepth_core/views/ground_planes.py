"""The ground's plane in each frame of a shot: found in some frames, followed through all, the best kept."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..geometry.ground_plane import find_plane, on_plane, refine_plane, spread
from .ground_frames import ShotFrames, rays_of

_SEEDS = 8  # frames in which it is looked for
_TRACKED = 3  # of those, the best that are followed
_CLOSE = 0.03  # of the range of disparity, up to which a pixel lies on the plane
_NARROWEST = 0.2  # of that, as far as what lies on it agrees
_SPREAD = 2.5  # standard deviations that still are the plane's


def track_ground(frames: ShotFrames, ground: np.ndarray, number: int) -> tuple[np.ndarray, float, float]:
    """The plane of the ground in each frame.

    Args:
        frames: Of the shot.
        ground: (N, 2) pixels of the plate on it, in one frame; none: it is looked for.
        number: That frame's file number.

    Returns:
        (T, 3) its A, B and C, the share of the lower half on it, and how near counts as on it.

    Raises:
        InputError: what was picked is no ground.
    """
    close = max(_CLOSE * spread(frames.disparity[:, frames.low]), 1e-9)
    if len(ground):
        place = int(np.abs(frames.numbers - number).argmin())
        return _follow(frames, _through(frames, place, ground, close), place, close), 1.0, close
    best, most = np.zeros((len(frames.numbers), 3)), 0.0
    for place, plane in _seeds(frames):
        planes = _follow(frames, plane, place, close)
        share = _share(frames, planes, close)
        if share > most:
            best, most = planes, share
    if not most:
        return best, 0.0, close
    for _ in range(4):  # what lies beside it (a kerb, a rug on the floor) falls out
        narrow = _NARROWEST * close
        off = np.abs(np.stack([on_plane(plane, frames.x, frames.y) for plane in best]) - frames.disparity)
        inside = off[(off < close) & frames.low & (frames.disparity > 0)]
        narrow = float(np.clip(_SPREAD * 1.4826 * np.median(inside), narrow, close))
        best = np.stack(
            [
                refined(frames, row, plane, narrow / 2)
                for row, plane in zip(frames.disparity, best, strict=True)
            ]
        )
    return best, most, close


def refined(frames: ShotFrames, row: np.ndarray, plane: np.ndarray, close: float) -> np.ndarray:
    """A frame's plane by what is near it in the picture's lower half.

    Args:
        frames: Of the shot.
        row: (N,) disparity of the frame.
        plane: (A, B, C) to begin with.
        close: Difference of disparity that is still the plane's.
    """
    seen = frames.low & (row > 0)
    return refine_plane(row[seen], frames.x[seen], frames.y[seen], plane, close)


def _seeds(frames: ShotFrames) -> list[tuple[int, np.ndarray]]:
    """Frames and their planes, the best ones."""
    found = []
    for place in np.unique(np.linspace(0, len(frames.numbers) - 1, _SEEDS).round().astype(int)):
        row = frames.disparity[place]
        seen = frames.low & (row > 0)
        far = float(np.quantile(row[row > 0], 0.01)) if (row > 0).any() else 0.0
        plane, score = find_plane(row[seen], frames.x[seen], frames.y[seen], far, int(place))
        if score:
            found.append((score, int(place), plane))
    found.sort(key=lambda one: -one[0])
    return [(place, plane) for _, place, plane in found[:_TRACKED]]


def _follow(frames: ShotFrames, plane: np.ndarray, place: int, close: float) -> np.ndarray:
    """(T, 3): the plane of one frame in all, from neighbour to neighbour."""
    planes = np.zeros((len(frames.numbers), 3))
    planes[place] = refined(frames, frames.disparity[place], plane, close)
    for step, stop in ((1, len(planes)), (-1, -1)):
        for index in range(place + step, stop, step):
            planes[index] = refined(frames, frames.disparity[index], planes[index - step], close)
    return planes


def _share(frames: ShotFrames, planes: np.ndarray, close: float) -> float:
    """Of the lower half's pixels, in the median frame."""
    off = np.stack([on_plane(plane, frames.x, frames.y) for plane in planes]) - frames.disparity
    on = (np.abs(off) < close)[:, frames.low] & (frames.disparity > 0)[:, frames.low]
    return float(np.median(on.mean(1)))


def _through(frames: ShotFrames, place: int, ground: np.ndarray, close: float) -> np.ndarray:
    """The plane through picked points."""
    row = frames.disparity[place]
    nearest = [
        int(np.hypot(frames.x - ray[0], frames.y - ray[1]).argmin()) for ray in rays_of(frames, ground)
    ]
    points = np.stack([frames.x[nearest], frames.y[nearest], np.ones(len(nearest))], 1)
    plane: np.ndarray = np.linalg.lstsq(points, row[nearest], rcond=None)[0]
    if plane[1] <= 0:
        raise InputError(
            "The picked points are no ground: their depth does not shrink down the picture.", "Pick others."
        )
    return refine_plane(row[row > 0], frames.x[row > 0], frames.y[row > 0], plane, close)
