"""Camera-space surface normals from planar depth."""

from __future__ import annotations

import numpy as np

from .camera import Intrinsics


def normals_from_depth(depth: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Unit normals of the surface a depth map describes, exact on planes.

    A plane n·P = c seen by a pinhole has linear inverse depth q = 1/Z = n·((u − cx)/fx, (v − cy)/fy, 1)/c, so
    its normal is n ∝ (fx·q_u, fy·q_v, q − (u − cx)·q_u − (v − cy)·q_v): first differences of q suffice. At
    each pixel and axis the one-sided difference with the smaller change is used, so a normal never spans a
    depth edge.

    Args:
        depth: (H, W) planar z > 0, finite (sky as a very large value).
        intrinsics: The camera of the plate.

    Returns:
        (H, W, 3) float32 with x right, y up, z towards the camera, unit length, facing the camera.
    """
    q = np.reciprocal(depth.astype(np.float32, copy=False))
    height, width = q.shape
    q_u = _smaller_difference(q)
    q_v = _smaller_difference(q.T).T
    u = (np.arange(width, dtype=np.float32) + np.float32(0.5 - intrinsics.cx))[None, :]
    v = (np.arange(height, dtype=np.float32) + np.float32(0.5 - intrinsics.cy))[:, None]
    normals = np.empty((height, width, 3), np.float32)
    np.multiply(q_u, np.float32(-intrinsics.fx), out=normals[..., 0])
    np.multiply(q_v, np.float32(intrinsics.fy), out=normals[..., 1])
    normals[..., 2] = q - u * q_u - v * q_v
    length = np.sqrt(np.einsum("hwc,hwc->hw", normals, normals))
    length[length == 0] = 1
    normals /= length[..., None]
    return normals


def _smaller_difference(q: np.ndarray) -> np.ndarray:
    """Forward or backward difference along the last axis, whichever is smaller: (H, W) -> (H, W)."""
    if q.shape[1] < 2:
        return np.zeros_like(q)
    steps = np.diff(q, axis=1)
    forward = np.concatenate([steps, steps[:, -1:]], axis=1)
    backward = np.concatenate([steps[:, :1], steps], axis=1)
    return np.where(np.abs(forward) < np.abs(backward), forward, backward)
