"""A rendered clip with its truth: depth, camera, bodies, and the exact flow and visibility they imply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .camera import camera_rays
from .primitives import NEAR
from .render import sight
from .scene import Scene
from .tables import tabulate

SAME = 1e-3  # relative difference of depth below which two points are one


@dataclass(frozen=True)
class SceneClip:
    """A rendered clip and its truth.

    Attributes:
        rgb: (T, 3, H, W) float32, display-referred in [0, 1].
        depth: (T, H, W) float32 planar z in metres at pixel centres, inf where the sky is seen.
        K: (3, 3) float64 intrinsics in pixels, pixel centres at +0.5.
        poses: (T, 4, 4) float64 cam_to_world, OpenCV axes.
        layout: Name of the kind of scene.
        seed: What it was made from.
        body: (T, H, W) int16, which rigid body a pixel shows; 0 is the still world and the sky.
        places: (T, B, 4, 4) float64, where each body is: from its built place to the world.
        scene: What was rendered, as it stands at frame 0.
        device: Where it was rendered.
    """

    rgb: np.ndarray
    depth: np.ndarray
    K: np.ndarray
    poses: np.ndarray
    layout: str
    seed: int
    body: np.ndarray | None = None
    places: np.ndarray | None = None
    scene: Scene | None = None
    device: str = "cpu"

    @property
    def sky(self) -> np.ndarray:
        """(T, H, W) bool, True where nothing but sky is seen."""
        sky: np.ndarray = np.isinf(self.depth)
        return sky

    @property
    def flow(self) -> np.ndarray:
        """(T − 1, H, W, 2) float32: where a pixel of frame t is in frame t + 1, minus where it is (x, y).

        Exact for still and moving things alike, also where frame t + 1 does not show them (see `visible`).
        """
        count, height, width = self.depth.shape
        grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
        flow = np.empty((count - 1, height, width, 2), np.float32)
        for t in range(count - 1):
            flow[t] = project(self.moved(t), self.K) - grid
        return flow

    @property
    def visible(self) -> np.ndarray:
        """(T − 1, H, W) bool: the point that a pixel of frame t shows is in frame t + 1, not hidden.

        A ray is cast through the very place where the point has gone, between the pixels of frame t + 1.

        Raises:
            ValueError: the clip was not made by `render_clip`.
        """
        if self.scene is None:
            raise ValueError("a clip without its scene does not know what hides what")
        count, height, width = self.depth.shape
        seen = np.empty((count - 1, height, width), bool)
        for t in range(count - 1):
            points = self.moved(t)
            pixels = project(points, self.K)
            inside = (pixels >= 0).all(-1) & (pixels < (width, height)).all(-1) & (points[..., 2] > NEAR)
            tables = tabulate(self.scene.at(t + 1), torch.device(self.device))
            first = sight(tables, self.K, self.poses[t + 1], pixels[inside], height, width).cpu().numpy()
            distance = np.where(self.sky[t], np.inf, points[..., 2])[inside]
            seen[t] = inside
            seen[t][inside] = (first >= distance * (1 - SAME)) | np.isinf(first)
        return seen

    def moved(self, t: int) -> np.ndarray:
        """(H, W, 3) float64: the points frame t shows, at the time and in the camera axes of frame t + 1.

        For the sky it is the direction.

        Args:
            t: From 0, not the last.
        """
        moves = np.linalg.inv(self.poses[t + 1]) @ self.poses[t]
        if self.places is None or self.body is None:
            return carry(self.K, self.depth[t], np.zeros(self.depth[t].shape, np.int16), moves[None])
        still = np.linalg.inv(self.places[t])
        moves = np.linalg.inv(self.poses[t + 1]) @ self.places[t + 1] @ still @ self.poses[t]
        return carry(self.K, self.depth[t], self.body[t], moves)


def carry(K: np.ndarray, depth: np.ndarray, body: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """(H, W, 3) float64 camera-space points of a picture, each moved by the (4, 4) of its body in ``moves``.

    The sky gives directions.

    Args:
        K: (3, 3).
        depth: (H, W) planar z in metres, inf for the sky.
        body: (H, W) integers, the body each pixel shows; not looked at where there is but one.
        moves: (B, 4, 4).
    """
    far = np.isinf(depth)[..., None]
    points = camera_rays(K, *depth.shape) * np.where(far, 1, depth[..., None]).astype(float)
    moved: np.ndarray
    if len(moves) == 1:
        moved = points @ moves[0, :3, :3].T + np.where(far, 0, moves[0, :3, 3])
        return moved
    chosen = moves[body]
    turned = np.einsum("hwij,hwj->hwi", chosen[..., :3, :3], points)
    moved = turned + np.where(far, 0, chosen[..., :3, 3])
    return moved


def project(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(…, 2) pixels of camera-space points (…, 3); those behind the camera go far away.

    Args:
        points: In metres, or directions.
        K: (3, 3).
    """
    pixels = points @ K.T
    projected: np.ndarray = pixels[..., :2] / np.maximum(pixels[..., 2:], 1e-6)
    return projected
