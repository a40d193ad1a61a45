"""The cameras of a clip, from points followed through it and the untouched model's depth.

The model's depth, which may be wrong by a third everywhere, only begins it: with it each frame's pose is
found in turn. Then every shot is bundle-adjusted: the points' own inverse depths, the poses and, where the
lens is not known, the focal length explain where points are seen; the model hardly has a say. What scale and
shift its disparity needs is fitted to these points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import InputError
from ..geometry.bundle import rescaled
from ..geometry.camera import DEFAULT_FOV, Intrinsics
from ..geometry.camera_path import inverse_pose
from ..geometry.motion.focal import VAGUE
from ..geometry.motion.reading import Reading, fit_reading
from ..geometry.motion.shots import Said, ShotSolution, solve_shot
from ..geometry.motion.sightings import look_around
from .gaps import choose_gaps, luma_of
from .lens import matrix_at

if TYPE_CHECKING:
    from ..flow.tracks import Tracks
    from ..progress import Progress
    from .footage import Footage

STAGE = "solve"
AROUND = 7  # pixels: beside a silhouette nobody knows whose a point is
EVEN = 0.15  # of the disparity's spread
_HINT = "Give a longer or sharper range with --frames, or the camera with --camera."


@dataclass(frozen=True, eq=False)
class Points:
    """What was triangulated, sparsely.

    Attributes:
        frame: (P,) int, the frames they were chosen in.
        pixels: (P, 2) pixel indices there.
        inverse: (P,) inverse depth there, in the unit of the poses.
        error: (P,) its standard deviation, as far as it is known.
    """

    frame: np.ndarray
    pixels: np.ndarray
    inverse: np.ndarray
    error: np.ndarray


@dataclass(frozen=True, eq=False)
class Solved:
    """The cameras of a footage, and how its disparity is to be read.

    Attributes:
        poses: (N, 4, 4) float64 camera-to-world; each shot begins a world of its own, unless the user knows
            better. Where ``trusted`` is False they are only a guess.
        K: (3, 3) for pixel indices at the footage's size.
        scale, shift: Inverse depth = scale · disparity + shift, in the unit of the poses.
        trusted: (N,) bool.
        focal_known: Whether the focal length was given, or is only assumed; if not it was found.
        focal_error: Standard deviation of the found focal length's logarithm.
        points: What was triangulated.
    """

    poses: np.ndarray
    K: np.ndarray
    scale: float
    shift: float
    trusted: np.ndarray
    focal_known: bool
    focal_error: float
    points: Points


def solve(
    footage: Footage,
    disparity: Callable[[int], np.ndarray],
    affine: bool,
    K: np.ndarray | None,
    path: np.ndarray | None,
    progress: Progress,
    gaps: Sequence[int] | None = None,
    shown: Sequence[bool] | None = None,
    assumed: np.ndarray | None = None,
) -> Solved:
    """Solves for the cameras of every shot; stage ``solve``.

    Recovered poses are in units of the points' median depth; given ones keep theirs.

    Args:
        footage: Its frames are there.
        disparity: Number of a frame -> (h, w), the untouched model's, bigger is nearer.
        affine: Whether disparity has an unknown shift.
        K: (3, 3) for pixel indices at the footage's size; None: the focal length is solved for.
        path: (N, 4, 4) camera-to-world where somebody knows it.
        progress: Told of each shot; may cancel.
        gaps: Of each shot, frames; None: chosen here.
        shown: Whether each shot shows parallax; those that do not are left out. None: all do.
        assumed: As ``K``, where a focal length that is solved for starts: it keeps the shape of the pixels,
            which the network's size may have stretched. None: they are square.

    Raises:
        InputError: no camera explains any shot, or its points and the model's depth have nothing in common.
        Cancelled: the user asked to stop.
    """
    gaps = choose_gaps(footage, progress) if gaps is None else gaps
    wanted = [k for k in range(len(footage.shots)) if shown is None or shown[k]]
    progress.stage(STAGE, 2 * len(wanted))
    luma = luma_of(footage)
    start = _square(footage) if assumed is None else assumed
    lens, found, focal_error = start if K is None else K, K is None, 0.0
    seen = {}
    for number in wanted:
        with progress.step(STAGE):
            tracks = look_around(luma, footage.shots[number], gaps[number], progress)
            if tracks:
                seen[number] = (tracks, [_at(disparity(track.anchor), track.pixels) for track in tracks])

    def solved(number: int, lens: np.ndarray, focal: bool) -> ShotSolution:
        shot = footage.shots[number]
        known = None if path is None else inverse_pose(path[shot[0] : shot[-1] + 1])
        return solve_shot(*seen[number], len(shot), shot[0], lens, focal, affine, known)

    shots = {}
    for number in seen:
        with progress.step(STAGE):
            shots[number] = solved(number, lens, found)
    if found and shots:
        focal, focal_error = _common_focal(list(shots.values()))
        if focal_error > VAGUE:
            progress.warn(
                f"The clip does not say what its lens is; a field of view of {DEFAULT_FOV:.0f} degrees is "
                "assumed. Give --fov or --intrinsics if you know better."
            )
            found, focal_error = False, 0.0
        else:
            lens = lens * np.array(((focal / lens[0, 0], 1, 1), (1, focal / lens[0, 0], 1), (1, 1, 1)))
        if not found or len(shots) > 1:
            shots = {number: solved(number, lens, False) for number in shots}
    return _together(footage, shots, seen, affine, lens, path, found, focal_error)


def _square(footage: Footage) -> np.ndarray:
    size = footage.height, footage.width
    return matrix_at(Intrinsics.default(*size[::-1]), size, size)


def _at(disparity: np.ndarray, pixels: np.ndarray) -> Said:
    """What a map (h, w) says of whole pixel indices (P, 2)."""
    column, row = pixels.astype(int).T
    around = np.ones((AROUND, AROUND), np.uint8)
    change = cv2.morphologyEx(disparity.astype(np.float32), cv2.MORPH_GRADIENT, around)[row, column]
    spread = float(np.subtract(*np.quantile(disparity, (0.95, 0.05))))
    return Said(disparity[row, column].astype(np.float64), change <= EVEN * spread)


def _common_focal(shots: Sequence[ShotSolution]) -> tuple[float, float]:
    """Focal length in pixels and standard deviation of its logarithm, of all shots."""
    logs = np.log([shot.scene.K[0, 0] for shot in shots])
    weights = np.array([shot.focal_error**-2.0 for shot in shots])
    return float(np.exp(weights @ logs / weights.sum())), float(weights.sum() ** -0.5)


def _together(
    footage: Footage, shots: dict[int, ShotSolution], seen: dict[int, tuple[list[Tracks], list[Said]]],
    affine: bool, K: np.ndarray, path: np.ndarray | None, found: bool, focal_error: float,
) -> Solved:  # fmt: skip
    """All shots in one unit, in which one scale and shift read the disparity of them all.

    Raises:
        InputError: there is no shot that can be used.
    """
    usable = {k: s for k, s in shots.items() if s.reading is not None and s.trusted.any()}
    if not usable:
        raise InputError("No camera path explains how this clip moves.", _HINT)
    ratios = [(s.reading.shift / s.reading.scale, s.trusted.sum()) for s in usable.values() if s.reading]
    ratio = float(np.average([r for r, _ in ratios], weights=[w for _, w in ratios]))
    poses = np.tile(np.eye(4), (footage.count, 1, 1)) if path is None else path.astype(np.float64)
    trusted = np.zeros(footage.count, bool)
    parts: list[tuple[np.ndarray, ...]] = []
    for number, shot in usable.items():
        values, even = (
            np.concatenate([getattr(said, name) for said in seen[number][1]])
            for name in ("disparity", "even")
        )
        inverse, error = np.concatenate(shot.scene.inverse), np.concatenate(shot.errors)
        unsure = np.where(even, error, np.inf)
        scene, factor = shot.scene, 1.0
        if path is None:
            alike = fit_reading(values + ratio, inverse, unsure, affine=False)
            factor = 1 / alike.scale if alike else 1.0
            scene = rescaled(scene, factor)
        span = slice(footage.shots[number][0], footage.shots[number][-1] + 1)
        trusted[span] = shot.trusted
        if path is None:
            poses[span] = inverse_pose(scene.poses)
        frames = np.concatenate([np.full(len(s.pixels), s.anchor + span.start) for s in shot.sights])
        pixels = np.concatenate([s.pixels for s in shot.sights])
        parts.append((frames, pixels, inverse * factor, error * factor, values, unsure * factor))
    frames, pixels, inverse, error, values, unsure = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    reading = fit_reading(values, inverse, unsure, affine)
    if reading is None:
        raise InputError("The model's depth has nothing to do with what this clip shows.", _HINT)
    if path is None:  # in units of the median depth
        unit = 1 / float(np.median(inverse))
        poses[:, :3, 3] /= unit
        inverse, error = inverse * unit, error * unit
        reading = Reading(reading.scale * unit, reading.shift * unit)
    points = Points(frames, pixels, inverse, error)
    return Solved(poses, K, reading.scale, reading.shift, trusted, not found, focal_error, points)
