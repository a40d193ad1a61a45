"""Where rays meet solids, in the unit space of a solid: exact, vectorised over rays in torch.

A vector is three tensors (x, y, z) that broadcast with each other, or plain numbers where all rays share one:
a camera's rays start in one point, a sun's all go one way. A shape's own numbers are given likewise, so that
the same code serves many rays against one solid and a batch of ray and solid pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .primitives import NEAR, Kind

Number = Tensor | float
Vector = Sequence[Number]  # x, y, z

_TINY = 1e-20  # keeps a division by an exact zero finite


@dataclass(frozen=True)
class Shape:
    """What tells solids of one kind apart.

    Attributes:
        kind: Shape.
        taper: Of frusta.
        planes: K half-spaces (nx, ny, nz, c) of polytopes.
        waves: (N or 1, 5, 9) of foliage: see `leaf`.
    """

    kind: Kind
    taper: Number = 1.0
    planes: Sequence[Sequence[Number]] = ()
    waves: Tensor | None = None


def intersect(shape: Shape, origin: Vector, direction: Vector) -> Tensor:
    """Ray parameter of the first visible surface beyond `NEAR`, inf where there is none.

    Args:
        shape: In its unit space.
        origin, direction: Of the rays there: three numbers or tensors, of shapes that broadcast.
    """
    match shape.kind:
        case Kind.BOX:
            return _box(origin, direction, inside=False)
        case Kind.SHELL:
            return _box(origin, direction, inside=True)
        case Kind.ELLIPSOID:
            near, far = _roots(origin, direction)
            return _first(near, far)
        case Kind.LEAVES:
            assert shape.waves is not None
            return _leaves(origin, direction, shape.waves)
        case Kind.FRUSTUM:
            return _frustum(origin, direction, shape.taper)
        case _:
            return _polytope(origin, direction, shape.planes)


def leaf(points: Sequence[Tensor], waves: Tensor) -> Tensor:
    """Whether there is leaf at points (three of shape (N,)) on the unit sphere, or a hole.

    Args:
        points: x, y, z.
        waves: (N or 1, 5, 9) a band-limited noise: frequencies in x, y, z, phases, and in [4, 0] the bias.
    """
    x, y, z = (p[:, None] for p in points)
    value = torch.sin(x * waves[:, 0] + y * waves[:, 1] + z * waves[:, 2] + waves[:, 3]).sum(1)
    return value + waves[:, 4, 0] > 0


def _larger(a: Number, b: Number) -> Number:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    if isinstance(a, Tensor):
        return a.clamp(min=float(b))
    return b.clamp(min=a) if isinstance(b, Tensor) else max(a, b)


def _first(near: Tensor, far: Tensor) -> Tensor:
    """The nearer of two ray parameters that is beyond `NEAR`; not a number counts as none."""
    t = torch.where(near > NEAR, near, far)
    return torch.where(t > NEAR, t, torch.inf)


def _box(origin: Vector, direction: Vector, inside: bool) -> Tensor:
    enter: Number = -torch.inf
    leave: Number = torch.inf
    for o, d in zip(origin, direction, strict=True):
        inverse = 1 / (d + _TINY)
        middle, reach = -o * inverse, inverse.abs() if isinstance(inverse, Tensor) else abs(inverse)
        enter, leave = _larger(enter, middle - reach), -_larger(-leave, -middle - reach)
    assert isinstance(enter, Tensor)
    assert isinstance(leave, Tensor)
    t = leave if inside else torch.where(enter > NEAR, enter, leave)
    return torch.where((enter <= leave) & (t > NEAR), t, torch.inf)


def _dot(a: Vector, b: Vector) -> Number:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _sqrt(value: Number) -> Tensor:
    """Not a number where negative."""
    assert isinstance(value, Tensor)  # either the origins or the directions differ between rays
    return value.sqrt()


def _roots(origin: Vector, direction: Vector) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave the unit sphere; not a number where they miss it."""
    inverse = 1 / _dot(direction, direction)
    b = _dot(origin, direction) * inverse
    c = (_dot(origin, origin) - 1) * inverse
    root = _sqrt(b * b - c)
    return -b - root, root - b


def _leaves(origin: Vector, direction: Vector, waves: Tensor) -> Tensor:
    near, far = _roots(origin, direction)
    best = torch.full_like(near, torch.inf)
    many = len(waves) > 1
    for t in (near, far):
        rows = ((t > NEAR) & torch.isinf(best)).flatten().nonzero()[:, 0]
        hit = t.flatten()[rows]
        at = [_pick(o, rows, t) + hit * _pick(d, rows, t) for o, d in zip(origin, direction, strict=True)]
        there = leaf(at, waves[rows] if many else waves)
        best.view(-1)[rows[there]] = hit[there]
    return best


def _pick(values: Number, rows: Tensor, like: Tensor) -> Number:
    return values.expand_as(like).flatten()[rows] if isinstance(values, Tensor) else values


def _frustum(origin: Vector, direction: Vector, taper: Number) -> Tensor:
    middle, slope = (1 + taper) / 2, (1 - taper) / 2
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    radius = middle + slope * oy
    steep = slope * dy
    inverse = 1 / (dx * dx + dz * dz - steep * steep + _TINY)
    b = (ox * dx + oz * dz - steep * radius) * inverse
    c = (ox * ox + oz * oz - radius * radius) * inverse
    root = _sqrt(b * b - c)
    best = torch.full_like(root, torch.inf)
    for t in (-b - root, root - b):
        y = oy + t * dy
        good = (y.abs() <= 1) & (middle + slope * y >= 0) & (t > NEAR) & (t < best)
        best = torch.where(good, t, best)
    per_level = 1 / (dy + _TINY)
    for level, r in ((1.0, 1.0), (-1.0, taper)):
        end = (level - oy) * per_level
        assert isinstance(end, Tensor)
        x, z = ox + end * dx, oz + end * dz
        good = (x * x + z * z <= r * r) & (end > NEAR) & (end < best)
        best = torch.where(good, end, best)
    return best


def _polytope(origin: Vector, direction: Vector, planes: Sequence[Sequence[Number]]) -> Tensor:
    enter: Number = -torch.inf
    leave: Number = torch.inf
    for plane in planes:
        speed = _dot(direction, plane) + _TINY
        t = (plane[3] - _dot(origin, plane)) / speed
        if isinstance(speed, Tensor):
            inward = speed < 0
            assert isinstance(t, Tensor)
            into: Number = torch.where(inward, t, -torch.inf)
            out: Number = torch.where(inward, torch.inf, t)
        else:
            into, out = (t, torch.inf) if speed < 0 else (-torch.inf, t)
        enter, leave = _larger(enter, into), -_larger(-leave, -out)
    assert isinstance(enter, Tensor)
    assert isinstance(leave, Tensor)
    hit = (enter <= leave) & (leave > NEAR)
    return torch.where(hit, torch.where(enter > NEAR, enter, leave), torch.inf)
