"""One shot's cameras and points, from a depth that is roughly right to a bundle that needs it no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...flow.tracks import Tracks
from ..bundle import FARTHEST, Normal, Rules, Scene, Sight, adjust, cost_of, look, rescaled
from ..camera_path import inverse_pose
from .reading import Reading, fit_reading

SHIFTS = (0.0, 0.05, 0.15, 0.4, 1.0, 3.0)  # of the disparity's spread: the first guess is the best of these
TRIALS = 4  # pairs of frames that they are tried on
BEGIN = (50.0, 12.0, 4.0)  # robust pixels while a pose is found from the model's depth
ROUNDS = ((4.0, 3.0), (2.0, 1.0), (1.0, 0.3), (0.7, 0.1))  # robust pixels, say of the model's depth
ALIKE = 100.0  # sightings that err together: neighbours in space and time share what misleads them
USUAL = 0.35  # spread of the logarithm of usual focal lengths
FOCAL = (0.35, 4.0)  # of the width, what is believed of a focal length that nobody gave: 110 to 14 degrees
INLIER = 2.0  # pixels
FEWEST = 12  # points that a frame's pose needs


@dataclass(frozen=True, eq=False)
class Said:
    """What the model says of some points.

    Attributes:
        disparity: (P,) at each of them.
        even: (P,) bool, whether it is much the same all around: at a silhouette nobody knows whose it is.
    """

    disparity: np.ndarray
    even: np.ndarray


@dataclass(frozen=True, eq=False)
class ShotSolution:
    """What was found of one shot.

    Attributes:
        scene: World-to-camera poses of its frames; the first is where the world is.
        sights: What it was found from; ``anchor`` and ``targets`` count from the shot's first frame.
        errors: Standard deviation (P,) of each sight's inverse depths.
        reading: Of the model's disparity, in the scene's unit; None: model and points do not go together.
        trusted: (N,) bool, whether a frame's pose is explained by enough points.
        focal_error: Standard deviation of the focal length's logarithm; 0: it was given.
        noise: Typical distance in pixels between where points are and where they should be.
    """

    scene: Scene
    sights: list[Sight]
    errors: list[np.ndarray]
    reading: Reading | None
    trusted: np.ndarray
    focal_error: float
    noise: float


def solve_shot(
    tracks: Sequence[Tracks], said: Sequence[Said], count: int, first: int, K: np.ndarray,
    focal: bool, affine: bool, poses: np.ndarray | None = None, expected: float | None = None,
) -> ShotSolution:  # fmt: skip
    """Solves a shot.

    Args:
        tracks: Its points.
        said: What the model says of each of them.
        count, first: Number of the shot's frames, and of its first one.
        K: (3, 3) for pixel indices; where ``focal``, a start.
        focal: Whether the focal length is solved for, too.
        affine: Whether disparity has an unknown shift.
        poses: (count, 4, 4) world-to-camera where they are known.
        expected: A usual focal length in pixels, of which little is believed; None: that of ``K``.
    """
    disparities = [points.disparity for points in said]
    everything, even = np.concatenate(disparities), np.concatenate([points.even for points in said])
    sights = [_sight(track, first) for track in tracks]
    if poses is None:
        reading = _first_reading(sights, disparities, K, affine)
        inverse = [np.maximum(reading(d), FARTHEST) for d in disparities]
        scene = Scene(_first_poses(sights, inverse, count, K), inverse, K)
        fixed = frozenset((0,))
    else:
        reading = Reading(1 / max(float(np.median(everything)), 1e-9), 0.0)
        scene = Scene(poses, [np.full(len(d), 1.0) for d in disparities], K)
        scene = replace(scene, inverse=[np.full(len(d), _level(poses)) for d in disparities])
        fixed = frozenset(range(count))
    agreed: Reading | None = reading if poses is None else None
    rules, noise, width = Rules(), 1.0, 2 * float(K[0, 2]) + 1
    for place, (robust, say) in enumerate(ROUNDS):
        free = focal and place > 0
        belief = ALIKE * noise**2 / USUAL**2 if free else 0.0
        last = place == len(ROUNDS) - 1
        rules = Rules(
            robust, 20 if last else 10, fixed, free, belief, expected or float(K[0, 0]),
            (FOCAL[0] * width, FOCAL[1] * width) if focal else Rules.focal_range,
            enough=1e-4 if last else 1e-3,
        )  # fmt: skip
        sights = _believing(sights, said, agreed, say if poses is None else 0.0)
        scene = adjust(sights, scene, rules)
        errors, noise = _errors(sights, scene, rules)
        unsure = np.where(even, np.concatenate(errors), np.inf)
        agreed = fit_reading(everything, np.concatenate(scene.inverse), unsure, affine)
        if poses is None:
            scene, agreed = _in_unit(scene, agreed)
    errors, noise = _errors(sights, scene, rules)
    focal_error = 0.0
    if focal:
        certainty = Normal(sights, scene, rules).focal_certainty() / ALIKE
        focal_error = noise / float(np.sqrt(max(certainty, 1e-12)))
    return ShotSolution(scene, sights, errors, agreed, _trusted(sights, scene, count), focal_error, noise)


def _sight(track: Tracks, first: int) -> Sight:
    nothing = np.zeros(len(track.pixels))
    targets = np.array(track.frames) - first
    return Sight(
        track.anchor - first, targets, track.pixels, track.seen, track.found.astype(float), nothing, nothing
    )


def _believing(
    sights: Sequence[Sight], said: Sequence[Said], reading: Reading | None, say: float
) -> list[Sight]:
    """The sights with what the model expects of them."""
    if reading is None:
        return [replace(sight, belief=np.zeros(len(sight.pixels))) for sight in sights]
    return [
        replace(sight, expected=reading(points.disparity), belief=say * points.even)
        for sight, points in zip(sights, said, strict=True)
    ]


def _in_unit(scene: Scene, reading: Reading | None) -> tuple[Scene, Reading | None]:
    """In units of the points' median depth."""
    factor = 1 / float(np.median(np.concatenate(scene.inverse)))
    if reading is not None:
        reading = Reading(reading.scale * factor, reading.shift * factor)
    return rescaled(scene, factor), reading


def _level(poses: np.ndarray) -> float:
    """An inverse depth to begin with when cameras are known: ten times as far as they ever are apart."""
    centres = inverse_pose(poses)[:, :3, 3]
    return 1 / max(10 * float(np.linalg.norm(np.ptp(centres, 0))), 1e-12)


def _first_reading(
    sights: Sequence[Sight], disparities: Sequence[np.ndarray], K: np.ndarray, affine: bool
) -> Reading:
    """In units of the median depth: the shift with which cameras explain most, pair by pair."""
    everything = np.concatenate(disparities)
    spread = float(np.subtract(*np.quantile(everything, (0.95, 0.05)))) or 1.0
    readings = []
    for shift in SHIFTS if affine else (0.0,):
        middle = max(float(np.median(everything)) + shift * spread, 1e-9)
        readings.append(Reading(1 / middle, shift * spread / middle))
    if len(readings) == 1:
        return readings[0]
    costs = np.zeros(len(readings))
    for place in np.unique(np.linspace(0, len(sights) - 1, TRIALS).round().astype(int)):
        sight, disparity = sights[place], disparities[place]
        lasting = np.flatnonzero(sight.weight.mean(0) >= 0.5 * sight.weight.mean(0).max())
        if not len(lasting):
            continue
        farthest = lasting[np.argmax(np.abs(sight.targets[lasting] - sight.anchor))]
        for number, reading in enumerate(readings):
            inverse = np.maximum(reading(disparity), FARTHEST)
            costs[number] += _resect([(sight, inverse, int(farthest), np.eye(4))], np.eye(4), K)[1]
    return readings[int(costs.argmin())]


def _first_poses(
    sights: Sequence[Sight], inverse: Sequence[np.ndarray], count: int, K: np.ndarray
) -> np.ndarray:
    """World-to-camera of all frames, one after the other, each from all frames that are known by then."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    for frame in range(1, count):
        seen = []
        for sight, depth in zip(sights, inverse, strict=True):
            if sight.anchor < frame:
                columns = np.flatnonzero(sight.targets == frame)
                seen += [(sight, depth, int(column), poses[sight.anchor]) for column in columns]
        guess = poses[frame - 1]
        if frame > 1:
            guess = guess @ inverse_pose(poses[frame - 2]) @ guess
        poses[frame] = guess
        if sum(sight.weight[:, column].sum() for sight, _, column, _ in seen) >= FEWEST:
            both = [_resect(seen, start, K) for start in (guess, poses[frame - 1])]
            poses[frame] = min(both, key=lambda found: found[1])[0]
    return poses


def _resect(
    seen: Sequence[tuple[Sight, np.ndarray, int, np.ndarray]], start: np.ndarray, K: np.ndarray
) -> tuple[np.ndarray, float]:
    """A frame's pose from points of known depth (perspective-n-point, robust), and what it costs."""
    poses = np.stack([*(pose for _, _, _, pose in seen), start])
    last = len(seen)
    own = [
        Sight(place, np.array([last]), sight.pixels, sight.seen[:, [column]], sight.weight[:, [column]],
              depth, np.zeros(len(depth)))
        for place, (sight, depth, column, _) in enumerate(seen)
    ]  # fmt: skip
    scene = Scene(poses, [depth for _, depth, _, _ in seen], K)
    rules = Rules(fixed=frozenset(range(last)), points=False, iterations=10, enough=1e-3)
    for robust in BEGIN:
        rules = replace(rules, robust=robust)
        scene = adjust(own, scene, rules)
    return scene.poses[last], cost_of(own, scene, rules)


def _errors(sights: Sequence[Sight], scene: Scene, rules: Rules) -> tuple[list[np.ndarray], float]:
    """Standard deviations of the inverse depths, and the noise of a sighting in pixels."""
    squares = []
    for sight, inverse in zip(sights, scene.inverse, strict=True):
        off, _ = look(sight, inverse, scene)
        squares.append((off * off).sum(-1)[sight.weight > 0])
    certainties = Normal(sights, scene, rules).certainties()
    noise = float(np.sqrt(np.median(np.concatenate(squares)) / 1.386))  # the median of chi² of two
    return [noise / np.sqrt(np.maximum(certainty, 1e-12)) for certainty in certainties], noise


def _trusted(sights: Sequence[Sight], scene: Scene, count: int) -> np.ndarray:
    good, all_ = np.zeros(count), np.zeros(count)
    for sight, inverse in zip(sights, scene.inverse, strict=True):
        off, _ = look(sight, inverse, scene)
        inlier = (sight.weight > 0) & ((off * off).sum(-1) < INLIER**2)
        np.add.at(good, sight.targets, inlier.sum(0))
        np.add.at(all_, sight.targets, (sight.weight > 0).sum(0))
    trusted: np.ndarray = (good >= FEWEST) & (good >= 0.4 * all_)
    return trusted
