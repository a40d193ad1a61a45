"""Procedural clips with exact depth, camera and optical flow, decided by a seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .builder import Builder, rotation
from .layouts import LAYOUTS, View
from .render import camera_rays, cast, shade

_TRIES = 8  # scenes whose camera stands inside something are thrown away


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
    """

    rgb: np.ndarray
    depth: np.ndarray
    K: np.ndarray
    poses: np.ndarray
    layout: str
    seed: int

    @property
    def sky(self) -> np.ndarray:
        """(T, H, W) bool, True where nothing but sky is seen."""
        return np.isinf(self.depth)

    @property
    def flow(self) -> np.ndarray:
        """(T − 1, H, W, 2) float32: where a pixel of frame t is in frame t + 1, minus where it is (x, y)."""
        count, height, width = self.depth.shape
        rays = camera_rays(self.K, height, width).astype(np.float64)
        grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
        flow = np.empty((count - 1, height, width, 2), np.float32)
        for t in range(count - 1):
            move = np.linalg.inv(self.poses[t + 1]) @ self.poses[t]
            far = ~np.isfinite(self.depth[t])
            points = rays * np.where(far, 1, self.depth[t])[..., None]
            points = points @ move[:3, :3].T + np.where(far[..., None], 0, move[:3, 3])
            pixels = points @ self.K.T
            flow[t] = pixels[..., :2] / np.maximum(pixels[..., 2:], 1e-6) - grid
        return flow


def render_clip(
    seed: int,
    frames: int = 1,
    height: int = 192,
    width: int = 256,
    layout: str | None = None,
    noise: bool = True,
) -> SceneClip:
    """Renders a static random scene seen by a slowly moving camera.

    Args:
        seed: Decides everything; the same seed gives the same bytes.
        frames: Number of frames.
        height, width: Picture size in pixels.
        layout: One of `layouts.LAYOUTS`; None draws one.
        noise: Whether to add the sensor's noise, which differs between frames.

    Raises:
        ValueError: the layout does not exist.
    """
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"no layout {layout!r}; there are {', '.join(LAYOUTS)}")
    for attempt in range(_TRIES):
        rng = np.random.default_rng((seed, attempt))
        names, weights = list(LAYOUTS), np.array([share for _, share in LAYOUTS.values()])
        drawn = str(rng.choice(names, p=weights / weights.sum()))
        name = layout or drawn
        builder = Builder(rng)
        view, light = LAYOUTS[name][0](builder)
        scene = builder.scene(light, view.centre, view.extent)
        K, poses = _camera(rng, view, frames, height, width)
        first = cast(scene, K, poses[0], height, width)
        near = np.quantile(first.depth, 0.02)
        if near > 0.2 and np.isfinite(first.depth).mean() > 0.3 and len(np.unique(first.solid)) > 4:
            break
    rgb = np.empty((frames, 3, height, width), np.float32)
    depth = np.empty((frames, height, width), np.float32)
    exposure = None
    look = _Look(rng, view.outdoor)
    for t in range(frames):
        surfaces = first if t == 0 else cast(scene, K, poses[t], height, width)
        linear = shade(scene, surfaces, K, poses[t])
        if exposure is None:
            exposure = look.exposure(linear)
        rgb[t] = look.develop(linear * exposure, np.random.default_rng((seed, attempt, t)), noise).transpose(
            2, 0, 1
        )
        depth[t] = surfaces.depth
    return SceneClip(rgb, depth, K, poses, name, seed)


class _Look:
    """One camera's response: exposure, white balance, tone curve, softness, vignette and noise."""

    def __init__(self, rng: np.random.Generator, outdoor: bool) -> None:
        self.key = rng.uniform(0.2, 0.5)
        self.balance = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
        self.shoulder = rng.uniform(0.0, 1.0)
        self.contrast = rng.uniform(0.9, 1.5)
        self.blur = rng.uniform(0.35, 0.8)
        self.vignette = rng.uniform(0, 0.35) * (rng.uniform() < 0.5)
        self.noise = np.exp(rng.uniform(np.log(0.001), np.log(0.012)))

    def exposure(self, linear: np.ndarray) -> float:
        """Gain that brings the picture's middle to the key."""
        light = linear.mean(-1)
        return float(self.key / (0.5 * np.median(light) + 0.5 * light.mean() + 1e-4))

    def develop(self, linear: np.ndarray, rng: np.random.Generator, noise: bool) -> np.ndarray:
        """(H, W, 3) linear light -> display-referred [0, 1]."""
        height, width = linear.shape[:2]
        image = cv2.GaussianBlur(np.maximum(linear, 0).astype(np.float32), (0, 0), self.blur) * self.balance
        y, x = np.mgrid[:height, :width]
        radius = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2).astype(np.float32)
        image *= (1 - self.vignette * 2 * radius)[..., None]
        image = self.key * (image / self.key) ** self.contrast
        soft = image / (1 + 0.6 * image)
        image = np.clip(image * (1 - self.shoulder) + self.shoulder * soft, 0, 1)
        image = np.where(
            image < 0.0031308, 12.92 * image, 1.055 * np.maximum(image, 1e-6) ** (1 / 2.4) - 0.055
        )
        if noise:
            image = image + rng.normal(0, self.noise, image.shape).astype(np.float32) * (0.5 + image)
        return np.clip(image, 0, 1).astype(np.float32)


def _camera(
    rng: np.random.Generator, view: View, frames: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics (3, 3) and cam_to_world poses (T, 4, 4) of a smooth small motion."""
    focal = width / 2 / np.tan(np.radians(rng.uniform(*view.fov)) / 2)
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    eye = np.array((view.eye[0], -view.eye[1], view.eye[2]))
    to = np.array((view.target[0], -view.target[1], view.target[2])) - eye
    yaw = np.arctan2(to[0], to[2]) + np.radians(rng.normal(0, view.jitter))
    pitch = np.arctan2(-to[1], np.hypot(to[0], to[2])) + np.radians(rng.normal(0, view.jitter))
    roll = np.radians(rng.normal(0, 3) + (rng.uniform() < 0.05) * rng.normal(0, 25))
    velocity = rng.normal(0, 1, 3) * (1, 0.3, 1) * view.speed
    spin = np.radians(rng.normal(0, 0.4, 3) * (1, 1.5, 0.5))
    poses = np.tile(np.eye(4), (frames, 1, 1))
    for t in range(frames):
        turn = (
            rotation(1, yaw + spin[1] * t)
            @ rotation(0, pitch + spin[0] * t)
            @ rotation(2, roll + spin[2] * t)
        )
        poses[t, :3, :3] = turn
        poses[t, :3, 3] = eye + velocity * t
    return K, poses
