"""A pinhole camera on a smooth path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .builder import rotation
from .views import View

FAST = 0.2  # metres a frame from which a camera is on a vehicle, which goes where it looks, and level


def camera_rays(K: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 3) ray directions of pixel centres (+0.5) in camera axes, z = 1.

    Args:
        K: (3, 3).
        height, width: Of the picture, in pixels.
    """
    x = (np.arange(width) + 0.5 - K[0, 2]) / K[0, 0]
    y = (np.arange(height) + 0.5 - K[1, 2]) / K[1, 1]
    return np.stack((*np.meshgrid(x, y), np.ones((height, width))), -1).astype(np.float32)


@dataclass(frozen=True)
class Camera:
    """Intrinsics and a path at constant speed.

    Attributes:
        K: (3, 3) in pixels, pixel centres at +0.5.
        eye, velocity: (3,) world position at time 0 and metres a frame.
        angles, spin: (3,) pitch, yaw and roll at time 0 in radians, and radians a frame.
        aside: Metres to the camera's own right of that path: another eye of the same rig.
    """

    K: np.ndarray
    eye: np.ndarray
    velocity: np.ndarray
    angles: np.ndarray
    spin: np.ndarray
    aside: float = 0.0

    def pose(self, time: float) -> np.ndarray:
        """(4, 4) cam_to_world at ``time``, in frames.

        Args:
            time: May lie between frames.
        """
        pitch, yaw, roll = self.angles + self.spin * time
        pose = np.eye(4)
        pose[:3, :3] = rotation(1, yaw) @ rotation(0, pitch) @ rotation(2, roll)
        pose[:3, 3] = self.eye + self.velocity * time + self.aside * pose[:3, 0]
        return pose


def draw_camera(rng: np.random.Generator, view: View, height: int, width: int) -> Camera:
    """A camera that a view allows: lens, aim, a small motion.

    Args:
        rng: Decides it.
        view: What it may do.
        height, width: Of the picture, in pixels.
    """
    focal = width / 2 / np.tan(np.radians(rng.uniform(*view.fov)) / 2)
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    eye = np.array((view.eye[0], -view.eye[1], view.eye[2]))
    to = np.array((view.target[0], -view.target[1], view.target[2])) - eye
    yaw = np.arctan2(to[0], to[2]) + np.radians(rng.normal(0, view.jitter))
    pitch = np.arctan2(-to[1], np.hypot(to[0], to[2])) + np.radians(rng.normal(0, view.jitter))
    roll = np.radians(rng.normal(0, 3) + (rng.uniform() < 0.05) * rng.normal(0, 25))
    steps = rng.normal(0, 1, 3) * view.speed
    fast = view.speed > FAST
    velocity = rotation(1, yaw) @ (steps * (0.15, 0.04, 1)) if fast else steps * (1, 0.3, 1)
    spin = np.radians(rng.normal(0, 0.4, 3) * (1, 1.5, 0.5))
    return Camera(K, eye, velocity, np.array((pitch, yaw, roll)), spin)
