"""Pictures of flat things at different depths, by homographies: exact cameras and depths in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vdepth_core.adaptation.footage import Footage
from vdepth_core.types import Shot

HEIGHT, WIDTH, FOCAL = 128, 224, 190.0
K = np.array(((FOCAL, 0, (WIDTH - 1) / 2), (0, FOCAL, (HEIGHT - 1) / 2), (0, 0, 1)))
THINGS = (  # depth, x, y, half a side
    (6.0, 0.0, 0.0, 9.0),
    (4.0, -1.2, -0.5, 0.7),
    (3.0, 1.0, 0.3, 0.6),
    (2.2, 0.1, 0.4, 0.3),
    (5.0, 1.5, -0.9, 0.8),
    (2.6, -0.9, 0.5, 0.3),
)
TEXELS = 240


def camera(turn: Sequence[float] = (0, 0, 0), place: Sequence[float] = (0, 0, 0)) -> np.ndarray:
    """Camera-to-world (4, 4) of a rotation vector and a place."""
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(np.array(turn, float))[0]
    pose[:3, 3] = place
    return pose


def travelling(count: int, step: Sequence[float] = (0.05, 0.01, 0.03)) -> np.ndarray:
    """Cameras (count, 4, 4) that go and sway a little."""
    cameras = []
    for t in range(count):
        place = np.array(step) * t + (0, 0.02 * np.sin(0.7 * t), 0)
        cameras.append(camera((0.01 * np.sin(t), 0.004 * t, 0.008 * np.cos(t)), place.tolist()))
    return np.stack(cameras)


def pictures(
    cameras: np.ndarray, lens: np.ndarray = K, shift: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames (N, h, w, 3) uint8, depth (N, h, w), and number of the thing seen (N, h, w).

    ``shift``: what the second-nearest thing moves by itself a frame, (x, y).
    """
    rng = np.random.default_rng(5)
    frames, depths, things = [], [], []
    textures = []
    for _ in THINGS:
        coarse = rng.uniform(20, 235, (TEXELS // 6, TEXELS // 6)).astype(np.float32)
        textures.append(cv2.resize(coarse, (TEXELS, TEXELS), interpolation=cv2.INTER_CUBIC).clip(0, 255))
    for number, pose in enumerate(cameras):
        rgb = np.zeros((HEIGHT, WIDTH), np.float32)
        depth, thing = np.zeros((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH), int)
        inverse = np.linalg.inv(pose)
        order = sorted(range(len(THINGS)), key=lambda k: -THINGS[k][0])
        for k in order:
            z, x, y, half = THINGS[k]
            if shift is not None and k == 2:
                x, y = x + shift[0] * number, y + shift[1] * number
            scale = 2 * half / TEXELS  # texel (u, v) -> world (x, y, z)
            place = np.array(((scale, 0, x - half), (0, scale, y - half), (0, 0, z)))
            camera_points = inverse[:3, :3] @ place + np.outer(inverse[:3, 3], (0, 0, 1))
            homography = lens @ camera_points
            warped = cv2.warpPerspective(textures[k], homography, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
            there = cv2.warpPerspective(np.ones_like(textures[k]), homography, (WIDTH, HEIGHT)) > 0.99
            rays = np.stack(
                np.broadcast_arrays(
                    (np.arange(WIDTH) - lens[0, 2])[None] / lens[0, 0],
                    (np.arange(HEIGHT) - lens[1, 2])[:, None] / lens[1, 1], 1.0,
                ), -1,
            )  # fmt: skip
            own = (z - pose[2, 3]) / (rays @ pose[2, :3])
            rgb[there], depth[there], thing[there] = warped[there], own[there], k
        frames.append(np.repeat(np.rint(rgb).astype(np.uint8)[..., None], 3, -1))
        depths.append(depth)
        things.append(thing)
    return np.stack(frames), np.stack(depths), np.stack(things)


def footage_of(folder: Path, *shots: np.ndarray) -> Footage:
    """A footage that holds these pictures, each part a shot; to be closed."""
    ends = np.cumsum([0, *(len(shot) for shot in shots)]).tolist()
    spans = [Shot(k, ends[k], ends[k + 1]) for k in range(len(shots))]
    footage = Footage(folder, spans, *shots[0].shape[1:3])
    footage.frames.write(0, np.concatenate(shots))
    return footage


def path_error(found: np.ndarray, true: np.ndarray) -> float:
    """Root mean square distance of camera centres after alignment by a similarity, over the path's length."""
    here, there = found[:, :3, 3] - found[:, :3, 3].mean(0), true[:, :3, 3] - true[:, :3, 3].mean(0)
    u, s, v = np.linalg.svd(there.T @ here)
    sign = np.diag((1, 1, np.sign(np.linalg.det(u @ v))))
    scale = (s * np.diag(sign)).sum() / (here**2).sum()
    off = there - scale * here @ (u @ sign @ v).T
    length = np.linalg.norm(np.diff(true[:, :3, 3], axis=0), axis=1).sum()
    return float(np.sqrt((off**2).sum(1).mean()) / length)
