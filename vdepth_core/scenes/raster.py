"""A z-buffer over ray casts: which solid is first along each ray, and where, exactly.

Each solid is tested only against the rays of its own screen rectangle, which makes hundreds of small things
cheap: those of one kind go through the same few tensor operations in batches, large ones one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .primitives import NEAR, Kind
from .shapes import Shape, Vector, intersect
from .tables import Tables

LARGE = 3000  # pixels of a rectangle from which a solid goes alone
BATCH = 24_000  # ray and solid pairs of a batch of small solids: fits a processor's cache
_NOTHING = (0x7F800000 << 32) | 0xFFFFFFFF  # an infinite depth's bits, then no solid


@dataclass(frozen=True)
class Surfaces:
    """What each pixel sees: planar depth (inf: sky), solid index (−1: sky)."""

    depth: Tensor  # (H, W) float32 metres
    solid: Tensor  # (H, W) int64


@dataclass(frozen=True)
class Rays:
    """Rays of a picture with coordinates (x, y) on it, in every solid's unit space.

    Attributes:
        vary: (S, 3, 3): of ray (x, y), the row vector (x, y, 1) times this is the direction of a camera's
            rays, the origin of a sun's.
        fixed: (S, 3) the other one, the same for all rays.
        parallel: Whether these are a sun's.
    """

    vary: np.ndarray
    fixed: np.ndarray
    parallel: bool

    def meet(self, shape: Shape, x: Tensor, y: Tensor, vary: Vector, fixed: Vector) -> Tensor:
        """Ray parameters at (x, y); ``vary`` is (9) numbers or tensors, ``fixed`` (3).

        Args:
            shape: Of one solid, or of as many as there are rays.
            x, y: Coordinates on the picture, of shapes that broadcast.
            vary: Of the solid, flattened from (3, 3).
            fixed: Of the solid.
        """
        along = [x * vary[j] + (y * vary[3 + j] + vary[6 + j]) for j in range(3)]
        return intersect(shape, along, fixed) if self.parallel else intersect(shape, fixed, along)


def perspective(tables: Tables, pose: np.ndarray) -> Rays:
    """A camera's rays; (x, y) is a point of its plane z = 1, and a ray parameter is planar depth.

    Args:
        tables: The scene's solids.
        pose: (4, 4) cam_to_world.
    """
    turn = pose[:3, :3].T[None] @ tables.to_local
    return Rays(turn, ((pose[:3, 3] - tables.centre)[:, None] @ tables.to_local)[:, 0], parallel=False)


def orthographic(tables: Tables, eye: np.ndarray, axes: np.ndarray) -> Rays:
    """Parallel rays along the third column of ``axes`` (3, 3); (x, y) is in metres from ``eye``.

    Args:
        tables: The scene's solids.
        eye: (3,) where the ray parameter is 0, in the world.
        axes: (3, 3), its columns the picture's x, y and the rays' direction.
    """
    start = np.tile(axes.T, (len(tables.centre), 1, 1))
    start[:, 2] = eye - tables.centre
    return Rays(start @ tables.to_local, axes[:, 2] @ tables.to_local, parallel=True)


def rectangles(tables: Tables, K: np.ndarray, pose: np.ndarray, height: int, width: int) -> np.ndarray:
    """(S, 4) screen bounds x0, x1, y0, y1 of every solid; empty where it is behind the camera.

    Args:
        tables: The scene's solids.
        K: (3, 3).
        pose: (4, 4) cam_to_world.
        height, width: Of the picture, in pixels.
    """
    corners = (tables.corners - pose[:3, 3]) @ pose[:3, :3]
    z = corners[..., 2]
    ahead = np.maximum(z, NEAR)
    x, y = corners[..., 0] / ahead * K[0, 0] + K[0, 2], corners[..., 1] / ahead * K[1, 1] + K[1, 2]
    bounds = np.stack(
        (np.floor(x.min(1)), np.ceil(x.max(1)) + 1, np.floor(y.min(1)), np.ceil(y.max(1)) + 1), 1
    )
    bounds[z.min(1) <= NEAR] = (0, width, 0, height)
    bounds[z.max(1) <= NEAR] = 0
    inside: np.ndarray = np.clip(bounds, 0, (width, width, height, height)).astype(np.int64)
    return inside


def zbuffer(tables: Tables, rays: Rays, bounds: np.ndarray, x: Tensor, y: Tensor) -> Surfaces:
    """What is first along the rays of a grid with coordinates x (W,) and y (H,).

    Args:
        tables: The scene's solids.
        rays: Those of the picture.
        bounds: (S, 4) x0, x1, y0, y1 of every solid, in pixels.
        x, y: Of columns and rows.
    """
    width, height = len(x), len(y)
    keys = torch.full((height, width), _NOTHING, dtype=torch.int64, device=tables.device)
    area = np.maximum(bounds[:, 1] - bounds[:, 0], 0) * np.maximum(bounds[:, 3] - bounds[:, 2], 0)
    for kind, sides, members in tables.groups:
        for number in members[area[members] >= LARGE].tolist():
            x0, x1, y0, y1 = bounds[number].tolist()
            shape = tables.shape(kind, sides, number)
            vary, fixed = rays.vary[number].ravel().tolist(), rays.fixed[number].tolist()
            t = rays.meet(shape, x[x0:x1], y[y0:y1, None], vary, fixed).expand(y1 - y0, x1 - x0)
            window = keys[y0:y1, x0:x1]
            torch.minimum(window, _key(t, number), out=window)
        for batch in _batches(members[(area[members] > 0) & (area[members] < LARGE)], area):
            chosen = torch.from_numpy(batch).to(tables.device)
            left, _, top, _ = torch.from_numpy(bounds[batch].T.copy()).to(tables.device)
            across = torch.from_numpy(bounds[batch, 1] - bounds[batch, 0]).to(tables.device)
            count = torch.from_numpy(area[batch]).to(tables.device)
            owner = torch.repeat_interleave(count, output_size=int(area[batch].sum()))
            place = torch.arange(len(owner), device=tables.device) - (count.cumsum(0) - count)[owner]
            row = torch.div(place, across[owner], rounding_mode="floor")
            column = place - row * across[owner] + left[owner]
            row = row + top[owner]
            t = _pairs(tables, rays, kind, sides, chosen, owner, x[column], y[row])
            hit = torch.isfinite(t).nonzero()[:, 0]
            found = _key(t[hit], chosen[owner[hit]])
            keys.view(-1).scatter_reduce_(0, (row * width + column)[hit], found, "amin")
    return _surfaces(keys)


def along(tables: Tables, rays: Rays, bounds: np.ndarray, x: Tensor, y: Tensor, pixels: Tensor) -> Tensor:
    """(N,) ray parameter of what is first along single rays (x, y), at ``pixels`` (N, 2) of the picture.

    Args:
        tables: The scene's solids.
        rays: Those of the picture.
        bounds: (S, 4) x0, x1, y0, y1 of every solid, in pixels.
        x, y: (N,) on the picture's plane.
        pixels: (x, y).
    """
    best = torch.full_like(x, torch.inf)
    u, v = pixels.unbind(1)
    for kind, sides, members in tables.groups:
        for number in members.tolist():
            x0, x1, y0, y1 = bounds[number].tolist()
            if x0 >= x1 or y0 >= y1:
                continue
            rows = ((u >= x0) & (u <= x1) & (v >= y0) & (v <= y1)).nonzero()[:, 0]
            if len(rows):
                shape = tables.shape(kind, sides, number)
                vary, fixed = rays.vary[number].ravel().tolist(), rays.fixed[number].tolist()
                t = rays.meet(shape, x[rows], y[rows], vary, fixed)
                best[rows] = torch.minimum(best[rows], t)
    return best


def _pairs(
    tables: Tables, rays: Rays, kind: Kind, sides: int, chosen: Tensor, owner: Tensor, x: Tensor, y: Tensor
) -> Tensor:
    """(N,) ray parameters of pairs of a ray (x, y) and a solid ``chosen[owner]``, all of one group."""
    on = chosen.cpu().numpy()
    numbers = np.concatenate((rays.vary[on].reshape(-1, 9), rays.fixed[on]), 1).T
    table = torch.from_numpy(numbers.astype(np.float32)).to(tables.device)
    spread = table.index_select(1, owner)
    shape = tables.shape(kind, sides, chosen[owner])
    return rays.meet(shape, x, y, list(spread[:9]), list(spread[9:]))


def _batches(solids: np.ndarray, area: np.ndarray) -> Iterator[np.ndarray]:
    """Consecutive solids with up to about `BATCH` pixels together."""
    if len(solids):
        number = np.cumsum(area[solids]) // BATCH
        yield from np.split(solids, np.flatnonzero(np.diff(number)) + 1)


def _key(t: Tensor, solid: Tensor | int) -> Tensor:
    """An integer that orders by depth, then solid: positive floats sort like their bits."""
    return (t.contiguous().view(torch.int32).to(torch.int64) << 32) | solid


def _surfaces(keys: Tensor) -> Surfaces:
    depth = (keys >> 32).to(torch.int32).view(torch.float32)
    solid = torch.where(torch.isinf(depth), -1, keys & 0xFFFFFFFF)
    return Surfaces(depth, solid)
