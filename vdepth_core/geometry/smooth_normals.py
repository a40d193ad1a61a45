"""Normals smoothed within surfaces: the waves of an estimate go, steps and what lies behind them stay.

An edge-avoiding à-trous filter (Dammertz et al. 2010): at every level each pixel takes neighbours' normals
in, twice as far away as at the level before, as far as they lie on one surface with it: where the step from
one point to the other is along the plane of the mean of their normals.
"""

from __future__ import annotations

import math

import numpy as np

from .camera import Intrinsics

AWAY = 0.01  # off the plane by so much of its depth, a neighbour is another surface
_STRIP = 128  # rows at a time
_SPREAD = 0.365  # pixels that the first level smooths over, rms; each further one doubles it


def smoothed_normals(normals: np.ndarray, depth: np.ndarray, camera: Intrinsics, radius: float) -> np.ndarray:
    """Unit normals smoothed over pixels of the same surface; exact where that is a plane.

    Args:
        normals: (H, W, 3) float32 of unit length, x right, y up, z towards the camera.
        depth: (H, W) planar z > 0, finite (sky as a very large value).
        camera: Intrinsics of the plate.
        radius: How far, rms, in pixels; below half a pixel nothing is done.

    Returns:
        (H, W, 3) float32, facing the camera.
    """
    levels = round(math.log2(max(radius / _SPREAD, 1.0)))
    height, width = depth.shape
    reach, out = 2**levels, np.empty_like(normals)
    x = ((np.arange(width) + (0.5 - camera.cx)) / camera.fx).astype(np.float32)
    y = ((np.arange(height) + (0.5 - camera.cy)) / -camera.fy).astype(np.float32)[:, None]
    for start in range(0, height, _STRIP):
        above, below = max(start - reach, 0), min(start + _STRIP + reach, height)
        z = depth[above:below].astype(np.float32)
        points = np.stack((x * z, y[above:below] * z, -z))
        found = np.ascontiguousarray(normals[above:below].transpose(2, 0, 1))
        for level in range(levels):
            found = _level(found, points, z, 2**level)
        out[start : start + _STRIP] = found[:, start - above :][:, :_STRIP].transpose(1, 2, 0)
    return out


def _level(normals: np.ndarray, points: np.ndarray, z: np.ndarray, step: int) -> np.ndarray:
    """One level: normals and points (3, h, w)."""
    total, unit = normals.copy(), np.float32(2 * AWAY) * z
    for axis in (1, 2):
        length = z.shape[axis - 1]
        if length <= step:
            continue
        here = tuple(slice(None, -step) if i == axis else slice(None) for i in range(3))
        there = tuple(slice(step, None) if i == axis else slice(None) for i in range(3))
        # Of the two of a pair both are off the plane by as much; each counts it in its own depth.
        off = ((normals[here] + normals[there]) * (points[there] - points[here])).sum(0)
        for one, other in ((here, there), (there, here)):
            weight = off / unit[one[1:]]
            weight *= weight
            np.subtract(1, weight, out=weight)
            np.maximum(weight, 0, out=weight)
            total[one] += weight * normals[other]
    total /= np.maximum(np.sqrt((total * total).sum(0)), np.float32(1e-9))
    return total
