"""The ground and the horizon of a finished job: how its depth must be shifted, scaled and tilted to be level.

Depth known up to scale and shift leaves open where the horizon is (`geometry.ground_plane`). It is taken from
what is picked, from upright edges, from lines on the ground that run to one point, from the sky, or from a
camera held level. Where the estimate flickers, each frame gets a shift and scale that hold its ground still.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError, UsageError
from ..geometry.ground_plane import find_plane, find_shift, lowest_slope, on_plane, refine_plane, spread
from ..geometry.lines import Lines, agreed_direction
from ..output.sequence import DepthSequence, read_sequence
from ..progress import Progress
from .ground_frames import ShotFrames, read_frames

HorizonSource = Literal["auto", "picked", "uprights", "lines", "far", "level", "depth"]
WORDS: dict[str, str] = {
    "picked": "the horizon that was picked",
    "uprights": "upright edges in the picture",
    "lines": "lines on the ground that meet at the horizon",
    "far": "the far end of the depth, taken for infinitely far",
    "level": "the assumption that the camera is held level",
    "depth": "the depth itself",
}
_GROUND = 0.08  # least share of the lower half that lies on one plane
_UPRIGHTS, _ROADS = 10, 6  # lines a frame that have to agree
_SKY = 0.08  # share of the pixels that is as far as anything
_STEADY = 0.4  # seconds: the tilt follows what is slower
_STEEPEST = 0.6  # cosine of how far a camera looks up or down or leans: 53 degrees
_UNEVEN = 0.2  # of the camera's height
_WORTH = 0.8  # of the unevenness that must be left for shift and scale to change from frame to frame
_SAME_HEIGHT = 0.08
_CLOSE = 0.03


@dataclass(frozen=True)
class Picked:
    """What somebody pointed at, in a frame.

    Attributes:
        number: The frame's file number.
        ground: (N, 2) pixels of the plate on the ground, at least three, or none.
        horizon: (N, 2) pixels on the horizon, at least two, or none.
    """

    number: int
    ground: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    horizon: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


@dataclass(frozen=True)
class ShotGround:
    """The ground of a shot. Aligned depth is ``scale · z / (1 + shift · z)``, as in the add-on's mesh.

    Attributes:
        numbers: (T,) files that were looked at; between them all changes evenly.
        source: What the horizon is from, a key of `WORDS`.
        share: Of the picture's lower half that lies on one plane.
        height: Of the camera over the ground, in units of the aligned depth.
        down: (T, 3) unit vector to the ground in the camera's axes (OpenCV), steady.
        scale, shift: (T,) of the alignment; the same for all frames where the estimate does not flicker.
        horizon: (T,) row of the horizon at the picture's middle column by `down`, in pixels.
        fitted: (T,) the same by a plane fitted to each frame's ground, after the shift.
        estimated: (T,) the same before the shift.
        uneven: Median distance of the ground's points from the level plane, over the camera's height: with
            one scale and shift for the shot, and as aligned.
    """

    numbers: np.ndarray
    source: str
    share: float
    height: float
    down: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    horizon: np.ndarray
    fitted: np.ndarray
    estimated: np.ndarray
    uneven: tuple[float, float]


def find_ground(
    out: str | Path,
    *,
    horizon: HorizonSource = "auto",
    picked: Picked | None = None,
    clip: Path | None = None,
    progress: Progress | None = None,
) -> list[ShotGround]:
    """Finds the ground of every shot of a finished job.

    Args:
        out: The job's folder.
        horizon: What the horizon is taken from; ``auto`` takes what is picked, the depth itself where its
            model knows the shift, else the first that the shot shows: uprights, lines, far, level.
        picked: Points on the ground or the horizon.
        clip: The clip; default: where the job found it. Without it no lines are looked for.
        progress: Hears of the work and may stop it.

    Raises:
        InputError: the job is not finished, a file is damaged, or no ground is seen.
        UsageError: what is picked is of no frame of the job, or lies outside the plate.
    """
    depth = read_sequence(out)
    if picked is not None:
        _check_picked(depth, picked)
    affine = depth.manifest.model.space == "affine_invariant"
    path = clip or Path(depth.manifest.clip.path)
    lines = horizon in {"uprights", "lines"} or (horizon == "auto" and affine)
    found = []
    for shot in depth.manifest.shots:
        numbers = range(shot.start_number, shot.start_number + shot.count)
        frames = read_frames(depth, shot, path if lines and path.exists() else None, progress)
        rate = float(depth.rate) * len(frames.numbers) / shot.count
        here = picked if picked is not None and picked.number in numbers else None
        found.append(ground_of(frames, rate, affine=affine, horizon=horizon, picked=here))
    return found


def _check_picked(depth: DepthSequence, picked: Picked) -> None:
    """Refuses what would be passed over, or taken for the nearest pixel; a horizon may lie outside."""
    shots = [(shot.start_number, shot.start_number + shot.count - 1) for shot in depth.manifest.shots]
    if not any(first <= picked.number <= last for first, last in shots):
        raise UsageError(
            f"The job has no frame {picked.number}.",
            f"Its files are numbered {shots[0][0]} to {shots[-1][1]}.",
        )
    _, height, width = depth.shape
    outside = ((picked.ground < 0) | (picked.ground > (width, height))).any(1)
    if outside.any():
        x, y = picked.ground[outside][0]
        raise UsageError(
            f"The picked point {x:g},{y:g} on the ground lies outside the plate.",
            f"The plate has {width}x{height} pixels.",
        )


def ground_of(
    frames: ShotFrames,
    rate: float,
    *,
    affine: bool,
    horizon: HorizonSource = "auto",
    picked: Picked | None = None,
) -> ShotGround:
    """The ground of a shot.

    Args:
        frames: Of the shot.
        rate: How many of them are in a second.
        affine: Whether their depth is known up to scale and shift only.
        horizon: As in `find_ground`.
        picked: As in `find_ground`.

    Raises:
        InputError: no ground is seen.
    """
    plane, share, close = _plane(frames, picked)
    if share < _GROUND:
        raise InputError(
            f"No ground is seen: no plane holds more than {100 * share:.0f} % of the picture's lower half.",
            "Pick three or more points on it.",
        )
    planes = np.array([_refined(frames, row, plane, close) for row in frames.disparity])
    chosen = picked is not None and len(picked.ground) > 0
    only = np.array([on_plane(one, frames.x, frames.y) for one in planes])
    source, downs, shift = _horizon(frames, planes, plane, only, close, horizon, picked, affine=affine)
    if downs is None:
        downs = _unit(_shifted(planes, shift))
    steady = _unit(_smooth(downs, _STEADY * rate))
    if steady[:, 1].min() < _STEEPEST:
        raise InputError(
            f"What looks like ground would be steeper than any camera sees it, by {WORDS[source]}.",
            "Pick three or more points on the ground, and two or more on the horizon.",
        )
    scale, shifts, height, uneven = _levelled(frames, steady, shift, close, only if chosen else None)
    if not uneven[0] < _UNEVEN:
        raise InputError(
            "What looks like ground in the clip is not flat.", "Pick three or more points on the ground."
        )
    return ShotGround(
        frames.numbers, source, share, height, steady, scale, shifts,
        _rows(frames, steady), _rows(frames, _shifted(planes, shift)), _rows(frames, planes), uneven,
    )  # fmt: skip


def _plane(frames: ShotFrames, picked: Picked | None) -> tuple[np.ndarray, float, float]:
    """The shot's plane, the share of the lower half on it, and how near counts as on it."""
    low = frames.low
    close = max(_CLOSE * spread(frames.disparity[:, low]), 1e-9)
    few = frames.disparity[:: max(1, len(frames.disparity) // 8)]
    values = few[:, low].ravel()
    x, y = (np.tile(place[low], len(few)) for place in (frames.x, frames.y))
    seen = values > 0
    if picked is None or not len(picked.ground):
        far = _far(frames)
        return *find_plane(values[seen], x[seen], y[seen], far), close
    rays = _rays(frames, picked.ground)
    row = frames.disparity[int(np.abs(frames.numbers - picked.number).argmin())]
    nearest = [int(np.hypot(frames.x - ray[0], frames.y - ray[1]).argmin()) for ray in rays]
    points = np.stack([frames.x[nearest], frames.y[nearest], np.ones(len(nearest))], 1)
    plane = np.linalg.lstsq(points, row[nearest], rcond=None)[0]
    if plane[1] <= 0:
        raise InputError(
            "The picked points are no ground: their depth does not shrink down the picture.", "Pick others."
        )
    plane = refine_plane(row[row > 0], frames.x[row > 0], frames.y[row > 0], plane, close)
    return plane, 1.0, close


def _refined(frames: ShotFrames, row: np.ndarray, plane: np.ndarray, close: float) -> np.ndarray:
    seen = frames.low & (row > 0)
    return refine_plane(row[seen], frames.x[seen], frames.y[seen], plane, close)


def _horizon(
    frames: ShotFrames,
    planes: np.ndarray,
    plane: np.ndarray,
    only: np.ndarray,
    close: float,
    wanted: HorizonSource,
    picked: Picked | None,
    *,
    affine: bool,
) -> tuple[str, np.ndarray | None, float]:
    """What the horizon is from, the way down in each frame where that tells it (T, 3), and the shift."""
    if picked is not None and len(picked.horizon) >= 2 and wanted in {"auto", "picked"}:
        down = _down_of(_rays(frames, picked.horizon))
        place = int(np.abs(frames.numbers - picked.number).argmin())
        # The plane of that frame has this horizon; the others follow by their own.
        shift = float(planes[place, 1] * down[2] / down[1] - planes[place, 2])
        lean = down[0] / down[1] - planes[place, 0] / planes[place, 1]
        downs = planes + np.stack(
            [lean * planes[:, 1], np.zeros(len(planes)), np.full(len(planes), shift)], 1
        )
        return "picked", _unit(downs), shift
    if wanted == "depth" or (wanted == "auto" and not affine):
        return "depth", None, 0.0
    chosen = picked is not None and len(picked.ground) > 0
    ground = frames.low & (np.abs(only - frames.disparity) < (2 * close if chosen else np.inf))
    if wanted in {"auto", "uprights"} and (found := _by_uprights(frames, ground)) is not None:
        return "uprights", *found
    if wanted in {"auto", "lines"} and (ahead := _by_road(frames, plane, close)) is not None:
        return "lines", None, float(np.median(-planes @ ahead))
    far = _far(frames)
    seen = frames.disparity[frames.disparity > 0]
    if wanted == "far" or (wanted == "auto" and (seen < far + 0.01 * spread(seen)).mean() > _SKY):
        return "far", None, -far
    return "level", None, float(np.median(-planes[:, 2]))


def _by_uprights(frames: ShotFrames, ground: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The way down by the edges of walls and furniture, frame by frame, and the shift that goes with it."""
    upright = [one.where(np.abs(one.along[:, 0]) < 0.6 * np.abs(one.along[:, 1])) for one in frames.lines]
    found = agreed_direction(Lines.join(upright), np.array((0.0, 1, 0)), 40) if upright else None
    if found is None or found[1] < _UPRIGHTS * len(upright):
        return None
    downs, shifts = [], []
    for one, row, here in zip(upright, frames.disparity, ground, strict=True):
        own = agreed_direction(one, found[0], 5)
        downs.append(own[0] if own is not None and own[1] >= _UPRIGHTS // 2 else found[0])
        below = _below(frames, downs[-1])
        seen = here & (row > 0) & (below > 0.05)
        shifts.append(find_shift(row[seen], below[seen]) if seen.sum() > 50 else None)
    known = [shift for shift in shifts if shift is not None]
    return (np.array(downs), float(np.median(known))) if known else None


def _by_road(frames: ShotFrames, plane: np.ndarray, close: float) -> np.ndarray | None:
    """Where most lines on the ground meet, as (x, y, 1): a point of the horizon."""
    if not frames.lines:
        return None
    on_ground = []
    for one, row in zip(frames.lines, frames.disparity, strict=True):
        nearest = [int(np.hypot(frames.x - x, frames.y - y).argmin()) for x, y in one.middles]
        apart = np.abs(on_plane(plane, frames.x[nearest], frames.y[nearest]) - row[nearest])
        crossing = np.abs(one.along[:, 1]) > 0.2 * np.abs(one.along[:, 0])
        on_ground.append(one.where((apart < close) & crossing & frames.low[nearest]))
    found = agreed_direction(Lines.join(on_ground), np.array((0.0, 0, 1)), 45)
    if found is None or found[1] < max(_ROADS * len(on_ground), 0.5 * sum(map(len, on_ground))):
        return None
    ahead: np.ndarray = found[0] / found[0][2]
    return ahead


def _levelled(
    frames: ShotFrames, down: np.ndarray, shift: float, close: float, only: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, float, tuple[float, float]]:
    """Scale and shift that put the ground where tilt and one height say, frame by frame if need be.

    Args:
        only: (T, N) disparity of the plane that was picked; None: the lowest level plane is the ground.
    """
    below = np.stack([_below(frames, one) for one in down])
    used = frames.low & (frames.disparity > 0) & (below > 0.05)
    if only is not None:
        used &= np.abs(frames.disparity - only) < 2 * close
    ratios = (frames.disparity[used] + shift) / below[used]
    slope = (lowest_slope(frames.disparity[used], below[used], shift) if only is None else None) or float(
        np.median(ratios)
    )
    slope = float(np.median(ratios[np.abs(ratios / slope - 1) < _SAME_HEIGHT]))
    height, still = 1 / slope, np.ones(len(down))
    before = _uneven(frames.disparity + shift, below, used, height, close)
    fits = []
    for row, low, seen in zip(frames.disparity, below, used, strict=True):
        guess = np.array((0.0, slope, -shift))
        fits.append(refine_plane(row[seen], np.zeros(int(seen.sum())), low[seen], guess, close)[1:])
    slopes, starts = np.array(fits).T
    scale, shifts = slopes * height, -starts
    after = _uneven((frames.disparity + shifts[:, None]) / scale[:, None], below, used, height, close)
    if (
        not after < _WORTH * before
    ):  # the estimate is steady: what was measured is the measurement's own noise
        scale, shifts, after = still, still * shift, before
    return scale, shifts, height, (before, after)


def _uneven(disparity: np.ndarray, below: np.ndarray, used: np.ndarray, height: float, close: float) -> float:
    """Median of |depth below the camera / its height − 1| over the ground's pixels."""
    ground = used & (np.abs(disparity - below / height) < 2 * close) & (disparity > 0)
    if not ground.any():
        return float("nan")
    return float(np.median(np.abs(below[ground] / disparity[ground] / height - 1)))


def _below(frames: ShotFrames, down: np.ndarray) -> np.ndarray:
    below: np.ndarray = down[0] * frames.x + down[1] * frames.y + down[2]
    return below


def _rows(frames: ShotFrames, downs: np.ndarray) -> np.ndarray:
    """Where the horizon crosses the picture's middle column."""
    camera = frames.camera
    x = (frames.size[0] / 2 - camera.cx) / camera.fx
    rows: np.ndarray = -(downs[:, 2] + downs[:, 0] * x) / downs[:, 1] * camera.fy + camera.cy
    return rows


def _far(frames: ShotFrames) -> float:
    seen = frames.disparity[frames.disparity > 0]
    return float(np.quantile(seen, 0.01)) if seen.size else 0.0


def _rays(frames: ShotFrames, pixels: np.ndarray) -> np.ndarray:
    camera = frames.camera
    flat = (np.asarray(pixels, np.float64) - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    return np.concatenate([flat, np.ones((len(flat), 1))], 1)


def _down_of(rays: np.ndarray) -> np.ndarray:
    """The way down, at right angles to all rays to the horizon."""
    down: np.ndarray = np.linalg.svd(rays)[2][-1]
    return down if down[1] > 0 else -down


def _shifted(planes: np.ndarray, shift: float) -> np.ndarray:
    moved: np.ndarray = planes + np.array((0.0, 0.0, shift))
    return moved


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian over time (axis 0); the ends hold."""
    reach = min(int(np.ceil(3 * sigma)), 4 * len(values))
    if reach < 1 or len(values) < 2:
        return values
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    smooth: np.ndarray = np.stack(
        [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T], 1
    )
    return smooth
