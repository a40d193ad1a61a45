"""Camera-space surface normals from planar depth, by planes fitted to each pixel's side of a depth step."""

from __future__ import annotations

import cv2
import numpy as np

from .camera import Intrinsics

_STRIP = 256  # rows at a time: an 8K frame in double precision would fill gigabytes
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
        q = np.reciprocal(depth[above:below].astype(np.float64))
        inner = slice(start - above, stop - above)
        q_u, q_v = _slopes(q, radius)
        rows = normals[start:stop]
        _unit_normals(q[inner], q_u[inner], q_v[inner], u, v[start:stop], intrinsics, rows)
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
    np.multiply(q_u, -camera.fx, out=out[..., 0], casting="unsafe")
    np.multiply(q_v, camera.fy, out=out[..., 1], casting="unsafe")
    # A plane a little beside its pixel (noise, a step's foot) must face the camera all the same.
    out[..., 2] = np.maximum(q - u * q_u - v * q_v, 0)
    facing = out[..., 0] * -(u / camera.fx) + out[..., 1] * (v / camera.fy) + out[..., 2]
    out[facing <= 0] = 0
    length = np.sqrt(np.einsum("hwc,hwc->hw", out, out))
    nowhere = length == 0
    length[nowhere] = 1
    out /= length[..., None]
    out[nowhere, 2] = 1


def _slopes(q: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of the best plane at each pixel: q (H, W) float64 -> q_u, q_v (H, W) float64."""
    height, width = q.shape
    side = 2 * radius + 1
    nx, mx, vx = _extent(width, radius)
    ny, my, vy = (values[:, None] for values in _extent(height, radius))
    ones, ramp = np.ones(side), np.arange(-radius, radius + 1.0)

    def sums(values: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.sepFilter2D(values, cv2.CV_64F, across, down, borderType=cv2.BORDER_CONSTANT))

    total = sums(q, ones, ones)
    # x and y of a whole rectangle do not correlate: each slope is a regression of its own
    q_u = (sums(q, ramp, ones) - mx * total) / np.maximum(ny * vx, 1)
    q_v = (sums(q, ones, ramp) - my * total) / np.maximum(nx * vy, 1)
    count = nx * ny
    mean = total / count
    bend = sums(q * q, ones, ones) / count - mean * mean
    bend -= (q_u * q_u * vx) / nx + (q_v * q_v * vy) / ny
    rows, columns = np.nonzero(bend > (_BENT * mean) ** 2)
    if rows.size:
        mx, my = np.broadcast_to(mx, q.shape), np.broadcast_to(my, q.shape)
        here, best = q[rows, columns], np.full(rows.size, np.inf)
        at = rows.copy(), columns.copy()
        for down in (0, -radius, radius):
            for right in (0, -radius, radius):
                r, c = np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)
                off = (
                    here
                    - mean[r, c]
                    - q_u[r, c] * (columns - c - mx[r, c])
                    - q_v[r, c] * (rows - r - my[r, c])
                )
                cost = (np.maximum(bend[r, c], 0) + off * off) / (mean[r, c] * mean[r, c])
                better = cost < best
                best[better] = cost[better]
                at[0][better], at[1][better] = r[better], c[better]
        q_u[rows, columns], q_v[rows, columns] = q_u[at], q_v[at]
    return q_u, q_v


def _extent(length: int, radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the window along one axis, cut at the border: pixels, mean offset, sum of squares about it."""
    at = np.arange(length)
    low, high = np.maximum(at - radius, 0) - at, np.minimum(at + radius, length - 1) - at
    count = (high - low + 1).astype(np.float64)
    return count, (low + high) / 2, count * (count * count - 1) / 12
