"""The ground and the horizon of a finished job: how its depth must be shifted, scaled and tilted to be level.

Depth known up to scale and shift leaves open where the horizon is (`geometry.ground_plane`). It is taken from
what is picked, from upright edges, from lines on the ground that run to one point, from the sky, or from a
camera held level. Where the estimate flickers, each frame gets a shift and scale that hold its ground still.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np

from ..choices import HorizonSource, one_of
from ..clip import Clip
from ..errors import InputError, UsageError, VdepthError
from ..geometry.ground_plane import lowest_slope, on_plane, refine_plane
from ..output.manifest import Manifest
from ..output.plate import plate_of
from ..output.sequence import DepthSequence, read_sequence
from ..progress import Progress
from .ground_frames import ShotFrames, read_frames
from .ground_horizon import Horizon, find_horizon
from .ground_planes import track_ground

WORDS: dict[str, str] = {
    "picked": "the horizon that was picked",
    "uprights": "upright edges in the picture",
    "lines": "lines on the ground that meet at the horizon",
    "far": "the far end of the depth, taken for infinitely far",
    "level": "the assumption that the camera is held level",
    "depth": "the depth itself",
}
_LOG = logging.getLogger(__name__)
_GROUND = 0.08  # least share of the lower half that lies on one plane
_STEADY = 0.4  # seconds: the tilt follows what is slower
_STEEPEST = 0.6  # cosine of how far a camera looks up or down or leans: 53 degrees
_UNEVEN = 0.2  # of the camera's height
_WORTH = 0.8  # of the unevenness that must be left for shift and scale to change from frame to frame
_SAME_HEIGHT = 0.08
_NONE = np.zeros((0, 2))


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
        clip: The clip; default: where the job found it. If it is gone from there, no lines are looked for.
        progress: Hears of the work and may stop it.

    Raises:
        InputError: the job is not finished, a file is damaged, no ground is seen, or the shot does not show
            what the horizon is to be taken from.
        UsageError: there is no such horizon; what is picked is of no frame of the
            job, or lies outside the plate.
    """
    if horizon not in get_args(HorizonSource):
        raise UsageError(f"There is no horizon {horizon!r}.", one_of(horizon, get_args(HorizonSource)))
    depth = read_sequence(out)
    if picked is not None:
        _check_picked(depth, picked)
    affine = depth.manifest.model.space == "affine_invariant"
    needed = horizon in {"uprights", "lines"}
    plate = _plate(depth.manifest, clip, needed) if needed or clip or (horizon == "auto" and affine) else None
    found = []
    for shot in depth.manifest.shots:
        numbers = range(shot.start_number, shot.start_number + shot.count)
        frames = read_frames(depth, shot, plate, progress)
        rate = float(depth.rate) * len(frames.numbers) / shot.count
        here = picked if picked is not None and picked.number in numbers else None
        found.append(ground_of(frames, rate, affine=affine, horizon=horizon, picked=here))
    return found


def _plate(manifest: Manifest, clip: Path | None, needed: bool) -> Clip | None:
    """The pictures, for their lines; None where they are gone, not needed, and nobody said where they are."""
    resampled = manifest.count != manifest.frames.stop - manifest.frames.first
    try:
        return None if resampled and not needed else plate_of(manifest, clip)
    except VdepthError as error:
        if needed or clip is not None:
            raise
        _LOG.warning("No lines of the picture are used: %s", error)
        return None


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
    ground, points = (picked.ground, picked.horizon) if picked is not None else (_NONE, _NONE)
    number = picked.number if picked is not None else 0
    planes, share, close = track_ground(frames, ground, number)
    if share < _GROUND:
        raise InputError(
            f"No ground is seen: no plane holds more than {100 * share:.0f} % of the picture's lower half.",
            "Pick three or more points on it.",
        )
    found = find_horizon(frames, planes, close, horizon, (number, points), affine=affine)
    steady = _unit(_smooth(_ways(found, planes), _STEADY * rate))
    if steady[:, 1].min() < _STEEPEST:
        raise InputError(
            f"What looks like ground would be steeper than any camera sees it, by {WORDS[found.source]}.",
            "Pick three or more points on the ground, and two or more on the horizon.",
        )
    only = np.stack([on_plane(one, frames.x, frames.y) for one in planes]) if len(ground) else None
    scale, shifts, height, uneven = _levelled(frames, steady, found.shift, close, only)
    if not uneven[0] < _UNEVEN:
        raise InputError(
            "What looks like ground in the clip is not flat.", "Pick three or more points on the ground."
        )
    return ShotGround(
        frames.numbers, found.source, share, height, steady, scale, shifts,
        _rows(frames, steady), _rows(frames, _shifted(planes, found.shift)), _rows(frames, planes), uneven,
    )  # fmt: skip


def _ways(horizon: Horizon, planes: np.ndarray) -> np.ndarray:
    """(T, 3) the way down by each frame's lines, or by the ground's own planes where those say nothing."""
    if horizon.downs is not None:
        return horizon.downs
    lean = np.zeros_like(planes)
    lean[:, 0], lean[:, 2] = horizon.lean * planes[:, 1], horizon.shift
    return _unit(planes + lean)


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


def _shifted(planes: np.ndarray, shift: float) -> np.ndarray:
    moved: np.ndarray = planes + np.array((0.0, 0.0, shift))
    return moved


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """A line fitted around each frame, Gaussian over time (axis 0): a steady turn stays as it is."""
    time = np.arange(len(values), dtype=np.float64)
    if len(values) < 3 or sigma <= 0:
        return values
    apart = time[None] - time[:, None]
    weights = np.exp(-0.5 * (apart / sigma) ** 2)
    zeroth, first, second = (np.sum(weights * apart**power, 1, keepdims=True) for power in (0, 1, 2))
    kernel = weights * (second - first * apart)
    smooth: np.ndarray = kernel @ values / np.maximum(zeroth * second - first**2, 1e-12)
    return smooth
