"""Procedural clips with exact depth, camera and optical flow, decided by a seed alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .builder import Builder
from .camera import draw_camera
from .layouts import LAYOUTS
from .look import Look
from .optics import Effects, draw_effects, matte
from .raster import Surfaces
from .scene import places
from .stage import Stage
from .truth import SceneClip

MOVING = 0.7  # share of the clips in which something moves
_TRIES = 8  # scenes whose camera stands inside something are thrown away


def render_clip(
    seed: int,
    frames: int = 1,
    height: int = 192,
    width: int = 256,
    layout: str | None = None,
    noise: bool = True,
    moving: bool | None = False,
    clean: bool = False,
    device: str = "cpu",
) -> SceneClip:
    """Renders a random scene seen by a slowly moving camera.

    Args:
        seed: Decides everything; the same seed gives the same bytes.
        frames: Number of frames.
        height, width: Picture size in pixels.
        layout: One of `layouts.LAYOUTS`; None draws one.
        noise: Whether to add the sensor's noise, which differs between frames.
        moving: Whether people, vehicles and loose things move; None draws it, for seven clips in ten. The
            scene is the same either way, unless something runs into the camera.
        clean: Whether to leave out what makes pictures differ from their truth: highlights, fog, motion
            blur, defocus, vignette. The truth is the same either way.
        device: Where to render, as torch calls it; bytes are the same on one kind of device.

    Raises:
        ValueError: the layout does not exist.
    """
    return set_up(seed, frames, height, width, layout, moving, clean, device).film(noise)


@dataclass(frozen=True)
class Take:
    """A scene before its camera, ready to be filmed.

    Attributes:
        key: Seed and attempt: what the noise of its frames is drawn from.
        layout: Name of the kind of scene.
        stage: Scene and camera.
        surfaces: What each frame sees.
        look, effects: How the camera answers to light, and what lens, shutter and air do.
    """

    key: tuple[int, int]
    layout: str
    stage: Stage
    surfaces: list[Surfaces]
    look: Look
    effects: Effects

    def film(self, noise: bool) -> SceneClip:
        """The clip.

        Args:
            noise: Whether to add the sensor's noise.
        """
        linear = self.stage.expose(self.surfaces, self.effects)
        return self.developed(self.stage, self.surfaces, linear, self.look.exposure(linear[0]), noise)

    def developed(
        self, stage: Stage, surfaces: list[Surfaces], linear: list[Tensor], exposure: float,
        noise: bool, eye: tuple[int, ...] = (),
    ) -> SceneClip:  # fmt: skip
        """What a camera on this take's set filmed, with its truth.

        Args:
            stage: That camera before the scene.
            surfaces, linear: What each frame sees, and the light (3, H, W) of it.
            exposure: Gain on the light.
            noise: Whether to add the sensor's noise.
            eye: Tells its noise from another camera's.
        """
        frames, motions = range(len(surfaces)), stage.scene.motions
        rgb = [
            self.look.develop(picture * exposure, np.random.default_rng((*self.key, t, *eye)), noise)
            for t, picture in enumerate(linear)
        ]
        return SceneClip(
            torch.stack(rgb).cpu().numpy(),
            torch.stack([surface.depth for surface in surfaces]).cpu().numpy(),
            stage.camera.K,
            np.stack([stage.camera.pose(t) for t in frames]),
            self.layout,
            self.key[0],
            np.stack([stage.body(surface) for surface in surfaces]),
            np.stack([places(motions, t) for t in frames]),
            stage.scene,
            str(stage.device),
        )


def set_up(
    seed: int, frames: int, height: int, width: int, layout: str | None, moving: bool | None, clean: bool,
    device: str,
) -> Take:  # fmt: skip
    """Everything before the light is let in; see `render_clip`.

    Args:
        seed, frames, height, width, layout, moving, clean, device: As of `render_clip`.

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
        if not (builder.dice.coin(MOVING) if moving is None else moving):
            scene = replace(scene, motions=())
        scene = matte(scene) if clean else scene
        camera = draw_camera(rng, view, height, width)
        stage = Stage(scene, camera, (height, width), torch.device(device))
        surfaces = stage.cast(frames, picky=attempt < _TRIES - 1)
        if surfaces:
            break
    look, effects = Look(rng), draw_effects(rng.spawn(1)[0], width, view.outdoor)
    if clean:
        look.vignette, effects = 0.0, Effects()
    return Take((seed, attempt), name, stage, surfaces, look, effects)


__all__ = ["SceneClip", "render_clip"]
