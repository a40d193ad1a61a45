"""Ray intersection with the solids that procedural scenes are made of: exact, vectorised over rays, in numpy.

A solid lives in its own unit space (`Solid.to_local`); every test returns the ray parameter of the first
visible surface. Rays of a camera have planar z = 1, so the ray parameter *is* the planar depth in metres.

World axes follow the OpenCV camera: x right, y down, z forward; the floor is y = 0 and up is −y.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

NEAR = 0.05  # metres; nothing closer is drawn


class Kind(IntEnum):
    """The shapes of a solid, each within the cube [−1, 1]³ of its own space."""

    BOX = 0
    ELLIPSOID = 1
    FRUSTUM = 2  # axis y, radius 1 at the bottom (y = 1) and ``taper`` at the top (y = −1)
    POLYTOPE = 3  # the half-spaces n·p <= c given by ``planes``
    SHELL = 4  # a box seen from the inside: rooms
    LEAVES = 5  # an ellipsoid full of holes: foliage


@dataclass(frozen=True)
class Solid:
    """One solid: shape, pose and material.

    Attributes:
        kind: Shape.
        centre: (3,) world position of the unit space's origin.
        axes: (3, 3) columns are the solid's axes in the world.
        half: (3,) half sizes in metres.
        material: Row in the scene's material table.
        taper: Top radius of a frustum over its bottom radius.
        planes: (K, 4) half-spaces of a polytope in unit space, rows (n, c).
        phase: Random number that makes the holes of foliage its own.
        casts: Whether it throws a shadow.
    """

    kind: Kind
    centre: np.ndarray
    axes: np.ndarray
    half: np.ndarray
    material: int
    taper: float = 1.0
    planes: np.ndarray | None = None
    phase: float = 0.0
    casts: bool = True

    def to_local(self) -> np.ndarray:
        """(3, 3) matrix m such that row vectors ``v @ m`` go from world directions to unit space."""
        return (self.axes / self.half).astype(np.float32)

    def corners(self) -> np.ndarray:
        """(8, 3) world corners of the bounding cube."""
        return self.centre + (_CUBE * self.half) @ self.axes.T


_CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)


def intersect(solid: Solid, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """First visible surface along each ray.

    Args:
        solid: The solid.
        origin: (N, 3) or (1, 3) ray origins in unit space.
        direction: (N, 3) or (1, 3) ray directions in unit space, not normalised.

    Returns:
        (N,) ray parameter of the hit, inf where there is none beyond `NEAR`.
    """
    match solid.kind:
        case Kind.BOX:
            return _box(origin, direction, inside=False)
        case Kind.SHELL:
            return _box(origin, direction, inside=True)
        case Kind.ELLIPSOID:
            return _ellipsoid(origin, direction)
        case Kind.LEAVES:
            return _leaves(origin, direction, solid.phase)
        case Kind.FRUSTUM:
            return _frustum(origin, direction, solid.taper)
        case _:
            assert solid.planes is not None
            return _polytope(origin, direction, solid.planes)


def local_normals(solid: Solid, points: np.ndarray) -> np.ndarray:
    """(N, 3) unit normals in the solid's metric axes at surface ``points`` (N, 3) of its unit space."""
    half = solid.half.astype(np.float32)
    if solid.kind in (Kind.BOX, Kind.SHELL):
        axis = np.abs(points).argmax(1)
        normals = np.zeros_like(points)
        rows = np.arange(len(points))
        normals[rows, axis] = np.sign(points[rows, axis]) * (-1 if solid.kind == Kind.SHELL else 1)
        return normals
    if solid.kind in (Kind.ELLIPSOID, Kind.LEAVES):
        normals = points / half
        if solid.kind == Kind.LEAVES:  # leaves point everywhere
            normals = normals * half.min() + 0.9 * np.sin(points[:, (1, 2, 0)] * 37 + points * 23)
    elif solid.kind == Kind.FRUSTUM:
        slope = (1 - solid.taper) / 2
        radial = np.hypot(points[:, 0], points[:, 2])
        normals = np.stack((points[:, 0], -slope * radial, points[:, 2]), 1) / half
        top, bottom = points[:, 1] < -0.999, points[:, 1] > 0.999
        normals[top], normals[bottom] = (0, -1, 0), (0, 1, 0)
    else:
        assert solid.planes is not None
        face = (points @ solid.planes[:, :3].T - solid.planes[:, 3]).argmax(1)
        normals = solid.planes[face, :3].astype(np.float32) / half
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9)


def _box(origin: np.ndarray, direction: np.ndarray, inside: bool) -> np.ndarray:
    inverse = 1 / np.where(np.abs(direction) < 1e-9, 1e-9, direction)
    first, second = (-1 - origin) * inverse, (1 - origin) * inverse
    enter = np.minimum(first, second).max(1)
    leave = np.maximum(first, second).min(1)
    t = leave if inside else np.where(enter > NEAR, enter, leave)
    return np.where((enter <= leave) & (t > NEAR), t, np.inf).astype(np.float32)


def _roots(origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a = np.einsum("ij,ij->i", direction, direction)
    b = np.einsum("ij,ij->i", *np.broadcast_arrays(origin, direction))
    c = np.einsum("ij,ij->i", origin, origin) - 1
    disc = b * b - a * c
    root = np.sqrt(np.where(disc > 0, disc, np.nan))
    return (-b - root) / a, (-b + root) / a


def _ellipsoid(origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
    near, far = _roots(origin, direction)
    t = np.where(near > NEAR, near, far)
    return np.where(t > NEAR, t, np.inf).astype(np.float32)


def _leaves(origin: np.ndarray, direction: np.ndarray, phase: float) -> np.ndarray:
    best = np.full(max(len(origin), len(direction)), np.inf, np.float32)
    for t in _roots(origin, direction)[::-1]:  # the far side first, the near side over it
        points = origin + np.where(np.isfinite(t), t, 0)[:, None] * direction
        solid = _foliage(points, phase) > 0
        best = np.where(np.isfinite(t) & (t > NEAR) & solid, t, best)
    return best.astype(np.float32)


def _foliage(points: np.ndarray, phase: float) -> np.ndarray:
    """A cheap band-limited noise on the unit sphere; its positive part is leaf."""
    rng = np.random.default_rng(int(phase * 1e6))
    waves = rng.normal(size=(3, 9)).astype(np.float32) * rng.choice([8.0, 15.0, 28.0], 9).astype(np.float32)
    value = np.sin(points @ waves + rng.uniform(0, 6.3, 9).astype(np.float32)).sum(1)
    return value + 0.5 + phase * 1.5


def _frustum(origin: np.ndarray, direction: np.ndarray, taper: float) -> np.ndarray:
    middle, slope = (1 + taper) / 2, (1 - taper) / 2
    (ox, oy, oz), (dx, dy, dz) = origin.T, direction.T
    radius = middle + slope * oy
    a = dx * dx + dz * dz - (slope * dy) ** 2
    a = np.where(np.abs(a) < 1e-12, 1e-12, a)
    b = ox * dx + oz * dz - slope * dy * radius
    c = ox * ox + oz * oz - radius * radius
    disc = b * b - a * c
    root = np.sqrt(np.where(disc > 0, disc, np.nan))
    best = np.full(np.broadcast_shapes(a.shape, c.shape), np.inf, np.float32)
    for t in ((-b - root) / a, (-b + root) / a):
        y = oy + t * dy
        good = (np.abs(y) <= 1) & (middle + slope * y >= 0) & (t > NEAR) & (t < best)
        best = np.where(good, t, best)
    inverse = 1 / np.where(np.abs(dy) < 1e-9, 1e-9, dy)
    for y, r in ((1.0, 1.0), (-1.0, taper)):
        t = (y - oy) * inverse
        good = ((ox + t * dx) ** 2 + (oz + t * dz) ** 2 <= r * r) & (t > NEAR) & (t < best)
        best = np.where(good, t, best)
    return best.astype(np.float32)


def _polytope(origin: np.ndarray, direction: np.ndarray, planes: np.ndarray) -> np.ndarray:
    normals = planes[:, :3].T.astype(np.float32)
    speed = direction @ normals
    speed = np.where(np.abs(speed) < 1e-9, 1e-9, speed)
    t = (planes[:, 3].astype(np.float32) - origin @ normals) / speed
    enter = np.where(speed < 0, t, -np.inf).max(1)
    leave = np.where(speed > 0, t, np.inf).min(1)
    hit = (enter <= leave) & (leave > NEAR)
    return np.where(hit, np.where(enter > NEAR, enter, leave), np.inf).astype(np.float32)
