"""The ground in disparity maps: a plane in space is a plane over the picture.

A point at (x, y, 1)·z on the plane below the camera, ``down · (x, y, 1) z = height``, has disparity
``1 / z = down · (x, y, 1) / height``: linear in x and y. Depth known up to scale and shift keeps it a plane,
``d = (A x + B y + C)``, so that planeness says nothing of the shift: the horizon does, where 1 / z is zero.
"""

from __future__ import annotations

import numpy as np

STEEPEST = 0.36  # of A over B: the horizon leans by 20 degrees at most
_TRIES = 1500
_POINTS = 1500  # of the pixels, that planes are tried on
_LEAN, _PITCH = 0.35, 0.7  # tangents: standard deviations of how cameras are held, wide
_CLOSE = 0.03  # of the range of disparity, up to which a pixel lies on the plane


def spread(disparity: np.ndarray) -> float:
    """How far disparity reaches, without its outliers; 0 where there is none.

    Args:
        disparity: Of any shape; 0 where there is none.
    """
    seen = disparity[disparity > 0]
    return float(np.quantile(seen, 0.98) - np.quantile(seen, 0.02)) if seen.size else 0.0


def find_plane(
    disparity: np.ndarray, x: np.ndarray, y: np.ndarray, far: float, seed: int = 0
) -> tuple[np.ndarray, float]:
    """The plane that the most pixels lie on and that rises towards the picture's lower edge (RANSAC).

    Of two that hold as many, it is the one of a camera that leans less.

    Args:
        disparity: (N,) of pixels that may be ground, of one or more frames.
        x, y: (N,) where they are at z = 1.
        far: Disparity of the farthest things: the plane reaches it within the picture or a bit beyond.
        seed: Of the tries.

    Returns:
        (A, B, C), and the share of the pixels that lie on it; zeros if there is none.
    """
    if len(disparity) < 3:
        return np.zeros(3), 0.0
    chance, close = np.random.default_rng(seed), max(_CLOSE * spread(disparity), 1e-9)
    few = chance.permutation(len(disparity))[:_POINTS]
    points = np.stack([x[few], y[few], np.ones(len(few))], 1)
    values = disparity[few]
    chosen = chance.integers(0, len(few), (_TRIES, 3))
    corners = points[chosen]
    corners, chosen = (kept[np.abs(np.linalg.det(corners)) > 1e-6] for kept in (corners, chosen))
    planes = np.linalg.solve(corners, values[chosen][..., None])[..., 0]
    rising = (planes[:, 1] > 0) & (np.abs(planes[:, 0]) < STEEPEST * planes[:, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        horizon = (far - planes[:, 2]) / planes[:, 1]
        chances = np.exp(-0.5 * ((planes[:, 0] / planes[:, 1] / _LEAN) ** 2 + (horizon / _PITCH) ** 2))
    usable = rising & (horizon > y.min() - 1.2) & (horizon < y.max() - 0.1 * np.ptp(y))
    planes, chances = planes[usable], chances[usable]
    if not len(planes):
        return np.zeros(3), 0.0
    best, most = planes[0], -1.0
    for part, likely in zip(
        *(np.array_split(some, -(-len(planes) // 200)) for some in (planes, chances)), strict=True
    ):
        apart = np.abs(points @ part.T - values[:, None]) / close
        scores = likely * (1 - np.minimum(apart, 1) ** 2).sum(0)
        if scores.max() > most:
            best, most = part[int(scores.argmax())], float(scores.max())
    best = refine_plane(disparity, x, y, best, close)
    return best, float((np.abs(on_plane(best, x, y) - disparity) < close).mean())


def refine_plane(
    disparity: np.ndarray, x: np.ndarray, y: np.ndarray, plane: np.ndarray, close: float
) -> np.ndarray:
    """Least squares on the pixels near a plane, what is far off left out (Tukey's weights).

    Args:
        disparity: (N,) of the pixels.
        x, y: (N,) where they are at z = 1.
        plane: (A, B, C) to begin with.
        close: Difference of disparity that is still the plane's.
    """
    points = np.stack([x, y, np.ones_like(x)], 1)
    for _ in range(15):
        trust = np.clip(1 - ((points @ plane - disparity) / (2 * close)) ** 2, 0, None)
        if (trust > 0).sum() < 8:
            break
        found = np.linalg.lstsq(points * trust[:, None], disparity * trust, rcond=None)[0]
        change, plane = np.abs(found - plane).max(), found
        if change < 1e-6 * abs(plane[1]):
            break
    return plane


def find_shift(disparity: np.ndarray, below: np.ndarray, seed: int = 0) -> float | None:
    """The shift under which disparity grows in proportion to how far a pixel is below the horizon.

    All level planes, floor and table alike, lie on lines through one point: ``d = slope · below - shift``.

    Args:
        disparity: (N,) of pixels below the horizon.
        below: (N,) ``down · (x, y, 1)`` of theirs.
        seed: Of the tries.

    Returns:
        The shift, to be added to disparity; None if disparity does not grow.
    """
    chance, close = np.random.default_rng(seed), max(_CLOSE * spread(disparity), 1e-9)
    few = chance.permutation(len(disparity))[:4000]
    values, low = disparity[few], below[few]
    one, other = chance.integers(0, max(len(few), 1), (2, _TRIES)) if len(few) else np.zeros((2, 0), int)
    apart = low[one] - low[other]
    kept = np.abs(apart) > 0.1 * np.ptp(low) if len(few) else np.zeros(0, bool)
    slopes = (values[one] - values[other])[kept] / apart[kept]
    starts = values[one][kept] - slopes * low[one][kept]
    slopes, starts = slopes[slopes > 0], starts[slopes > 0]
    if not len(slopes):
        return None
    scores = [
        (1 - np.minimum(np.abs(slope * low + start - values) / close, 1) ** 2).sum()
        for slope, start in zip(slopes[:600], starts[:600], strict=True)
    ]
    slope, start = slopes[int(np.argmax(scores))], starts[int(np.argmax(scores))]
    plane = refine_plane(values, np.zeros_like(low), low, np.array([0.0, slope, start]), close)
    return -float(plane[2])


def lowest_slope(disparity: np.ndarray, below: np.ndarray, shift: float) -> float | None:
    """Of level planes at several heights, the lowest that is well seen: its 1 / height.

    Args:
        disparity: (N,) of pixels.
        below: (N,) ``down · (x, y, 1)`` of theirs.
        shift: Added to disparity.
    """
    usable = (below > 0.12) & (disparity + shift > 0)
    if usable.sum() < 50:
        return None
    slopes = np.log((disparity[usable] + shift) / below[usable])
    low, high = np.quantile(slopes, (0.01, 0.99))
    count, edges = np.histogram(slopes, max(8, int((high - low) / 0.03)), (low, high))
    smooth = np.convolve(count, (0.25, 0.5, 0.25), "same")
    well = smooth >= 0.3 * smooth.max()
    peaks = well & (smooth >= np.roll(smooth, 1)) & (smooth >= np.roll(smooth, -1))
    place = int(np.flatnonzero(peaks)[0])
    return float(np.exp((edges[place] + edges[place + 1]) / 2))


def on_plane(plane: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Disparity of a plane.

    Args:
        plane: (A, B, C).
        x, y: Where, at z = 1.
    """
    disparity: np.ndarray = plane[0] * x + plane[1] * y + plane[2]
    return disparity
