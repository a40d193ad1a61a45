"""Bundle adjustment of a shot: cameras, sparse inverse depths, focal length, from where points are seen.

A point is a pixel of the frame it was chosen in and the inverse depth w there (Civera et al., T-RO 2008), so
points at any distance behave alike: seen from a target frame it is at R (x, y, 1) + w t. The robust cost is
Cauchy's over the distance in pixels. Levenberg-Marquardt; each point is a single number, so eliminating them
all (Schur's complement) costs a division each, and what is left is six numbers a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

NEAREST = 0.02  # planar z over the anchor's below which a point counts as behind the camera
FARTHEST = 1e-4  # least inverse depth
LOST = 50.0  # pixels that a point behind the camera counts as being off
_DAMPING = (1e-4, 1e-9, 1e8)  # first, least, most


@dataclass(frozen=True, eq=False)
class Sight:
    """Points of one frame, and where others see them.

    Attributes:
        anchor: Position of that frame among the poses.
        targets: Positions of the others, (T,) int.
        pixels: (P, 2) pixel indices in the anchor.
        seen: (P, T, 2) pixel indices.
        weight: (P, T), 0 where a point is not seen.
        expected: (P,) inverse depth that somebody expects.
        belief: (P,) weight of a relative error of 1 of it, in squared pixels; 0: nobody does.
    """

    anchor: int
    targets: np.ndarray
    pixels: np.ndarray
    seen: np.ndarray
    weight: np.ndarray
    expected: np.ndarray
    belief: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """What is solved for.

    Attributes:
        poses: (N, 4, 4) float64 world-to-camera.
        inverse: Inverse depths (P,) of each `Sight`.
        K: (3, 3) for pixel indices.
    """

    poses: np.ndarray
    inverse: list[np.ndarray]
    K: np.ndarray


@dataclass(frozen=True)
class Rules:
    """How a bundle is adjusted.

    Attributes:
        robust: Pixels off from which a sighting loses its voice.
        iterations: Steps at most.
        fixed: Positions of the frames whose poses stay.
        focal: Whether the focal length is solved for.
        focal_belief: Weight of a squared change of the focal length's logarithm from ``focal_expected``.
        focal_expected: In pixels, along x.
        focal_range: Least and most of it, in pixels along x.
        points: Whether the inverse depths are solved for.
        enough: Relative decrease of the cost below which it is good enough.
    """

    robust: float = 1.0
    iterations: int = 20
    fixed: frozenset[int] = frozenset((0,))
    focal: bool = False
    focal_belief: float = 0.0
    focal_expected: float = 1.0
    focal_range: tuple[float, float] = (1e-6, 1e9)
    points: bool = True
    enough: float = 1e-4


def rays_of(pixels: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Points at z = 1 through pixels: (..., 3).

    Args:
        pixels: (..., 2) pixel indices.
        K: (3, 3) for pixel indices.
    """
    x = (pixels[..., 0] - K[0, 2]) / K[0, 0]
    y = (pixels[..., 1] - K[1, 2]) / K[1, 1]
    return np.stack((x, y, np.ones_like(x)), -1)


def between(poses: np.ndarray, anchor: int, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 3, 3) and translations (T, 3) from one frame's camera into others'.

    Args:
        poses: (N, 4, 4) world-to-camera.
        anchor, targets: Positions.
    """
    turn = poses[targets, :3, :3] @ poses[anchor, :3, :3].T
    return turn, poses[targets, :3, 3] - turn @ poses[anchor, :3, 3]


def look(sight: Sight, inverse: np.ndarray, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Where points should be seen, minus where they are, (P, T, 2), and camera points (P, T, 3) times w.

    Args:
        sight: Points.
        inverse: (P,) their inverse depths.
        scene: Cameras.
    """
    turn, move = between(scene.poses, sight.anchor, sight.targets)
    rays = rays_of(sight.pixels, scene.K)
    points = np.einsum("tij,pj->pti", turn, rays) + inverse[:, None, None] * move
    z = np.maximum(points[..., 2:], NEAREST)
    there = points[..., :2] / z * (scene.K[0, 0], scene.K[1, 1]) + scene.K[:2, 2]
    return there - sight.seen, points


def adjust(sights: Sequence[Sight], scene: Scene, rules: Rules) -> Scene:
    """The scene that explains the sightings best, from a start that is not far off.

    Args:
        sights: All that was seen.
        scene: Where to start.
        rules: How.
    """
    damping, least, most = _DAMPING
    cost = cost_of(sights, scene, rules)
    for _ in range(rules.iterations):
        normal = Normal(sights, scene, rules)
        before = cost
        while damping < most:
            tried = normal.step(damping)
            fresh = cost_of(sights, tried, rules)
            if fresh < cost:
                scene, cost, damping = tried, fresh, max(damping / 5, least)
                break
            damping *= 5
        if before - cost < rules.enough * before:
            break
    return scene


def cost_of(sights: Sequence[Sight], scene: Scene, rules: Rules) -> float:
    """The robust cost, in squared pixels.

    Args:
        sights, scene, rules: As of `adjust`.
    """
    total = rules.focal_belief * float(np.log(scene.K[0, 0] / rules.focal_expected)) ** 2
    square = rules.robust**2
    for sight, inverse in zip(sights, scene.inverse, strict=True):
        off, points = look(sight, inverse, scene)
        squares = np.where(points[..., 2] > NEAREST, (off * off).sum(-1), LOST**2)
        total += square * float((sight.weight * np.log1p(squares / square)).sum())
        total += float((sight.belief * np.log1p(_surprise(sight, inverse) ** 2)).sum())
    return total


class Normal:
    """The normal equations around a scene, with the points eliminated when they are solved."""

    def __init__(self, sights: Sequence[Sight], scene: Scene, rules: Rules) -> None:
        self._scene, self._rules = scene, rules
        self._size = 6 * len(scene.poses) + 1  # the last is the focal length's logarithm
        self._hessian = np.zeros((self._size, self._size))
        self._gradient = np.zeros(self._size)
        self._points: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        for sight, inverse in zip(sights, scene.inverse, strict=True):
            self._add(sight, inverse)
        off = float(np.log(scene.K[0, 0] / rules.focal_expected))
        self._hessian[-1, -1] += rules.focal_belief
        self._gradient[-1] += rules.focal_belief * off
        free = np.ones(self._size, bool)
        for frame in rules.fixed:
            free[6 * frame : 6 * frame + 6] = False
        free[-1] = rules.focal
        self._free = np.flatnonzero(free)

    def _add(self, sight: Sight, inverse: np.ndarray) -> None:
        scene, robust = self._scene, self._rules.robust
        off, points = look(sight, inverse, scene)
        visible = points[..., 2] > NEAREST
        weight = np.where(visible, sight.weight / (1 + (off * off).sum(-1) / robust**2), 0)
        turn, move = between(scene.poses, sight.anchor, sight.targets)
        rays = rays_of(sight.pixels, scene.K)
        z = np.maximum(points[..., 2], NEAREST)
        fx, fy = scene.K[0, 0] / z, scene.K[1, 1] / z
        nothing = np.zeros_like(z)
        slope = np.stack(
            (fx, nothing, -fx * points[..., 0] / z, nothing, fy, -fy * points[..., 1] / z), -1
        ).reshape(*z.shape, 2, 3)
        turned = slope @ turn  # (P, T, 2, 3)
        own = inverse[:, None, None, None]
        flat = rays * (-1, -1, 0)  # a longer lens brings rays nearer to the axis
        spread = np.stack((fx * points[..., 0], fy * points[..., 1]), -1)  # pixels from the centre
        focal = (turned @ flat[:, None, :, None])[..., 0] + spread
        cameras = np.concatenate(
            (-slope @ _cross(points), own * slope, turned @ _cross(rays)[:, None], -own * turned,
             focal[..., None]), -1,
        )  # fmt: skip
        point = (slope @ move[..., None])[..., 0]  # (P, T, 2)
        count = len(sight.targets)
        index = np.concatenate(
            ((6 * sight.targets[:, None] + np.arange(6)).ravel(), 6 * sight.anchor + np.arange(6), [-1])
        )
        index[-1] = self._size - 1
        # all sightings of a target share its 13 unknowns: (T, 2P, 13)
        rows = (cameras * np.sqrt(weight)[..., None, None]).transpose(1, 0, 2, 3).reshape(count, -1, 13)
        squares = rows.transpose(0, 2, 1) @ rows
        slopes = np.einsum("ptri,pt,ptr->ti", cameras, weight, off)
        shared = np.arange(6 * count, 6 * count + 7)
        local, pull = np.zeros((6 * count + 7, 6 * count + 7)), np.zeros(6 * count + 7)
        for place in range(count):
            at = np.concatenate((np.arange(6 * place, 6 * place + 6), shared))
            local[np.ix_(at, at)] += squares[place]
            pull[at] += slopes[place]
        self._hessian[np.ix_(index, index)] += local
        self._gradient[index] += pull
        if not self._rules.points:
            return
        both = np.einsum("ptri,pt,ptr->pti", cameras, weight, point)
        coupling = np.concatenate((both[..., :6].reshape(len(both), -1), both[..., 6:].sum(1)), 1)
        surprise = _surprise(sight, inverse)
        belief = sight.belief / (1 + surprise**2)
        unit = _unit(sight)
        certainty = (weight * (point * point).sum(-1)).sum(1) + belief / unit**2
        slope_w = (weight * (point * off).sum(-1)).sum(1) + belief * surprise / unit
        self._points.append((coupling, certainty, slope_w, index))

    def step(self, damping: float) -> Scene:
        """The scene one step on.

        Args:
            damping: Of Levenberg and Marquardt.
        """
        matrix, pull = self._reduced(damping)
        change = np.zeros(self._size)
        try:
            change[self._free] = -np.linalg.solve(matrix, pull)
        except np.linalg.LinAlgError:
            return self._scene
        scene = self._scene
        inverse = list(scene.inverse)
        for place, (coupling, certainty, slope, index) in enumerate(self._points):
            own = -(slope + coupling @ change[index]) / (certainty * (1 + damping) + 1e-12)
            inverse[place] = np.maximum(inverse[place] + own, FARTHEST)
        factor = float(np.exp(np.clip(change[-1], -0.2, 0.2)))
        least, most = self._rules.focal_range
        factor = float(np.clip(scene.K[0, 0] * factor, least, most)) / scene.K[0, 0]
        K = scene.K * np.array(((factor, 1, 1), (1, factor, 1), (1, 1, 1)))
        return Scene(moved(scene.poses, change[:-1].reshape(-1, 6)), inverse, K)

    def certainties(self) -> list[np.ndarray]:
        """Certainty (P,) of each sight's inverse depths, cameras given: inverse variance times a pixel's."""
        return [certainty for _, certainty, _, _ in self._points]

    def focal_certainty(self) -> float:
        """Certainty (inverse variance times that of a pixel) of the focal length's logarithm, all else free.

        What is expected of it does not count.
        """
        matrix, _ = self._reduced(0.0)
        matrix[-1, -1] -= self._rules.focal_belief
        others = matrix[:-1, :-1] + 1e-9 * np.diag(np.diag(matrix)[:-1])
        return float(matrix[-1, -1] - matrix[-1, :-1] @ np.linalg.solve(others, matrix[:-1, -1]))

    def _reduced(self, damping: float) -> tuple[np.ndarray, np.ndarray]:
        matrix, pull = self._hessian.copy(), self._gradient.copy()
        matrix[np.diag_indices(self._size)] *= 1 + damping
        for coupling, certainty, slope, index in self._points:
            scaled = coupling / (certainty * (1 + damping) + 1e-12)[:, None]
            matrix[np.ix_(index, index)] -= coupling.T @ scaled
            pull[index] -= scaled.T @ slope
        matrix = matrix[np.ix_(self._free, self._free)]
        matrix[np.diag_indices(len(matrix))] += 1e-9
        return matrix, pull[self._free]


def moved(poses: np.ndarray, change: np.ndarray) -> np.ndarray:
    """World-to-camera poses after small motions of the cameras' own.

    Args:
        poses: (N, 4, 4).
        change: (N, 6), rotation vector in radians and translation.
    """
    fresh = poses.copy()
    for place in np.flatnonzero(np.any(change != 0, 1)):
        turn = cv2.Rodrigues(change[place, :3])[0]
        fresh[place, :3, :3] = turn @ poses[place, :3, :3]
        fresh[place, :3, 3] = turn @ poses[place, :3, 3] + change[place, 3:]
    return fresh


def rescaled(scene: Scene, factor: float) -> Scene:
    """The same scene in a unit ``factor`` times as long.

    Args:
        scene: Of any unit.
        factor: Above 0.
    """
    poses = scene.poses.copy()
    poses[:, :3, 3] /= factor
    return replace(scene, poses=poses, inverse=[inverse * factor for inverse in scene.inverse])


def _surprise(sight: Sight, inverse: np.ndarray) -> np.ndarray:
    surprise: np.ndarray = (inverse - sight.expected) / _unit(sight)
    return surprise


def _unit(sight: Sight) -> np.ndarray:
    """What a relative error of 1 is; far away, where inverse depths are near 0, it does not shrink."""
    unit: np.ndarray = np.maximum(sight.expected, 0.1)
    return unit


def _cross(vectors: np.ndarray) -> np.ndarray:
    """(..., 3, 3) so that its product with b is the cross product with b."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    o = np.zeros_like(x)
    return np.stack((o, -z, y, z, o, -x, -y, x, o), -1).reshape(*vectors.shape, 3)
