"""Where a camera may stand in a scene, and the light of indoor and outdoor scenes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .builder import Builder
from .scene import Light


@dataclass(frozen=True)
class View:
    """Where the camera stands and what it may do; angles in degrees.

    Attributes:
        eye: (x, height, z).
        target: (x, height, z) it looks at, before ``jitter``.
        jitter: Standard deviation of yaw and pitch.
        fov: Range of the horizontal field of view.
        speed: Metres a frame of camera motion, about.
        centre, extent: What the shadow map covers.
        outdoor: Whether the sky is seen.
    """

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    jitter: float
    fov: tuple[float, float]
    speed: float
    centre: tuple[float, float, float]
    extent: float
    outdoor: bool


def indoor_light(b: Builder, w: float, h: float, d: float) -> Light:
    """Lamps in a room of width, height and depth, and a window's light.

    Args:
        b: Decides it.
        w, h, d: Half the width, the height and half the depth, in metres.
    """
    warm = np.array((1.0, b.u(0.75, 1.0), b.u(0.5, 1.05)), np.float32)
    lamps = tuple(
        (np.array((b.u(-0.8, 0.8) * w, -h * b.u(0.85, 0.97), b.u(0.1, 1.9) * d)), warm * b.u(0.3, 2.2))
        for _ in range(int(b.rng.integers(1, 4)))
    )
    direction = np.array((b.u(-1, 1), -b.u(0.5, 2.0), b.u(-1, 1)))
    return Light(
        direction / np.linalg.norm(direction),
        warm * b.u(0.0, 0.7),
        warm * b.u(0.15, 0.6),
        warm * b.u(0.1, 0.4),
        lamps,
    )


def outdoor_light(b: Builder) -> Light:
    """Sun and sky, with haze and clouds or without.

    Args:
        b: Decides it.
    """
    direction = np.array((b.u(-1, 1), -b.u(0.25, 1.5), b.u(-1, 1)))
    overcast = b.coin(0.35)
    sun = np.array((1.0, b.u(0.8, 0.97), b.u(0.6, 0.92)), np.float32) * (
        b.u(0, 0.3) if overcast else b.u(0.8, 2.0)
    )
    grey = b.u(0.3, 0.9)
    sky = (
        np.array((0.45, 0.62, 1.0), np.float32) * (1 - grey) + np.array((0.85, 0.88, 0.92), np.float32) * grey
    )
    if b.coin(0.1):
        sky = np.clip(sky * (b.u(0.5, 1.3), 1, b.u(0.5, 1)), 0.05, 1.2).astype(np.float32)
    sky = sky * b.u(0.4, 1.0)
    return Light(
        direction / np.linalg.norm(direction), sun, sky, sky * np.array((0.5, 0.45, 0.35), np.float32),
        fog=float(np.exp(b.u(np.log(5e-4), np.log(0.02)))) if b.coin(0.6) else 0.0,
        fog_colour=(sky * 1.1 + 0.15 * sun).astype(np.float32),
        clouds=b.u(0.2, 0.95) if not overcast else 1.2,
        cloud_offset=b.u(0, 1),
    )  # fmt: skip
