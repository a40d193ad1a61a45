"""Two eyes in one picture: side by side, top and bottom, anaglyph, VR180, or the plate beside its depth."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ..geometry.camera import Intrinsics

# Least squares for red and cyan glasses (Dubois 2001), on encoded RGB as is usual.
_LEFT = np.array(((0.437, 0.449, 0.164), (-0.062, -0.062, -0.024), (-0.048, -0.050, -0.017)), np.float32)
_RIGHT = np.array(((-0.011, -0.032, -0.007), (0.377, 0.761, 0.009), (-0.026, -0.093, 1.234)), np.float32)
_WIDEST = 4096  # pixels of one eye of VR180


def together(layout: str, left: np.ndarray, right: np.ndarray, lens: Intrinsics) -> np.ndarray:
    """Both eyes as one picture, (H', W', 3) float32 in [0, 1].

    Args:
        layout: One of `EyesLayout` but rgbd.
        left, right: (H, W, 3) float32 in [0, 1].
        lens: Of both, for VR180.
    """
    if layout == "right":
        return right
    if layout == "anaglyph":
        mixed: np.ndarray = np.clip(left @ _LEFT.T + right @ _RIGHT.T, 0, 1)
        return mixed
    height, width = left.shape[:2]
    eyes = [left, right]
    if layout == "half-side-by-side":
        eyes = [_resized(eye, (max(width // 2, 1), height)) for eye in eyes]
    elif layout == "half-top-bottom":
        eyes = [_resized(eye, (width, max(height // 2, 1))) for eye in eyes]
    elif layout == "vr180":
        eyes = [half_sphere(eye, lens) for eye in eyes]
    return np.concatenate(eyes, axis=0 if layout.endswith("top-bottom") else 1)


def depth_beside(left: np.ndarray, z: np.ndarray, far: float, near: float) -> np.ndarray:
    """The plate beside its depth, white is near: (H, 2 W, 3) float32 in [0, 1].

    Args:
        left: (H, W, 3) float32 in [0, 1].
        z: (H, W) planar depth.
        far, near: Inverse depth of black and of white.
    """
    grey = np.clip((1 / np.maximum(z, 1e-9) - far) / (near - far), 0, 1).astype(np.float32)
    return np.concatenate((left, np.repeat(grey[..., None], 3, 2)), 1)


def half_sphere(eye: np.ndarray, lens: Intrinsics) -> np.ndarray:
    """A picture on the front half of a sphere, equirectangular, black where it does not reach.

    Args:
        eye: (H, W, 3) float32.
        lens: Of it.

    Returns:
        (S, S, 3) float32; S is such that the middle keeps its size, at most 4096.
    """
    side = min(_WIDEST, max(2, round(np.pi * lens.fx / 2) * 2))
    rows, columns = _sphere(side, lens.fx, lens.fy, lens.cx, lens.cy)
    found = cv2.remap(
        eye, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0)
    )
    return np.asarray(np.clip(found, 0, 1))


@lru_cache(maxsize=2)
def _sphere(side: int, fx: float, fy: float, cx: float, cy: float) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of the half sphere is in a picture: rows and columns, (S, S) float32 indices."""
    angle = ((np.arange(side) + 0.5) / side - 0.5) * np.pi
    across = np.tan(angle)
    down = np.tan(angle)[:, None] / np.cos(angle)
    columns = np.broadcast_to(fx * across + cx - 0.5, (side, side))
    # remap counts in 16 bits; far outside is as good as just outside
    limits = (-2.0, 30000.0)
    return (
        np.clip(fy * down + cy - 0.5, *limits).astype(np.float32),
        np.clip(columns, *limits).astype(np.float32),
    )


def _resized(eye: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(cv2.resize(eye, size, interpolation=cv2.INTER_AREA))
