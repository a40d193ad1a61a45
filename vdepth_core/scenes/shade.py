"""Deferred shading of what a picture sees: paint, sun, sky, lamps, highlights, shadow, occlusion, fog.

Vectors are (3, N) tensors, so that each coordinate is contiguous.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import camera_rays
from .primitives import NEAR, Kind
from .raster import Surfaces
from .scene import Light
from .shadow import ShadowMap
from .tables import Tables
from .textures import SIDE

MIRROR = 0.2  # gloss from which a surface mirrors its surroundings
SKY = 60.0  # metres of fog towards the zenith


def shade(
    tables: Tables, light: Light, surfaces: Surfaces, shadow: ShadowMap, K: np.ndarray, pose: np.ndarray
) -> Tensor:
    """(3, H, W) linear light of a cast picture.

    Args:
        tables: The scene's solids.
        light: Sun, sky, lamps and fog.
        surfaces: What each pixel shows.
        shadow: Of the sun.
        K: (3, 3).
        pose: (4, 4) cam_to_world.
    """
    height, width = surfaces.depth.shape
    rays = torch.from_numpy(
        (camera_rays(K, height, width).reshape(-1, 3) @ pose[:3, :3].T).T.astype(np.float32)
    )
    rays = rays.contiguous().to(tables.device)
    image = foggy_sky(light, sky(tables, light, rays), rays)
    seen = (surfaces.solid.flatten() >= 0).nonzero()[:, 0]
    if len(seen):
        solid, depth = surfaces.solid.flatten()[seen], surfaces.depth.flatten()[seen]
        eye = torch.tensor(pose[:3, 3], dtype=torch.float32, device=tables.device)[:, None]
        open_ = _occlusion(surfaces.depth).flatten()[seen]
        pixel = 1 / float(K[0, 0])
        image[:, seen] = _surface_colour(
            tables, light, shadow, solid, depth, rays[:, seen], eye, open_, pixel
        )
    return image.view(3, height, width)


def _length(vectors: Tensor) -> Tensor:
    return (vectors * vectors).sum(0).sqrt()  # much faster than torch.linalg's along a short axis


def _unit(vectors: Tensor) -> Tensor:
    return vectors / _length(vectors).clamp(min=1e-12)


def _widest(vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each coordinate whether it is the largest of (3, N); the first wins a tie."""
    x, y, z = vectors.abs()
    first = (x >= y) & (x >= z)
    second = ~first & (y >= z)
    return first, second, ~(first | second)


def _vector(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(device)[:, None]


def _surface_colour(
    tables: Tables, light: Light, shadow: ShadowMap, solid: Tensor, depth: Tensor, rays: Tensor, eye: Tensor,
    open_: Tensor, pixel: float,
) -> Tensor:  # fmt: skip
    device = tables.device
    world = eye + rays * depth
    normal, u, v = _surface_frames(tables, solid, world)
    length = _length(rays)
    view = -rays / length
    facing = (normal * view).sum(0)
    normal = torch.where(facing < 0, -normal, normal)
    facing = facing.abs()
    albedo, gloss, glow = _paint(tables, tables.material[solid], u, v, depth * pixel / facing.clamp(0.15, 1))
    sharpness = 10 * 30**gloss  # of a highlight: Blinn and Phong's exponent
    strength = gloss * (sharpness + 8) / 40

    def highlight(towards: Tensor) -> Tensor:
        halfway = _unit(view + towards)
        return (normal * halfway).sum(0).clamp(0, 1) ** sharpness * strength

    sun = _vector(light.direction, device)
    lit = (normal * sun).sum(0).clamp(min=0) * shadow.open(world, normal)
    up = 0.5 - 0.5 * normal[1]
    around = up * _vector(light.sky, device) + (1 - up) * _vector(light.bounce, device)
    received = lit * _vector(light.sun, device) + around
    shine = lit * highlight(sun) * _vector(light.sun, device)
    for position, lamp in light.lamps:
        towards = _vector(position, device) - world
        distance = _length(towards) + 1e-6
        towards = towards / distance
        here = (normal * towards).sum(0).clamp(min=0) / (0.6 + distance**2) * _vector(lamp, device)
        received = received + here
        shine = shine + highlight(towards) * here
    colour = albedo * (received + glow) + shine
    shiny = (gloss > MIRROR).nonzero()[:, 0]
    if len(shiny):
        colour[:, shiny] += _mirrored(tables, light, normal[:, shiny], view[:, shiny], gloss[shiny])
    return fogged(light, colour * open_, depth * length)  # air is not occluded


def _mirrored(tables: Tables, light: Light, normal: Tensor, view: Tensor, gloss: Tensor) -> Tensor:
    """What a smooth surface mirrors of sky and ground, by Schlick's approximation of Fresnel's law."""
    facing = (normal * view).sum(0)
    away = 2 * facing * normal - view
    above = sky(tables, light, away) if not light.lamps else _vector(light.sky, tables.device)
    up = (0.5 - 3 * away[1]).clamp(0, 1)
    seen = above * up + _vector(light.bounce, tables.device) * (1 - up)
    return seen * gloss * (0.05 + 0.95 * (1 - facing.clamp(0, 1)) ** 5)


def foggy_sky(light: Light, colour: Tensor, rays: Tensor) -> Tensor:
    """The sky (3, N) behind the fog, which is as deep as the air is low: thick at the horizon.

    Args:
        light: With the fog.
        colour: The clear sky's, linear.
        rays: (3, N) directions in the world, of any length.
    """
    if light.fog == 0:
        return colour
    return fogged(light, colour, SKY / (-rays[1] / _length(rays)).clamp(min=0.02))


def fogged(light: Light, colour: Tensor, distance: Tensor) -> Tensor:
    """Colour (3, N) seen through ``distance`` (N,) metres of the scene's fog.

    Args:
        light: With the fog.
        colour: Of the surface, linear.
        distance: Along the ray.
    """
    if light.fog == 0 or light.fog_colour is None:
        return colour
    clear = torch.exp(-light.fog * distance)
    return colour * clear + (1 - clear) * _vector(light.fog_colour, colour.device)


def _surface_frames(tables: Tables, solid: Tensor, world: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """World normals (3, N) and texture coordinates (N,) in metres, for every seen pixel."""
    centre = torch.from_numpy(tables.centre.T.astype(np.float32)).to(tables.device)
    offset = world - centre.index_select(1, solid)
    inverse = tables.inverse.index_select(1, solid).view(3, 3, -1)
    half = tables.half.index_select(1, solid)
    local = (offset[:, None] * inverse).sum(0)
    flat = local_normals(tables, solid, local, half)
    metric = local * half
    across, upright, _ = _widest(flat)
    u = torch.where(across, metric[2], metric[0])
    v = torch.where(upright, metric[2], metric[1])
    frame = tables.frame.index_select(1, solid).view(3, 3, -1)
    return (frame * flat).sum(1), u, v


def local_normals(tables: Tables, solid: Tensor, points: Tensor, half: Tensor) -> Tensor:
    """(3, N) unit normals in the solids' metric axes at surface ``points`` (3, N) of their unit spaces.

    Args:
        tables: The scene's solids.
        solid: (N,) their numbers.
        points: On the surface.
        half: (3, N) half sizes of the solids, in metres.
    """
    normals = points / half  # an ellipsoid's
    kind = tables.kind[solid]
    for number in set(torch.bincount(kind).nonzero()[:, 0].tolist()) - {Kind.ELLIPSOID}:
        rows = (kind == number).nonzero()[:, 0]
        p, h, s = points[:, rows], half[:, rows], solid[rows]
        match number:
            case Kind.BOX | Kind.SHELL:
                outward = -1.0 if number == Kind.SHELL else 1.0
                found = outward * p.sign() * torch.stack(_widest(p))
            case Kind.LEAVES:  # leaves point everywhere
                found = p / h * h.amin(0) + 0.9 * torch.sin(p[[1, 2, 0]] * 37 + p * 23)
            case Kind.FRUSTUM:
                slope = (1 - tables.taper[s]) / 2
                found = torch.stack((p[0], -slope * torch.hypot(p[0], p[2]), p[2])) / h
                cap = p[1].abs() > 0.999
                level = torch.stack((torch.zeros_like(p[1]), p[1].sign(), torch.zeros_like(p[1])))
                found = torch.where(cap, level, found)
            case _:
                planes = tables.planes.index_select(1, s).view(-1, 4, len(rows))
                face = ((planes[:, :3] * p).sum(1) - planes[:, 3]).argmax(0)
                found = planes[face, :3, torch.arange(len(rows), device=p.device)].T / h
        normals[:, rows] = found
    return _unit(normals)


def _paint(
    tables: Tables, material: Tensor, u: Tensor, v: Tensor, footprint: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Albedo (3, N), gloss (N,), glow (N,); ``footprint`` is the size of a pixel on the surface in metres."""
    row = tables.paint.index_select(1, material)
    dark, bright, third, (du, dv) = row[0:3], row[3:6], row[6:9], row[9:11]
    tile, wide, overlay, contrast, gloss, glow = row[11:]
    textures = tables.textures.index_select(1, material)
    texels = tables.library
    base = texels.sample(textures[0], u / tile + du, v / tile + dv, footprint / tile * SIDE)
    over = texels.sample(textures[1], v / wide + dv, u / wide + du, footprint / wide * SIDE)
    albedo = torch.lerp(dark, bright, 0.5 + (base - 0.5) * contrast)
    return torch.lerp(albedo, third, over * overlay), gloss, glow


def sky(tables: Tables, light: Light, rays: Tensor) -> Tensor:
    """(3, N) light that comes along the reverse of ``rays`` (3, N) when nothing is in the way.

    Args:
        tables: For the clouds' texture.
        light: Colours of sky and sun, and how cloudy it is.
        rays: Directions in the world, of any length.
    """
    device = tables.device
    unit = _unit(rays)
    height = (-unit[1]).clamp(0.02, 1)
    u, v = unit[0] / (height + 0.15), unit[2] / (height + 0.15)
    texture = int(tables.library.indices("noise")[9])
    index = torch.full(u.shape, texture, device=device)
    cloud = tables.library.sample(index, u * 0.12 + light.cloud_offset, v * 0.12, torch.ones_like(u))
    cloud = ((cloud - 1 + light.clouds) * 3).clamp(0, 1)
    mean = float(light.sky.mean())
    blue = _vector(light.sky, device) * (1.1 - 0.35 * height) + torch.exp(-4 * height) * 0.5 * mean
    colour = torch.lerp(blue, torch.full_like(blue, 0.4 * float(light.sun.mean()) + mean), cloud)
    glare = (unit * _vector(light.direction, device)).sum(0).clamp(0, 1) ** 60
    return colour + glare * _vector(light.sun, device)


def _occlusion(depth: Tensor) -> Tensor:
    """Screen-space darkening where nearer things surround a pixel; (H, W) in [0.6, 1]."""
    disparity = torch.where(torch.isfinite(depth), 1 / depth.clamp(min=NEAR), 0.0)
    dark = torch.zeros_like(disparity)
    for size in (5, 15):
        around = box_blur(disparity, size)
        dark += ((around - disparity) / (disparity + 0.05) * 4).clamp(0, 1) * (disparity > 0)
    return 1 - 0.2 * dark


def box_blur(image: Tensor, size: int) -> Tensor:
    """Mean over ``size``² pixels of (H, W); the border is mirrored.

    Args:
        image: Larger than half of ``size``.
        size: Odd.
    """
    half = size // 2
    padded = F.pad(image[None, None], (half, half, half, half), mode="reflect")
    return F.avg_pool2d(F.avg_pool2d(padded, (1, size), stride=1), (size, 1), stride=1)[0, 0]
