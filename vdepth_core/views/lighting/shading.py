"""What a lamp shows of surfaces: Lambert's cosine and the gloss of GGX (Walter et al. 2007).

Light is measured by what a white matte surface shows that faces a lamp of intensity 1: the pass multiplies
a plate. All is in the camera's axes: x right, y down, z forward; normals face the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .lights import Lamp, Material

_BASE = 0.04  # reflectance of plastic, glass, water at right angles


@dataclass(frozen=True, eq=False)
class Surfaces:
    """A frame's surfaces.

    Attributes:
        points: (3, H, W) float32.
        normals: (3, H, W) unit, facing the camera.
        there: (H, W) bool, False where there is no depth.
        middle: Middle distance of the shot, in units of the points.
        focal: (fx, fy, cx, cy) for pixel indices.
    """

    points: Tensor
    normals: Tensor
    there: Tensor
    middle: float
    focal: tuple[float, float, float, float]


def toward(lamp: Lamp, surfaces: Surfaces) -> tuple[Tensor, Tensor | float, Tensor | float]:
    """To the lamp from each point: unit direction (3, H, W) or (3, 1, 1), distance, and strength.

    Args:
        lamp: A sun or a point, as it is at a frame.
        surfaces: Of the frame.
    """
    flip = surfaces.points.new_tensor((1.0, -1.0, -1.0))
    if lamp.type == "sun":
        way = surfaces.points.new_tensor(lamp.direction) * flip
        return (way / way.norm())[:, None, None], math.inf, 1.0
    place = surfaces.points.new_tensor(lamp.position) * flip * surfaces.middle
    way = place[:, None, None] - surfaces.points
    distance = way.norm(dim=0).clamp_min(1e-6 * surfaces.middle)
    reach = lamp.reach * surfaces.middle
    # Nearer than a twentieth of its reach a point lamp would be a white spot.
    return way / distance, distance, (reach / distance.clamp_min(reach / 20)) ** 2


def shaded(surfaces: Surfaces, way: Tensor, material: Material) -> Tensor:
    """Light of surfaces by a lamp of intensity 1 in that direction, without shadows: (H, W).

    Args:
        surfaces: Of the frame.
        way: (3, H, W) or (3, 1, 1), unit, to the lamp.
        material: Of all.
    """
    facing = (surfaces.normals * way).sum(0)
    lit = facing.clamp_min(0)
    if not material.specular:
        return lit
    view = -surfaces.points / surfaces.points.norm(dim=0).clamp_min(1e-12)
    half = way + view
    half = half / half.norm(dim=0).clamp_min(1e-6)
    seen = (surfaces.normals * view).sum(0).clamp_min(1e-3)
    alpha = material.roughness**2
    spread = (surfaces.normals * half).sum(0).clamp(0, 1) ** 2 * (alpha**2 - 1) + 1
    slopes = alpha**2 / (math.pi * spread**2)
    fresnel = _BASE + (1 - _BASE) * (1 - (view * half).sum(0).clamp(0, 1)) ** 5
    masking = _smith(lit, alpha) * _smith(seen, alpha)
    gloss = slopes * fresnel * masking / (4 * seen * lit.clamp_min(1e-3))
    both: Tensor = lit * (1 + material.specular * math.pi * gloss)
    return both


def _smith(cosine: Tensor, alpha: float) -> Tensor:
    """Share that is not hidden by the surface's own roughness (Smith 1967, for GGX)."""
    square = (cosine * cosine).clamp_min(1e-6)
    share: Tensor = 2 / (1 + torch.sqrt(1 + alpha**2 * (1 - square) / square))
    return share
