"""Sampling one frame at the places where another frame's pixels went."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np


@lru_cache(maxsize=8)
def pixel_grid(height: int, width: int) -> np.ndarray:
    """Pixel indices (height, width, 2) float32, x then y, read-only.

    Args:
        height, width: In pixels.
    """
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    grid.setflags(write=False)
    return grid


def target(flow: np.ndarray) -> np.ndarray:
    """Where every pixel goes, (h, w, 2) in pixel indices, for a flow (h, w, 2).

    Args:
        flow: x then y, in pixels.
    """
    return np.asarray(flow + pixel_grid(*flow.shape[:2]))


def sample(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Bilinear samples of ``image`` (H, W[, C]) at ``where`` (h, w, 2), x then y; the border is repeated.

    Args:
        image: Of a dtype that OpenCV resamples.
        where: float32 pixel indices: 0 is the centre of the first pixel.
    """
    # remap takes both coordinates from one map
    return cv2.remap(image, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore


def inside(where: np.ndarray, height: int, width: int) -> np.ndarray:
    """(h, w) bool: the place lies within the picture, pixel centres included.

    Args:
        where: (h, w, 2) float32 pixel indices, x then y.
        height, width: Of the picture, in pixels.
    """
    return np.asarray(cv2.inRange(where, (0.0, 0.0), (width - 1.0, height - 1.0))) > 0
