"""Casts and shades pictures of a scene."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .raster import Surfaces, along, perspective, rectangles, zbuffer
from .tables import Tables


def cast(tables: Tables, K: np.ndarray, pose: np.ndarray, height: int, width: int) -> Surfaces:
    """What a pinhole camera sees; ``pose`` (4, 4) is cam_to_world.

    Args:
        tables: The scene's solids.
        K: (3, 3).
        pose: In metres.
        height, width: Of the picture, in pixels.
    """
    x = (np.arange(width) + 0.5 - K[0, 2]) / K[0, 0]
    y = (np.arange(height) + 0.5 - K[1, 2]) / K[1, 1]
    bounds = rectangles(tables, K, pose, height, width)
    return zbuffer(tables, perspective(tables, pose), bounds, _put(x, tables), _put(y, tables))


def sight(
    tables: Tables, K: np.ndarray, pose: np.ndarray, pixels: np.ndarray, height: int, width: int
) -> Tensor:
    """(N,) planar depth of what is seen at ``pixels`` (N, 2), which may lie between the grid's centres.

    Args:
        tables: The scene's solids.
        K: (3, 3).
        pose: (4, 4) cam_to_world.
        pixels: (x, y), centres at +0.5.
        height, width: Of the picture, in pixels.
    """
    x, y = (pixels[:, 0] - K[0, 2]) / K[0, 0], (pixels[:, 1] - K[1, 2]) / K[1, 1]
    bounds = rectangles(tables, K, pose, height, width)
    at = _put(pixels, tables)
    return along(tables, perspective(tables, pose), bounds, _put(x, tables), _put(y, tables), at)


def _put(values: np.ndarray, tables: Tables) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(tables.device)
