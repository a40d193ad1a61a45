"""Procedural shots with exact disparity, and a store filled from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from vdepth_core.align.scale_shift import fit_scale_shift
from vdepth_core.store import DepthStore
from vdepth_core.types import ModelSpec

AFFINE = ModelSpec("test", "disparity", "affine_invariant", "none", True)
METRIC = ModelSpec("test", "depth", "metric", "none", True)

_NOISE = np.pad(np.random.default_rng(5).uniform(0, 255, (256, 256)).astype(np.float32), 8, mode="wrap")
_NOISE = cv2.GaussianBlur(_NOISE, (0, 0), 1.0)[8:-8, 8:-8]
_NOISE = np.clip((_NOISE - _NOISE.mean()) * 2.5 + 128, 0, 255)


def texture(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Periodic smooth noise at world coordinates (one feature is about 2 units), 0..255 float32."""
    u, v = np.mod(u, 256).astype(np.float32), np.mod(v, 256).astype(np.float32)
    padded = np.pad(_NOISE, ((0, 1), (0, 1)), mode="wrap")
    return cv2.remap(padded, u, v, cv2.INTER_LINEAR)


def corridor(
    camera_z: float, sway: float = 0.0, size: tuple[int, int] = (96, 160)
) -> tuple[np.ndarray, np.ndarray]:
    """An endless corridor with pillars from ``camera_z``: luma uint8 and disparity float32, both ``size``."""
    h, w = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    x, y = (x - w / 2 + 0.5) / (0.8 * w), (y - h / 2 + 0.5) / (0.8 * w)
    with np.errstate(divide="ignore"):
        floor = np.where(y > 0, 0.6 / np.abs(y), 0.9 / np.abs(y))
        wall = np.where(x > 0, (1.5 - sway) / np.abs(x), (1.5 + sway) / np.abs(x))
    z = np.minimum(np.minimum(floor, wall), 40.0)
    world_x, world_y, world_z = x * z + sway, y * z, z + camera_z
    along = np.where(floor < wall, world_x, world_y)
    luma = texture(along * 14 + 40 * (floor < wall), world_z * 14)
    for index in range(int(camera_z // 3) + 12, int(camera_z // 3), -1):  # pillars, far to near
        depth = index * 3.0 - camera_z
        side = -1.0 if index % 2 else 1.0
        left, right = sorted((side * 0.7, side * 1.1))
        px = x * depth + sway
        hit = (px > left) & (px < right) & (depth > 0.4) & (depth < z)
        luma = np.where(hit, texture(px * 30 + index * 37, y * depth * 30 + index * 11), luma)
        z = np.where(hit, depth, z)
    luma = 128 + (luma - 128) / (1 + (z / 12) ** 2)  # fades: far texture would alias
    return luma.round().astype(np.uint8), (1 / z).astype(np.float32)


def fill(
    folder: Path,
    frames: list[tuple[np.ndarray, np.ndarray]],
    predict: Callable[[int, np.ndarray], np.ndarray],
) -> DepthStore:
    """A store with the luma of ``frames`` and raw = predict(t, truth)."""
    store = DepthStore(folder, len(frames), *frames[0][0].shape)
    for t, (luma, truth) in enumerate(frames):
        store.luma.write(t, luma[None])
        store.raw.write(t, predict(t, truth)[None])
    return store


def clip_error(store: DepthStore, truth: list[np.ndarray]) -> float:
    """RMS error of the final disparity after ONE scale and shift for the clip, over the truth's spread."""
    final = store.final.read(0, store.count).astype(np.float64)
    target = np.stack(truth).astype(np.float64)
    scale, shift = fit_scale_shift(final, target)
    return float(np.sqrt(np.mean((scale * final + shift - target) ** 2)) / target.std())
