"""Camera-space surface normals from planar depth, by planes fitted to each pixel's side of a depth step."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Intrinsics

_STRIP = 256  # rows at a time: an 8K frame in double precision would fill gigabytes
# Of a strip at a time, as many pixels: what is made in between stays in the processor's cache.
_TILE = (32, 512)
_BENT = 2e-3  # residual of a fit over its inverse depth (rms) above which another window may fit better


def normals_from_depth(depth: np.ndarray, intrinsics: Intrinsics, radius: int = 2) -> np.ndarray:
    """Unit normals of the surface a depth map describes, exact on planes up to the border.

    A plane n·P = c seen by a pinhole has linear inverse depth q = 1/Z = n·((u − cx)/fx, (v − cy)/fy, 1)/c, so
    its normal is n ∝ (fx·q_u, fy·q_v, q − (u − cx)·q_u − (v − cy)·q_v). The slopes come from a least-squares
    plane through q in a square window, which ends at the picture's border instead of inventing pixels beyond
    it. Where the window round a pixel bends, as across a depth step, the flattest of the windows that hold
    the pixel in a corner or on a side, and say what it is, is taken (after Nagao & Matsuyama 1979).

    Args:
        depth: (H, W) planar z > 0, finite (sky as a very large value).
        intrinsics: The camera of the plate.
        radius: Of the window, pixels; the size of what the depth was made of, such as a network's pixel.

    Returns:
        (H, W, 3) float32 with x right, y up, z towards the camera, unit length, facing the camera.
    """
    height, width = depth.shape
    u = (np.arange(width) + (0.5 - intrinsics.cx))[None, :]
    v = (np.arange(height) + (0.5 - intrinsics.cy))[:, None]
    normals = np.empty((height, width, 3), np.float32)
    for start in range(0, height, _STRIP):
        stop = min(start + _STRIP, height)
        above, below = max(start - 2 * radius, 0), min(stop + 2 * radius, height)  # all windows it may take
        fits = _fit(np.reciprocal(depth[above:below].astype(np.float64)), radius)
        for top in range(start, stop, _TILE[0]):
            rows = slice(top, min(top + _TILE[0], stop))
            for left in range(0, width, _TILE[1]):
                columns = slice(left, min(left + _TILE[1], width))
                inner = slice(rows.start - above, rows.stop - above), columns
                q_u, q_v = _flattest(fits, inner, radius)
                place = normals[rows, columns]
                _unit_normals(fits.q[inner], q_u, q_v, u[:, columns], v[rows], intrinsics, place)
    return normals


def _unit_normals(
    q: np.ndarray,
    q_u: np.ndarray,
    q_v: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    camera: Intrinsics,
    out: np.ndarray,
) -> None:
    """Writes the normals (h, W, 3) of planes with these slopes to ``out``; u, v from the principal point."""
    x, y = (q_u * -camera.fx).astype(np.float32), (q_v * camera.fy).astype(np.float32)
    # A plane a little beside its pixel (noise, a step's foot) must face the camera all the same.
    ahead = q - u * q_u
    ahead -= v * q_v
    z = np.maximum(ahead, 0).astype(np.float32)
    facing = z - x * (u / camera.fx).astype(np.float32)
    facing += y * (v / camera.fy).astype(np.float32)
    length = x * x
    length += y * y
    length += z * z
    np.sqrt(length, out=length)
    nowhere = (facing <= 0) | (length == 0)
    length[nowhere] = 1
    for axis, values in enumerate((x, y, z)):
        values[nowhere] = axis == 2
        np.divide(values, length, out=out[..., axis])


@dataclass(frozen=True)
class _Fits:
    """The plane fitted in the window round each pixel; arrays (H, W) float64.

    Attributes:
        q: What it is fitted to.
        q_u, q_v: Its slopes.
        level: Its value at the pixel.
        bend: Mean square of the residual.
        unit: Square of the mean, which bends are measured by.
    """

    q: np.ndarray
    q_u: np.ndarray
    q_v: np.ndarray
    level: np.ndarray
    bend: np.ndarray
    unit: np.ndarray


def _fit(q: np.ndarray, radius: int) -> _Fits:
    height, width = q.shape
    nx, mx, vx = _extent(width, radius)
    ny, my, vy = (values[:, None] for values in _extent(height, radius))
    side = (2 * radius + 1, 2 * radius + 1)

    def sums(values: np.ndarray) -> np.ndarray:  # takes as long for any radius
        return np.asarray(
            cv2.boxFilter(values, cv2.CV_64F, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
        )

    x, y = np.arange(width) - width / 2.0, np.arange(height)[:, None] - height / 2.0
    total, squares, along, down = sums(q), sums(q * q), sums(q * x), sums(q * y)
    fits = _Fits(q, along, down, total, squares, np.empty_like(q))
    step = max(1, _TILE[0] * _TILE[1] // width)
    for start in range(0, height, step):
        rows = slice(start, start + step)
        mean, bend, q_u, q_v = total[rows], squares[rows], along[rows], down[rows]
        # x and y of a whole rectangle do not correlate: each slope is a regression of its own
        q_u -= (x + mx) * mean
        q_u /= np.maximum(ny[rows] * vx, 1)
        q_v -= (y[rows] + my[rows]) * mean
        q_v /= np.maximum(nx * vy[rows], 1)
        count, unit = nx * ny[rows], fits.unit[rows]
        mean /= count
        np.multiply(mean, mean, out=unit)
        bend /= count
        bend -= unit
        bend -= q_u * q_u * (vx / nx) + q_v * q_v * (vy[rows] / ny[rows])
        np.maximum(bend, 0, out=bend)
        mean -= q_u * mx  # now the level at the pixel
        mean -= q_v * my[rows]
    return fits


def _flattest(fits: _Fits, tile: tuple[slice, slice], radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of the best plane at each pixel of ``tile``: q_u, q_v (h, w) float64."""
    here, own_u, own_v = fits.q[tile], fits.q_u[tile], fits.q_v[tile]
    bent = fits.bend[tile] > _BENT**2 * fits.unit[tile]
    if not bent.any():
        return own_u, own_v
    best, best_u, best_v = np.full(here.shape, np.inf), own_u.copy(), own_v.copy()
    for down in (0, -radius, radius):
        rows, y = _moved(tile[0], down, fits.q.shape[0])
        for right in (0, -radius, radius):
            columns, x = _moved(tile[1], right, fits.q.shape[1])
            q_u, q_v, level, bend, unit = (
                values[rows][:, columns] for values in (fits.q_u, fits.q_v, fits.level, fits.bend, fits.unit)
            )
            cost = here - level
            cost -= q_u * x
            cost -= q_v * y[:, None]
            cost *= cost
            cost += bend
            cost /= unit
            better = cost < best
            better &= bent
            np.copyto(best, cost, where=better)
            np.copyto(best_u, q_u, where=better)
            np.copyto(best_v, q_v, where=better)
    return best_u, best_v


def _moved(where: slice, by: int, length: int) -> tuple[slice | np.ndarray, np.ndarray]:
    """Rows or columns ``by`` further, at the picture's border the last, and the way back from each."""
    at = np.arange(where.start, where.stop)
    if where.start + by >= 0 and where.stop + by <= length:
        return slice(where.start + by, where.stop + by), np.full(len(at), -by)
    there = np.clip(at + by, 0, length - 1)
    return there, at - there


def _extent(length: int, radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the window along one axis, cut at the border: pixels, mean offset, sum of squares about it."""
    at = np.arange(length)
    low, high = np.maximum(at - radius, 0) - at, np.minimum(at + radius, length - 1) - at
    count = (high - low + 1).astype(np.float64)
    return count, (low + high) / 2, count * (count * count - 1) / 12
