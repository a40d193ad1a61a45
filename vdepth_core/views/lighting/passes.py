"""The lighting pass of one frame: what its plate is to be multiplied by, in linear light."""

from __future__ import annotations

import numpy as np
import torch

from ...geometry.camera import Intrinsics
from ...geometry.normals import normals_from_depth
from .lights import Lights
from .shading import Surfaces, shaded, toward
from .shadows import openness, visible

_SKY = 5e9  # planar z from which on there is no depth
_FINE = 240  # pixels across to one of the window's radius that normals are fitted in


def surfaces_of(z: np.ndarray, lens: Intrinsics, middle: float, device: str = "cpu") -> Surfaces:
    """The surfaces that a depth map describes.

    Args:
        z: (H, W) planar depth, > 0.
        lens: Of it.
        middle: Middle distance of the shot.
        device: Where torch works.
    """
    there = z < _SKY
    far = float(z[there].max()) if there.any() else middle
    held = np.where(there, z, 10 * far).astype(np.float32)
    normals = normals_from_depth(held, lens, max(2, round(z.shape[1] / _FINE)))
    normals = normals * np.array((1, -1, -1), np.float32)
    points = lens.rays(z.shape[1], z.shape[0]) * held[..., None]
    focal = (lens.fx, lens.fy, lens.cx - 0.5, lens.cy - 0.5)
    known = torch.from_numpy(there).to(device)
    return Surfaces(_planes(points, device), _planes(normals, device), known, middle, focal)


def _planes(image: np.ndarray, device: str) -> torch.Tensor:
    return torch.from_numpy(np.moveaxis(image, -1, 0).copy()).to(device)


def lighting_pass(
    surfaces: Surfaces, lights: Lights, number: int, sky: np.ndarray | None = None
) -> np.ndarray:
    """The pass, (H, W, 3) float32: 1 leaves the plate as it is.

    Args:
        surfaces: Of the frame.
        lights: All of them.
        number: Of the frame, for their keys.
        sky: (H, W) in [0, 1], 1 is sky, which stays as it is; None: only what has no depth does.
    """
    with torch.inference_mode():
        found = torch.full_like(surfaces.points, lights.plate)
        for keyed in lights.lights:
            lamp = keyed.at(number)
            colour = found.new_tensor(lamp.color) * float(lamp.intensity or 0)
            if not bool(colour.any()):
                continue
            if lamp.type == "ambient":
                light = (
                    1 - lamp.shadow * (1 - openness(surfaces)) if lamp.shadow else torch.ones_like(found[0])
                )
            else:
                way, distance, strength = toward(lamp, surfaces)
                light = shaded(surfaces, way, lights.material) * strength
                if lamp.shadow:
                    hidden = 1 - visible(surfaces, way, distance, lamp.softness)
                    light = light * (1 - lamp.shadow * hidden)
            found += colour[:, None, None] * light
        keep = surfaces.there.to(found)
        if sky is not None:
            keep = keep * (1 - torch.from_numpy(sky).to(found).clamp(0, 1))
        found = 1 + (found - 1) * keep
        return found.permute(1, 2, 0).cpu().numpy()
