"""View synthesis: a source picture as the target camera would see it, from the target's depth and the pose.

Every pixel of the target goes out to its depth, into the source camera, and is looked up there:
X = D · K⁻¹ [u, v, 1], x' = K · T · X, bilinear. Here **u and v are integer indices**, as in all published
systems: the principal point of the middle is (W − 1) / 2, half a pixel less than in
`geometry.camera.Intrinsics` (`index_matrix` converts). The systems differ in what they do with points near or
behind the camera, outside the picture, and with grid_sample's corners: `Warp`, and the four published ones.
"""

from __future__ import annotations

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


def project(points: Tensor, K: Tensor, pose: Tensor, how: Warp) -> tuple[Tensor, Tensor]:
    """Where a camera sees points.

    Args:
        points: (B, 3, H, W) in another camera's frame.
        K: (B, 3, 3) or (3, 3).
        pose: (B, 4, 4), from that camera to this one.
        how: Limits of the depth.

    Returns:
        (B, H, W, 2) pixel indices (x, y), and (B, H, W) their depth before it was limited.
    """
    matrix = K @ pose[:, :3]
    seen = matrix[:, :, :3] @ points.flatten(2) + matrix[:, :, 3:]
    z = seen[:, 2:]
    limited = (z if how.near is None else z.clamp(min=how.near)) + how.epsilon
    pixels = (seen[:, :2] / limited).unflatten(-1, points.shape[-2:])
    return pixels.permute(0, 2, 3, 1), z.unflatten(-1, points.shape[-2:])[:, 0]


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
    found = functional.grid_sample(
        maps, grid, "bilinear", padding_mode=how.padding, align_corners=how.align_corners
    )
    return found, (grid.abs().amax(-1) <= 1)[:, None]


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
    pixels, z = project(backproject(depth, torch.linalg.inv(K)), K, pose, how)
    found, inside = sample(source, pixels, how)
    return found, inside if how.near is not None else inside & (z > 0)[:, None]
