"""What a scene is made of besides its solids: paint, light and the motion of its bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .primitives import Solid


@dataclass(frozen=True)
class Material:
    """A painted surface: three colours mixed by two textures.

    Attributes:
        colours: (3, 3) linear RGB of the dark, the light and the overlay paint.
        textures: Library indices of the base and the overlay pattern.
        tile: Metres a tile of the base texture covers; the overlay's is ``tile * overlay_tile``.
        overlay_tile, overlay, contrast: Size, strength of the overlay and strength of the base pattern.
        gloss: Specular strength; glossier is also smoother.
        glow: Emitted light.
        offset: (2,) texture offset in tiles.
    """

    colours: np.ndarray
    textures: tuple[int, int]
    tile: float
    overlay_tile: float = 2.7
    overlay: float = 0.3
    contrast: float = 1.0
    gloss: float = 0.0
    glow: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Light:
    """Light of a scene: a sun (or a window), a sky (or a ceiling) and point lamps; colours are linear RGB."""

    direction: np.ndarray  # (3,) unit, towards the sun
    sun: np.ndarray  # (3,)
    sky: np.ndarray  # (3,)
    bounce: np.ndarray  # (3,)
    lamps: tuple[tuple[np.ndarray, np.ndarray], ...] = ()  # (position, colour)
    fog: float = 0.0  # density, 1/m
    fog_colour: np.ndarray | None = None
    clouds: float = 0.5
    cloud_offset: float = 0.0


@dataclass(frozen=True)
class Motion:
    """How a body moves rigidly: it drifts, turns and swings. Scenes are built in their pose at time 0.

    Attributes:
        pivot: (3,) world point that turning leaves in place.
        axis: (3,) unit world axis of turning.
        velocity: (3,) metres a frame.
        spin: Radians a frame.
        swing: Amplitude in radians, period in frames and phase of swinging about the axis.
        parent: The body that carries this one; 0 is the world.
    """

    pivot: np.ndarray
    axis: np.ndarray
    velocity: np.ndarray
    spin: float = 0.0
    swing: tuple[float, float, float] = (0.0, 1.0, 0.0)
    parent: int = 0

    def at(self, time: float) -> np.ndarray:
        """(4, 4) from the built place to the place at ``time`` (in frames), the parent's motion aside.

        Args:
            time: May be negative.
        """
        size, period, phase = self.swing
        angle = self.spin * time + size * (np.sin(2 * np.pi * time / period + phase) - np.sin(phase))
        x, y, z = self.axis
        cross = np.array(((0, -z, y), (z, 0, -x), (-y, x, 0)))
        matrix = np.eye(4)
        matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross  # Rodrigues
        matrix[:3, 3] = self.pivot - matrix[:3, :3] @ self.pivot + self.velocity * time
        return matrix


def places(motions: Sequence[Motion], time: float) -> np.ndarray:
    """(1 + B, 4, 4) where every body is at ``time``; the first is the world, which stays.

    A body's parent comes before it in ``motions``.

    Args:
        motions: Of all bodies.
        time: In frames.
    """
    found = np.tile(np.eye(4), (len(motions) + 1, 1, 1))
    for number, motion in enumerate(motions, 1):
        found[number] = found[motion.parent] @ motion.at(time)
    return found


@dataclass(frozen=True)
class Scene:
    """Everything but the camera.

    Attributes:
        solids, materials, light: What is there, how it is painted and lit.
        centre: (3,) what the shadow map is centred on.
        extent: Half size of the shadow map in metres.
        motions: Of the bodies 1, 2, … that `Solid.body` names; body 0 is the still world.
    """

    solids: tuple[Solid, ...]
    materials: tuple[Material, ...]
    light: Light
    centre: np.ndarray
    extent: float
    motions: tuple[Motion, ...] = ()

    def at(self, time: float) -> Scene:
        """The scene as it stands at ``time``, in frames.

        Args:
            time: May lie between frames.
        """
        if not self.motions or time == 0:
            return self
        moved = places(self.motions, time)
        solids = tuple(
            replace(
                solid,
                centre=moved[solid.body, :3, :3] @ solid.centre + moved[solid.body, :3, 3],
                axes=moved[solid.body, :3, :3] @ solid.axes,
            )
            if solid.body
            else solid
            for solid in self.solids
        )
        return replace(self, solids=solids)
