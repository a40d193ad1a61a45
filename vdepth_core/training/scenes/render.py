"""Renders solids: a z-buffer over ray casts (exact planar depth), then deferred shading with one shadow map.

Each solid is tested only against the rays of its own screen rectangle, which makes hundreds of small things
cheap.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .primitives import NEAR, Kind, Solid, intersect, local_normals
from .textures import SIDE, library

SHADOW_SIDE = 224  # pixels of the shadow map
SHADOW_BIAS = 0.03  # share of the shadow map's half extent


@dataclass(frozen=True)
class Material:
    """A painted surface: three colours mixed by two textures.

    Attributes:
        colours: (3, 3) linear RGB of the dark, the light and the overlay paint.
        textures: Library indices of the base and the overlay pattern.
        tile: Metres a tile of the base texture covers; the overlay's is ``tile * overlay_tile``.
        overlay_tile, overlay, contrast: Size, strength of the overlay and strength of the base pattern.
        gloss: Specular strength.
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
class Scene:
    """Everything but the camera."""

    solids: tuple[Solid, ...]
    materials: tuple[Material, ...]
    light: Light
    centre: np.ndarray  # (3,) what the shadow map is centred on
    extent: float  # half size of the shadow map in metres


@dataclass(frozen=True)
class Surfaces:
    """What each pixel sees: planar depth (inf: sky), solid index (−1: sky)."""

    depth: np.ndarray  # (H, W) float32 metres
    solid: np.ndarray  # (H, W) int32


def camera_rays(K: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 3) ray directions of pixel centres (+0.5) in camera axes, z = 1."""
    x = (np.arange(width) + 0.5 - K[0, 2]) / K[0, 0]
    y = (np.arange(height) + 0.5 - K[1, 2]) / K[1, 1]
    return np.stack((*np.meshgrid(x, y), np.ones((height, width))), -1).astype(np.float32)


def cast(scene: Scene, K: np.ndarray, pose: np.ndarray, height: int, width: int) -> Surfaces:
    """Z-buffer of the scene from a pinhole camera; ``pose`` (4, 4) is cam_to_world."""
    rays = camera_rays(K, height, width) @ pose[:3, :3].T.astype(np.float32)
    depth = np.full((height, width), np.inf, np.float32)
    index = np.full((height, width), -1, np.int32)
    eye = pose[:3, 3]
    for number, solid in enumerate(scene.solids):
        x0, x1, y0, y1 = _rectangle((solid.corners() - eye) @ pose[:3, :3], K, height, width)
        if x0 >= x1 or y0 >= y1:
            continue
        to_local = solid.to_local()
        origin = ((eye - solid.centre) @ to_local).astype(np.float32)[None]
        direction = rays[y0:y1, x0:x1].reshape(-1, 3) @ to_local
        t = intersect(solid, origin, direction).reshape(y1 - y0, x1 - x0)
        window = depth[y0:y1, x0:x1]
        nearer = t < window
        np.copyto(window, t, where=nearer)
        index[y0:y1, x0:x1][nearer] = number
    return Surfaces(depth, index)


def shade(scene: Scene, surfaces: Surfaces, K: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """(H, W, 3) linear light of a cast picture."""
    height, width = surfaces.depth.shape
    rays = camera_rays(K, height, width).reshape(-1, 3) @ pose[:3, :3].T.astype(np.float32)
    image = _sky(scene.light, rays)
    seen = np.flatnonzero(surfaces.solid.ravel() >= 0)
    if len(seen):
        index, depth = surfaces.solid.ravel()[seen], surfaces.depth.ravel()[seen]
        image[seen] = _surface_colour(scene, index, depth, rays[seen], pose[:3, 3], 1 / float(K[0, 0]))
    image = image.reshape(height, width, 3)
    return image * _occlusion(surfaces.depth)[..., None]


def _surface_colour(
    scene: Scene, index: np.ndarray, depth: np.ndarray, rays: np.ndarray, eye: np.ndarray, pixel: float
) -> np.ndarray:
    light = scene.light
    world = eye.astype(np.float32) + rays * depth[:, None]
    normal, u, v, material = _surface_frames(scene, index, world)
    view = -rays / np.linalg.norm(rays, axis=1, keepdims=True)
    facing = np.einsum("ij,ij->i", normal, view)
    normal = np.where(facing[:, None] < 0, -normal, normal)
    slant = np.clip(np.abs(facing), 0.15, 1)
    albedo, gloss, glow = _paint(scene, material, u, v, depth * pixel / slant)
    sun = light.direction.astype(np.float32)
    lit = np.clip(normal @ sun, 0, None) * _shadow(scene, world, normal)
    up = 0.5 - 0.5 * normal[:, 1:2]
    received = lit[:, None] * light.sun + up * light.sky + (1 - up) * light.bounce
    halfway = view + sun
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True) + 1e-6
    shine = (np.clip(np.einsum("ij,ij->i", normal, halfway), 0, 1) ** 40 * lit)[:, None] * light.sun
    for position, colour in light.lamps:
        towards = position.astype(np.float32) - world
        distance = np.linalg.norm(towards, axis=1) + 1e-6
        cosine = np.clip(np.einsum("ij,ij->i", normal, towards) / distance, 0, 1)
        received = received + (cosine / (0.6 + distance**2))[:, None] * colour
    colour = albedo * received + gloss[:, None] * shine + glow[:, None] * albedo
    if light.fog > 0 and light.fog_colour is not None:
        clear = np.exp(-light.fog * depth)[:, None]
        colour = colour * clear + (1 - clear) * light.fog_colour
    return colour.astype(np.float32)


def _surface_frames(
    scene: Scene, index: np.ndarray, world: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """World normals, texture coordinates in metres, material rows, for every seen pixel."""
    normal, uv = np.zeros_like(world), np.zeros((len(world), 2), np.float32)
    material = np.zeros(len(world), np.int64)
    order = np.argsort(index, kind="stable")
    numbers, starts = np.unique(index[order], return_index=True)
    for number, rows in zip(numbers, np.split(order, starts[1:]), strict=True):
        solid = scene.solids[number]
        local = (world[rows] - solid.centre.astype(np.float32)) @ solid.to_local()
        flat = local_normals(solid, local)
        metric = local * solid.half.astype(np.float32)
        side = np.abs(flat).argmax(1)
        uv[rows, 0] = np.where(side == 0, metric[:, 2], metric[:, 0])
        uv[rows, 1] = np.where(side == 1, metric[:, 2], metric[:, 1])
        normal[rows] = flat @ solid.axes.T.astype(np.float32)
        material[rows] = solid.material
    return normal, uv[:, 0], uv[:, 1], material


def _paint(
    scene: Scene, material: np.ndarray, u: np.ndarray, v: np.ndarray, footprint: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Albedo (N, 3), gloss (N,), glow (N,); ``footprint`` is the size of a pixel on the surface in metres."""
    table = scene.materials
    pick = lambda name: np.array([getattr(m, name) for m in table], np.float32)[material]  # noqa: E731
    colours = np.stack([m.colours for m in table]).astype(np.float32)[material]
    textures = np.array([m.textures for m in table])[material]
    offset = np.array([m.offset for m in table], np.float32)[material]
    tile, texels = pick("tile"), library()
    base = texels.sample(
        textures[:, 0], u / tile + offset[:, 0], v / tile + offset[:, 1], footprint / tile * SIDE
    )
    wide = tile * pick("overlay_tile")
    over = texels.sample(
        textures[:, 1], v / wide + offset[:, 1], u / wide + offset[:, 0], footprint / wide * SIDE
    )
    base = 0.5 + (base - 0.5) * pick("contrast")
    albedo = colours[:, 0] + (colours[:, 1] - colours[:, 0]) * base[:, None]
    mix = (over * pick("overlay"))[:, None]
    return albedo * (1 - mix) + colours[:, 2] * mix, pick("gloss"), pick("glow")


def _shadow(scene: Scene, world: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Share of the sun each point gets, from a 224² shadow map with 2x2 filtering."""
    z = -scene.light.direction
    x = np.cross(z, (0.0, 0.0, 1.0) if abs(z[2]) < 0.9 else (1.0, 0.0, 0.0))
    x /= np.linalg.norm(x)
    axes = np.stack((x, np.cross(z, x), z), 1)
    extent, side = scene.extent, SHADOW_SIDE
    eye = scene.centre - z * extent * 4
    depth = np.full((side, side), np.inf, np.float32)
    grid = ((np.arange(side) + 0.5) / side * 2 - 1) * extent
    for solid in scene.solids:
        if not solid.casts:
            continue
        corners = (solid.corners() - eye) @ axes
        low, high = corners[:, :2].min(0), corners[:, :2].max(0)
        x0, y0 = np.clip(np.floor((low / extent + 1) / 2 * side), 0, side).astype(int)
        x1, y1 = np.clip(np.ceil((high / extent + 1) / 2 * side), 0, side).astype(int)
        if x0 >= x1 or y0 >= y1:
            continue
        plane = np.stack(np.meshgrid(grid[x0:x1], grid[y0:y1]), -1).reshape(-1, 2)
        to_local = solid.to_local()
        origin = ((plane @ axes[:, :2].T + eye - solid.centre) @ to_local).astype(np.float32)
        direction = (z @ to_local).astype(np.float32)[None]
        t = intersect(solid, origin, direction).reshape(y1 - y0, x1 - x0)
        np.minimum(depth[y0:y1, x0:x1], t, out=depth[y0:y1, x0:x1])
    seen = (world + normal * (0.3 * SHADOW_BIAS * extent) - eye) @ axes
    where = (seen[:, :2] / extent + 1) / 2 * side - 0.5
    open_ = np.zeros(len(world), np.float32)
    corner = np.floor(where).astype(np.int64)
    for dx in (0, 1):
        for dy in (0, 1):
            cell = np.clip(corner + np.array((dx, dy)), 0, side - 1)
            open_ += 0.25 * (depth[cell[:, 1], cell[:, 0]] + SHADOW_BIAS * extent * 0.5 >= seen[:, 2])
    outside = (np.abs(seen[:, :2]) > extent).any(1)
    return np.where(outside, 1, open_)


def _sky(light: Light, rays: np.ndarray) -> np.ndarray:
    unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    height = np.clip(-unit[:, 1], 0.02, 1)
    u, v = unit[:, 0] / (height + 0.15), unit[:, 2] / (height + 0.15)
    index = np.full(len(unit), library().indices("noise")[9])
    cloud = library().sample(index, u * 0.12 + light.cloud_offset, v * 0.12, np.full(len(unit), 1.0))
    cloud = (np.clip((cloud - 1 + light.clouds) * 3, 0, 1))[:, None]
    horizon = np.exp(-4 * height)[:, None]
    blue = light.sky * (1.1 - 0.35 * height[:, None]) + horizon * 0.5 * light.sky.mean()
    white = np.full(3, 0.4, np.float32) * light.sun.mean() + light.sky.mean()
    colour = blue * (1 - cloud) + white * cloud
    glare = np.clip(unit @ light.direction.astype(np.float32), 0, 1) ** 60
    return (colour + glare[:, None] * light.sun).astype(np.float32)


def _occlusion(depth: np.ndarray) -> np.ndarray:
    """Screen-space darkening where nearer things surround a pixel; (H, W) in [0.6, 1]."""
    disparity = np.where(np.isfinite(depth), 1 / np.maximum(depth, NEAR), 0).astype(np.float32)
    dark = np.zeros_like(disparity)
    for size in (5, 15):
        around = cv2.blur(disparity, (size, size))
        dark += np.clip((around - disparity) / (disparity + 0.05) * 4, 0, 1) * (disparity > 0)
    return 1 - 0.2 * dark


def _rectangle(corners: np.ndarray, K: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    """Screen bounds (x0, x1, y0, y1) of camera-space corners (8, 3)."""
    z = corners[:, 2]
    if z.max() <= NEAR:
        return 0, 0, 0, 0
    if z.min() <= NEAR:
        return 0, width, 0, height
    x = corners[:, 0] / z * K[0, 0] + K[0, 2]
    y = corners[:, 1] / z * K[1, 1] + K[1, 2]
    x0, x1 = np.clip((np.floor(x.min()), np.ceil(x.max()) + 1), 0, width)
    y0, y1 = np.clip((np.floor(y.min()), np.ceil(y.max()) + 1), 0, height)
    return int(x0), int(x1), int(y0), int(y1)


__all__ = ["Kind", "Light", "Material", "Scene", "Surfaces", "camera_rays", "cast", "shade"]
