"""What a lens, a shutter and the air do to a picture; each spoils a share of the clips."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .scene import Light, Scene

BLURRED, DEFOCUSED, MISTY, SMOKY = 0.15, 0.2, 0.1, 0.03  # shares of the clips; smoke is mist indoors
LAYERS = 5  # depth layers of defocus on either side of the focus


@dataclass(frozen=True)
class Effects:
    """What spoils one clip; zeros spoil nothing.

    Attributes:
        shutter: Time the shutter is open, in frames.
        defocus: Radius in pixels of the circle that the most defocused twentieth of a picture becomes.
        focus: Share of the first picture that is nearer than what is in focus.
        mist: Share of the light that fog takes from the middle of the first picture.
    """

    shutter: float = 0.0
    defocus: float = 0.0
    focus: float = 0.5
    mist: float = 0.0


def draw_effects(rng: np.random.Generator, width: int, outdoor: bool) -> Effects:
    """The effects of a clip ``width`` pixels wide.

    Args:
        rng: Decides them.
        width: Of the picture.
        outdoor: Whether there may be mist, else smoke, which is rarer.
    """
    chance = rng.uniform(size=3)
    shutter, radius, focus, mist = rng.uniform((0.3, 0.7, 0.05, 0.15), (1.0, 3.5, 0.8, 0.65))
    return Effects(
        shutter * (chance[0] < BLURRED), radius * width / 320 * (chance[1] < DEFOCUSED), focus,
        mist * (chance[2] < (MISTY if outdoor else SMOKY)),
    )  # fmt: skip


def matte(scene: Scene) -> Scene:
    """The scene without highlights and fog: a surface looks the same from everywhere.

    Args:
        scene: Stays as it is.
    """
    materials = tuple(replace(material, gloss=0.0) for material in scene.materials)
    return replace(scene, materials=materials, light=replace(scene.light, fog=0.0))


def misty(light: Light, depth: Tensor, mist: float) -> Light:
    """The light with fog that takes the share ``mist`` at the median of ``depth``.

    Args:
        light: Stays as it is.
        depth: Of any shape, in metres, inf for the sky.
        mist: In [0, 1); 0: none.
    """
    seen = depth[torch.isfinite(depth)]
    if mist == 0 or not len(seen):
        return light
    colour = light.fog_colour if light.fog_colour is not None else light.sky + 0.5 * light.bounce
    return replace(light, fog=float(-np.log(1 - mist) / seen.median()), fog_colour=colour)


@dataclass(frozen=True)
class Lens:
    """A lens in focus at one depth; blur grows with the difference of disparities, as a thin lens's does."""

    focus: float  # 1/m
    aperture: float  # pixels of radius per 1/m
    largest: float  # pixels

    @classmethod
    def aimed(cls, depth: Tensor, effects: Effects) -> Lens | None:
        """The lens of a clip whose first picture has ``depth`` (H, W); None if all is to be sharp.

        Args:
            depth: In metres, inf for the sky.
            effects: Where it is focused, and how much is out of focus.
        """
        if effects.defocus == 0:
            return None
        disparity = (1 / depth).flatten().sort(descending=True).values  # the sky's is 0
        last = len(disparity) - 1
        focus = float(disparity[round(effects.focus * last)])
        spread = float((disparity - focus).abs().sort().values[round(0.95 * last)])
        return cls(focus, effects.defocus / max(spread, 1e-6), 1.5 * effects.defocus)

    def blur(self, linear: Tensor, depth: Tensor) -> Tensor:
        """(C, H, W) light with depth (H, W), defocused: layers are blurred alone and laid over each other.

        Args:
            linear: Linear, so that highlights become discs.
            depth: In metres, inf for the sky.
        """
        radius = (self.aperture * (1 / depth - self.focus)).clamp(-self.largest, self.largest)
        step = self.largest / LAYERS
        layer = torch.round(radius / step)
        light = torch.cat((linear, torch.ones_like(linear[:1])))
        result = torch.zeros_like(light)
        for number in range(-LAYERS, LAYERS + 1):  # from far to near
            part = _disc(light * (layer == number), abs(number) * step)
            result = result * (1 - part[-1:]) + part
        return result[:-1] / result[-1:].clamp(min=1e-6)


def _disc(image: Tensor, radius: float) -> Tensor:
    """(C, H, W) averaged over a disc of ``radius`` pixels."""
    half = int(np.ceil(radius))
    if radius < 0.3:
        return image
    line = torch.arange(-half, half + 1, device=image.device, dtype=torch.float32)
    kernel = (radius + 0.5 - torch.hypot(line, line[:, None])).clamp(0, 1)
    kernel = (kernel / kernel.sum())[None, None]
    return F.conv2d(F.pad(image[:, None], (half,) * 4, mode="reflect"), kernel)[:, 0]
