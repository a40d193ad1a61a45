"""Procedural stereo clips: two parallel cameras before one scene, at the same moments."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from .clip import set_up
from .primitives import NEAR
from .render import sight
from .stage import Stage
from .tables import tabulate
from .truth import SAME, SceneClip, carry, project

USUAL = 0.03  # of the width: the median disparity that the default baseline gives


@dataclass(frozen=True)
class StereoClip:
    """What the two eyes of a rectified rig saw, and its truth.

    Attributes:
        left, right: Each eye's clip.
        baseline: Metres from the left camera to the right one.
    """

    left: SceneClip
    right: SceneClip
    baseline: float

    @property
    def disparity(self) -> np.ndarray:
        """(T, H, W) float32 of the left pictures, in pixels: a pixel x is at x − d in the right one."""
        found: np.ndarray = self.left.K[0, 0] * self.baseline / self.left.depth
        return found.astype(np.float32)

    @property
    def seen(self) -> np.ndarray:
        """(T, H, W) bool, True where the right eye sees what the left one does.

        Raises:
            ValueError: the clip was not made by `render_stereo`.
        """
        left, right = self.left, self.right
        if left.scene is None:
            raise ValueError("a clip without its scene does not know what hides what")
        count, height, width = left.depth.shape
        seen = np.empty((count, height, width), bool)
        for t in range(count):
            moves = np.linalg.inv(right.poses[t]) @ left.poses[t]
            points = carry(left.K, left.depth[t], np.zeros((height, width), np.int16), moves[None])
            pixels = project(points, left.K)
            inside = (pixels >= 0).all(-1) & (pixels < (width, height)).all(-1) & (points[..., 2] > NEAR)
            tables = tabulate(left.scene.at(t), torch.device(left.device))
            first = sight(tables, left.K, right.poses[t], pixels[inside], height, width).cpu().numpy()
            distance = np.where(left.sky[t], np.inf, points[..., 2])[inside]
            seen[t] = inside
            seen[t][inside] = (first >= distance * (1 - SAME)) | np.isinf(first)
        return seen


def render_stereo(
    seed: int,
    frames: int = 1,
    height: int = 192,
    width: int = 256,
    baseline: float | None = None,
    layout: str | None = None,
    noise: bool = True,
    moving: bool | None = False,
    clean: bool = False,
    device: str = "cpu",
) -> StereoClip:
    """Renders a scene for two eyes; the left one sees exactly what `render_clip` of the same seed does.

    Args:
        seed: Decides everything but the baseline.
        frames: Number of frames.
        height, width: Picture size in pixels.
        baseline: Metres between the cameras; None: so many that the median disparity of the first picture is
            `USUAL`, as on a set where the rig is adjusted to the scene.
        layout: As of `render_clip`.
        noise: Whether to add the sensors' noise, which differs between the eyes too.
        moving, clean, device: As of `render_clip`.

    Raises:
        ValueError: the layout does not exist.
    """
    take = set_up(seed, frames, height, width, layout, moving, clean, device)
    stage, depth = take.stage, take.surfaces[0].depth
    if baseline is None:
        near = float(depth[torch.isfinite(depth)].median())
        baseline = USUAL * width * near / float(stage.camera.K[0, 0])
    light = stage.expose(take.surfaces, take.effects)
    exposure = take.look.exposure(light[0])
    left = take.developed(stage, take.surfaces, light, exposure, noise)
    other = Stage(stage.scene, replace(stage.camera, aside=baseline), stage.size, stage.device)
    surfaces = other.cast(frames, picky=False)
    light = other.expose(surfaces, take.effects, aimed=take.surfaces[0])
    right = take.developed(other, surfaces, light, exposure, noise, eye=(1,))
    return StereoClip(left, right, baseline)
