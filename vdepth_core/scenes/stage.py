"""A scene before a camera, over time: casts frames and exposes them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .camera import Camera
from .optics import Effects, Lens, misty
from .raster import Surfaces
from .render import cast
from .scene import Scene, places
from .shade import shade
from .shadow import ShadowMap, shadow_map
from .tables import Tables, tabulate
from .truth import carry, project

SMEAR = 1.6  # pixels between the moments that make a motion blur
MOMENTS = 7  # most moments of a motion blur


class Stage:
    """One scene, one camera, one picture size, one device; times are in frames."""

    def __init__(self, scene: Scene, camera: Camera, size: tuple[int, int], device: torch.device) -> None:
        self.scene, self.camera, self.size, self.device = scene, camera, size, device
        self.light = scene.light
        self._of_solid = np.array([s.body if scene.motions else 0 for s in scene.solids] + [0], np.int16)
        self._tables: dict[float, Tables] = {}
        self._shadows: dict[float, ShadowMap] = {}

    def cast(self, frames: int, picky: bool) -> list[Surfaces]:
        """Every frame's surfaces; none if ``picky`` and the view is poor or something comes too near.

        Args:
            frames: How many, from 0.
            picky: Whether a poor view is refused.
        """
        found: list[Surfaces] = []
        for t in range(frames):
            surfaces = self._cast(t)
            depth = surfaces.depth.flatten()
            near = float(depth.kthvalue(len(depth) // 50 + 1).values)
            full = t > 0 or (
                float(torch.isfinite(depth).float().mean()) > 0.3
                and int((torch.bincount(surfaces.solid.flatten() + 1) > 0).sum()) > 4
            )
            if picky and not (full and near > (0.12 if t else 0.2)):
                return []
            found.append(surfaces)
        return found

    def expose(
        self, surfaces: list[Surfaces], effects: Effects, aimed: Surfaces | None = None
    ) -> list[Tensor]:
        """(3, H, W) linear light of every frame; its surfaces are those of the middle of the exposure.

        Args:
            surfaces: What `cast` gave.
            effects: Shutter, defocus and mist.
            aimed: What lens and mist are set by; None: the first frame.
        """
        first = (aimed or surfaces[0]).depth
        self.light = misty(self.scene.light, first, effects.mist)
        lens = Lens.aimed(first, effects)
        pictures = []
        for t, middle in enumerate(surfaces):
            moments = self._moments(t, middle, effects.shutter)
            light = torch.zeros((3, *self.size), device=self.device)
            for time in moments:
                seen = middle if time == t else self._cast(time)
                picture = shade(self._at(time), self.light, seen, self._shadow(time), *self._view(time))
                light += (lens.blur(picture, seen.depth) if lens else picture) / len(moments)
            pictures.append(light)
            self._forget(t)
        return pictures

    def body(self, surfaces: Surfaces) -> np.ndarray:
        """(H, W) int16 body that each pixel shows.

        Args:
            surfaces: Of one frame.
        """
        bodies: np.ndarray = self._of_solid[surfaces.solid.cpu().numpy()]
        return bodies

    def _moments(self, t: int, middle: Surfaces, shutter: float) -> list[float]:
        """Times within the exposure of frame t, as many as what it shows moves in it."""
        if shutter == 0:
            return [t]
        depth, body = middle.depth[::6, ::6].cpu().numpy(), self.body(middle)[::6, ::6]
        K = self.camera.K / np.array([[6], [6], [1]])
        ends = []
        for time in (t - shutter / 2, t + shutter / 2):
            moved = places(self.scene.motions, time) @ np.linalg.inv(places(self.scene.motions, t))
            moves = np.linalg.inv(self.camera.pose(time)) @ moved @ self.camera.pose(t)
            ends.append(project(carry(K, depth, body, moves), K))
        length = float(np.quantile(np.hypot(*(6 * (ends[1] - ends[0])).T), 0.95))
        count = int(np.clip(np.ceil(length / SMEAR), 1, MOMENTS)) // 2 * 2 + 1  # odd: t itself is one
        return [t + shutter * k / count for k in range(-(count // 2), count // 2 + 1)]

    def _view(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        return self.camera.K, self.camera.pose(time)

    def _cast(self, time: float) -> Surfaces:
        return cast(self._at(time), *self._view(time), *self.size)

    def _at(self, time: float) -> Tables:
        """The tables at a moment; one for all where nothing moves."""
        key = time if self.scene.motions else 0.0
        if key not in self._tables:
            self._tables[key] = tabulate(self.scene.at(key), self.device)
        return self._tables[key]

    def _shadow(self, time: float) -> ShadowMap:
        key = time if self.scene.motions else 0.0
        if key not in self._shadows:
            self._shadows[key] = shadow_map(self._at(key))
        return self._shadows[key]

    def _forget(self, t: int) -> None:
        """Drops what was made for moments before frame t + 1."""
        if self.scene.motions:
            for made in (self._tables, self._shadows):
                for time in [time for time in made if time <= t]:
                    del made[time]
