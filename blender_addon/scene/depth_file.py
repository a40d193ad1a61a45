# SPDX-License-Identifier: GPL-3.0-or-later
"""A frame of a result's depth as numbers, read through Blender's own EXR reader."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..result.manifest import Result, ResultError

NO_DEPTH = 1e9
"""Depth files write 1e10 where there is none."""


def read_depth(result: Result, number: int) -> np.ndarray:
    """Planar z of a frame, (height, width) float32 with the top row first; infinite where there is none.

    Raises:
        ResultError: the file is gone or no picture.
    """
    if "depth" not in result.sequences:
        raise ResultError(f"{result.manifest.name} names no depth files of their own: estimate again.")
    z = _read(result.path("depth", number))
    return np.where((z > 0) & (z < NO_DEPTH), z, np.float32(np.inf))


def read_sky(result: Result, number: int) -> np.ndarray:
    """Mask of a frame's sky, (height, width) float32 in 0..1, 1 is sky, with the top row first.

    Raises:
        ResultError: the file is gone or no picture.
    """
    return _read(result.path("sky", number))


def moved_depth(z: np.ndarray, scale: float, shift: float) -> np.ndarray:
    """Depth moved as the mesh does: scale·z / (1 + shift·z); infinite behind the camera too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        disparity = (1 / z + shift) / scale
        moved = 1 / disparity
    return np.where(disparity > 0, moved, np.float32(np.inf)).astype(np.float32)


def _read(path: Path) -> np.ndarray:
    if not path.is_file():
        raise ResultError(f"{path.name} is gone from {path.parent}: relink the result or estimate again.")
    values = _pixels(path)
    if values is None:
        raise ResultError(f"{path.name} cannot be read: estimate again.")
    return values


def _pixels(path: Path) -> np.ndarray | None:
    """The first channel of a picture, top row first; None where Blender cannot read it."""
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        width, height = image.size
        if not width or not height or not image.has_data:
            return None
        flat = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(flat)
        return flat.reshape(height, width, image.channels)[::-1, :, 0].copy()
    finally:
        bpy.data.images.remove(image)
