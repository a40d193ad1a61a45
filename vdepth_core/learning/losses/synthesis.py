"""View synthesis: a source picture as the target camera would see it, from the target's depth and the pose.

Every pixel of the target goes out to its depth, into the source camera, and is looked up there:
X = D · K⁻¹ [u, v, 1], x' = K · T · X, bilinear. Here **u and v are integer indices**, as in all published
systems: the principal point of the middle is (W − 1) / 2, half a pixel less than in
`geometry.camera.Intrinsics` (`index_matrix` converts). The systems differ in what they do with points near or
behind the camera, outside the picture, and with grid_sample's corners: `Warp`, and the four published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ...geometry.camera import Intrinsics


@dataclass(frozen=True)
class Warp:
    """How a system projects and samples.

    Attributes:
        padding: What is seen outside the source: its border again, or black.
        near: Least depth in the source camera; None: depth is not limited, points behind it wrap around.
        epsilon: Added to the depth before it divides.
        align_corners: True: index 0 and W − 1 are the centres of the outermost pixels, which is exact. False
            reads the same coordinates as the outermost *edges*: up to half a pixel too far out.
    """

    padding: Literal["border", "zeros"]
    near: float | None = None
    epsilon: float = 0.0
    align_corners: bool = True


MONODEPTH2 = Warp(
    "border", epsilon=1e-7
)  # DDV's and DIFFNet's, too; corners as torch was when it was trained
FEATDEPTH = Warp("border", epsilon=1e-7, align_corners=False)  # as published: not exact
SFMLEARNER = Warp("zeros", near=1e-3)
PACKNET = Warp("zeros", near=1e-5)


def index_matrix(camera: Intrinsics) -> Tensor:
    """K for pixel indices: (3, 3) float64.

    Args:
        camera: Whose principal point counts from the picture's corner, pixel centres at +0.5.
    """
    rows = ((camera.fx, 0, camera.cx - 0.5), (0, camera.fy, camera.cy - 0.5), (0, 0, 1))
    return torch.tensor(rows, dtype=torch.float64)


def resize_intrinsics(K: Tensor, x: float, y: float, centred: bool = False) -> Tensor:
    """K of the picture resized.

    Args:
        K: (..., 3, 3) for pixel indices.
        x, y: New over old width and height.
        centred: True: the picture's corner stays where it is, c ← (c + .5) · q − .5, which is exact
            (PackNet). False: the first two rows are multiplied (Monodepth2, FeatDepth, SfMLearner).
    """
    factor = K.new_tensor((x, y, 1))[:, None]
    half = K.new_zeros(3, 3)
    if centred:
        half[:2, 2] = 0.5
    resized: Tensor = (K + half) * factor - half
    return resized


def backproject(depth: Tensor, K_inverse: Tensor) -> Tensor:
    """The points that pixels show, in the camera's frame.

    Args:
        depth: (B, 1, H, W) planar z.
        K_inverse: (B, 3, 3) or (3, 3), for pixel indices.

    Returns:
        (B, 3, H, W) in the unit of ``depth``.
    """
    height, width = depth.shape[-2:]
    v, u = torch.meshgrid(
        torch.arange(height, device=depth.device, dtype=depth.dtype),
        torch.arange(width, device=depth.device, dtype=depth.dtype),
        indexing="ij",
    )
    pixels = torch.stack((u, v, torch.ones_like(u))).flatten(1)
    points: Tensor = depth * (K_inverse @ pixels).unflatten(-1, (height, width))
    return points


class Lookup:
    """Where one camera sees what the pixels of another show; what depth does not decide is computed once.

    K · T · X = D · (K R K⁻¹ [u, v, 1]) + K t: what stands in brackets serves every scale of depth.
    """

    def __init__(self, K: Tensor, pose: Tensor, size: Sequence[int], how: Warp) -> None:
        """Prepares for depths of one size.

        Args:
            K: (B, 3, 3) or (3, 3) of both cameras, for pixel indices.
            pose: (B, 4, 4) from the first to the second, in the unit of depth.
            size: (H, W) of the pictures.
            how: The system's way.
        """
        self._how, matrix = how, K @ pose[:, :3]
        rays = backproject(pose.new_ones(1, 1, *size), torch.linalg.inv(K))
        self._along = (matrix[:, :, :3] @ rays.flatten(2)).unflatten(-1, tuple(size))
        self._start = matrix[:, :, 3:, None]
        self._last = pose.new_tensor((size[1] - 1, size[0] - 1))[:, None, None]

    def grid(self, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Where the second camera sees the points.

        Args:
            depth: (B, 1, H, W) of the first, planar z.

        Returns:
            (B, H, W, 2), -1 and 1 the outermost indices, and (B, 1, H, W) their depth there before it was
            limited.
        """
        seen = depth * self._along + self._start
        z = seen[:, 2:]
        limited = (z if self._how.near is None else z.clamp(min=self._how.near)) + self._how.epsilon
        return (seen[:, :2] / limited * (2 / self._last) - 1).permute(0, 2, 3, 1), z

    def find(self, maps: Tensor, depth: Tensor) -> Tensor:
        """What the second camera saw, at the pixels of the first; differentiable.

        Args:
            maps: (B, C, H, W) of the second camera.
            depth: (B, 1, H, W) of the first, planar z.

        Returns:
            (B, C, H, W).
        """
        return _sampled(maps, self.grid(depth)[0], self._how)


def sample(maps: Tensor, pixels: Tensor, how: Warp) -> tuple[Tensor, Tensor]:
    """Bilinear look-up.

    Args:
        maps: (B, C, h, w).
        pixels: (B, H, W, 2) indices (x, y) in ``maps``.
        how: Padding and corners.

    Returns:
        (B, C, H, W), and (B, 1, H, W) bool: inside the outermost pixels' centres.
    """
    last = pixels.new_tensor((maps.shape[-1] - 1, maps.shape[-2] - 1))
    grid = 2 * pixels / last - 1
    return _sampled(maps, grid, how), _inside(grid)


def synthesise(
    source: Tensor, depth: Tensor, K: Tensor, pose: Tensor, how: Warp = MONODEPTH2
) -> tuple[Tensor, Tensor]:
    """The source as the target camera would see it; differentiable in all four.

    Args:
        source: (B, C, H, W) picture or features.
        depth: (B, 1, H, W) of the target, planar z.
        K: (B, 3, 3) or (3, 3) of both, for pixel indices of this size.
        pose: (B, 4, 4) from target to source, in the unit of ``depth``.
        how: The system's way.

    Returns:
        (B, C, H, W), and (B, 1, H, W) bool: where the source was looked up inside, not behind it. What hides
        what is not asked.
    """
    grid, z = Lookup(K, pose, depth.shape[-2:], how).grid(depth)
    inside = _inside(grid)
    return _sampled(source, grid, how), inside if how.near is not None else inside & (z > 0)


def _sampled(maps: Tensor, grid: Tensor, how: Warp) -> Tensor:
    return functional.grid_sample(
        maps, grid, "bilinear", padding_mode=how.padding, align_corners=how.align_corners
    )


def _inside(grid: Tensor) -> Tensor:  # (B, H, W, 2) -> (B, 1, H, W)
    return (grid.abs().amax(-1) <= 1)[:, None]
