"""What stands in a lamp's way, and how open surfaces are to all sides, told from the picture's depth alone.

Shadows: from each point steps are taken toward the lamp; where one lies behind the surface that the picture
shows there, the lamp is hidden, the more the deeper for the lamp's size (as Quilez does it for distance
fields). Steps far away are many pixels long, and shadows of what they miss would have jagged edges: pixels of
a square begin at different parts of a step, and their mean is taken. Occlusion: how high the surfaces around
rise over a point's own plane (Bavoil & Sainz 2008).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .shading import Surfaces

_STEPS = 48  # of a march; they grow, so that contacts are fine and long shadows cheap
_PHASES = ((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))  # of 16 parts of a step; Bayer 1973
_AROUND = (0.125, 0.25, 0.25, 0.25, 0.125)  # weights over a square's side: all of its phases count alike
_SHARP = 3.0  # times steeper than their mean is an edge that some of them see and others do not
_AWAY = 0.01  # off the plane by so much of its depth, a neighbour is another surface
_FIRST = 0.004  # of the middle distance
_LONGEST = 1.5  # middle distances
_BIAS = 0.006  # of depth: what lies less behind is the surface itself
_THICK = 0.25  # of the middle distance: what a ray passes farther behind does not hide the lamp
_ASIDE, _CIRCLES = 8, 3  # directions and distances that occlusion is looked for in
_RADIUS = 0.12  # middle distances
_FLAT = 0.1  # sine of the angle over the plane from which on something rises
_PIXELS = 0.1  # of the width: the radius is no more in the picture


def visible(surfaces: Surfaces, way: Tensor, distance: Tensor | float, softness: float) -> Tensor:
    """How much of a lamp each point sees: (H, W) in [0, 1].

    Args:
        surfaces: Of the frame.
        way: (3, H, W) or (3, 1, 1), unit, to the lamp.
        distance: (H, W) to it, or infinity.
        softness: Half the angle that it fills, in degrees.
    """
    z = surfaces.points[2]
    size = math.tan(math.radians(softness))
    seen = torch.ones_like(z)
    whole = torch.full_like(z, _LONGEST * surfaces.middle)
    if isinstance(distance, Tensor):
        whole = torch.minimum(whole, distance)
    first = _FIRST * surfaces.middle
    growth = (whole / first).clamp_min(1.01).log() / _STEPS
    height, width = z.shape
    phases = z.new_tensor(_PHASES).div(16).repeat(height // 4 + 1, width // 4 + 1)[:height, :width]
    start = surfaces.points + surfaces.normals * (_BIAS * z)
    for step in range(_STEPS):
        length = first * torch.exp(growth * (step + phases))
        at = start + way * length
        shown, inside = _depth_at(surfaces, at)
        clear = shown - at[2] + _BIAS * z  # above 0: nothing is before it
        through = (1 + clear / (length * size)).clamp(0, 1)
        behind = ((-clear / (_THICK * surfaces.middle) - 1) / 0.5).clamp(0, 1)  # passes behind it
        seen = torch.minimum(seen, torch.where(inside, torch.maximum(through, behind), 1.0))
    return torch.where(surfaces.there, _over_surface(seen, surfaces), 1.0)


def openness(surfaces: Surfaces) -> Tensor:
    """How open points are to all sides: (H, W) in [0, 1], 1 is a plane's.

    Args:
        surfaces: Of the frame.
    """
    z = surfaces.points[2]
    height, width = z.shape
    radius = _RADIUS * surfaces.middle
    in_picture = (radius * surfaces.focal[0] / z).clamp(2, _PIXELS * width)
    rows, columns = torch.meshgrid(
        torch.arange(height, device=z.device), torch.arange(width, device=z.device), indexing="ij"
    )
    hidden = torch.zeros_like(z)
    for turn in range(_ASIDE):
        angle = 2 * math.pi * (turn + 0.5) / _ASIDE
        rise = torch.zeros_like(z)
        for circle in range(1, _CIRCLES + 1):
            reach = in_picture * (circle / _CIRCLES)
            place = torch.stack((columns + reach * math.cos(angle), rows + reach * math.sin(angle)), -1)
            other = _sampled(surfaces.points, place)
            known = _sampled(surfaces.there[None].to(z), place)[0] > 0.99
            between = other - surfaces.points
            far = between.norm(dim=0).clamp_min(1e-9)
            sine = (between * surfaces.normals).sum(0) / far
            near = (1 - (far / (1.5 * radius)) ** 2).clamp_min(0)
            rise = torch.maximum(rise, ((sine - _FLAT) / (1 - _FLAT)).clamp(0, 1) * near * known)
        hidden += rise / _ASIDE
    return torch.where(surfaces.there, 1 - hidden, 1.0)


def _over_surface(seen: Tensor, surfaces: Surfaces) -> Tensor:
    """Means (H, W) over the squares around pixels, of what lies on one surface with each.

    Where pixels of a square see all or nothing, an edge is made of the mean; where all see about as much, as
    in the half shadow of a large lamp, the mean itself is right.
    """
    points, normals = surfaces.points, surfaces.normals
    both = torch.stack((seen, seen * seen))
    for axis in (-2, -1):
        total, weights = torch.zeros_like(both), torch.zeros_like(seen)
        for place, weight in enumerate(_AROUND, -(len(_AROUND) // 2)):
            at = (torch.arange(seen.shape[axis], device=seen.device) + place).clamp(0, seen.shape[axis] - 1)
            off = ((points.index_select(axis, at) - points) * normals).sum(0).abs()
            share = weight * (off < _AWAY * points[2])
            total += share * both.index_select(axis, at)
            weights += share
        both = total / weights
    mean = both[0]
    torn = ((both[1] - mean * mean) / (mean * (1 - mean)).clamp_min(1e-6)).clamp(0, 1)
    return torch.lerp(mean, (0.5 + _SHARP * (mean - 0.5)).clamp(0, 1), torn)


def _depth_at(surfaces: Surfaces, at: Tensor) -> tuple[Tensor, Tensor]:
    """Depth that the picture shows where points are seen, and whether they are in it."""
    fx, fy, cx, cy = surfaces.focal
    height, width = at.shape[1:]
    ahead = at[2].clamp_min(1e-9)
    x, y = at[0] / ahead * fx + cx, at[1] / ahead * fy + cy
    inside = (at[2] > 1e-6) & (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    # Inverse depth is linear on planes, so a plane never hides itself.
    inverse = _sampled(1 / surfaces.points[2:3], torch.stack((x, y), -1))[0]
    return 1 / inverse, inside


def _sampled(image: Tensor, place: Tensor) -> Tensor:
    """Bilinear samples (C, H, W) at (H, W, 2) pixel indices, x then y."""
    height, width = image.shape[-2:]
    ends = image.new_tensor((max(width - 1, 1), max(height - 1, 1)))
    grid = (place.to(image) / ends * 2 - 1)[None]
    return functional.grid_sample(image[None], grid, "bilinear", padding_mode="border", align_corners=True)[0]
