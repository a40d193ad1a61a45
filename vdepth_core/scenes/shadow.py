"""The sun's shadow: a depth map seen from the sun."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .raster import orthographic, zbuffer
from .tables import Tables

SIDE = 224  # pixels of the shadow map
BIAS = 0.03  # share of the shadow map's half extent


@dataclass(frozen=True)
class ShadowMap:
    """Depth along the sun's rays over a square around the scene's centre."""

    depth: Tensor  # (SIDE, SIDE) metres from ``eye``
    eye: Tensor  # (3, 1)
    axes: Tensor  # (3, 3) columns: right, down, along the light
    extent: float

    def open(self, world: Tensor, normal: Tensor) -> Tensor:
        """(N,) share of the sun that points (3, N) get, filtered over 2x2 texels; all outside the map.

        Args:
            world: In metres.
            normal: (3, N) unit normals there.
        """
        seen = self.axes.T @ (world + normal * (0.3 * BIAS * self.extent) - self.eye)
        across, down = (seen[:2] / self.extent + 1) / 2 * SIDE - 0.5
        left, top = across.floor().long(), down.floor().long()
        limit = seen[2] - BIAS * self.extent * 0.5
        found = torch.zeros_like(limit)
        for dx in (0, 1):
            for dy in (0, 1):
                cell = (top + dy).clamp(0, SIDE - 1) * SIDE + (left + dx).clamp(0, SIDE - 1)
                found += 0.25 * (self.depth.view(-1)[cell] >= limit)
        outside = (seen[:2].abs() > self.extent).any(0)
        return torch.where(outside, 1.0, found)


def shadow_map(tables: Tables) -> ShadowMap:
    """Renders the map.

    Args:
        tables: The scene's solids, with its light.
    """
    scene = tables.scene
    z = -scene.light.direction
    x = np.cross(z, (0.0, 0.0, 1.0) if abs(z[2]) < 0.9 else (1.0, 0.0, 0.0))
    x /= np.linalg.norm(x)
    axes = np.stack((x, np.cross(z, x), z), 1)
    extent = scene.extent
    eye = scene.centre - z * extent * 4
    corners = ((tables.corners - eye) @ axes)[..., :2] / extent
    low, high = ((edge + 1) / 2 * SIDE for edge in (corners.min(1), corners.max(1)))
    bounds = np.stack((np.floor(low[:, 0]), np.ceil(high[:, 0]), np.floor(low[:, 1]), np.ceil(high[:, 1])), 1)
    bounds = np.clip(bounds, 0, SIDE).astype(np.int64)
    bounds[~tables.casts] = 0
    grid = torch.from_numpy((((np.arange(SIDE) + 0.5) / SIDE * 2 - 1) * extent).astype(np.float32))
    grid = grid.to(tables.device)
    surfaces = zbuffer(tables, orthographic(tables, eye, axes), bounds, grid, grid)

    def put(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(tables.device)

    return ShadowMap(surfaces.depth, put(eye[:, None]), put(axes), extent)
