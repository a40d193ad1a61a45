"""Normals smoothed within surfaces, against surfaces whose normals are known."""

import cv2
import numpy as np
import pytest

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.normals import normals_from_depth
from vdepth_core.geometry.smooth_normals import smoothed_normals

WIDTH, HEIGHT = 320, 240
CAMERA = Intrinsics.from_fov(60, WIDTH, HEIGHT)
CENTRE, RADIUS = np.array([0.4, 0.1, 4.0]), 0.9


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Depth and normals of a ball and a box before a wall over a floor."""
    rays = CAMERA.rays(WIDTH, HEIGHT).astype(np.float64)
    wall, floor = np.array([0.3, 0.0, -1.0]), np.array([0.0, -1.0, 0.0])
    box = np.array([-0.5, 0.0, -1.0])
    planes = [(wall / np.linalg.norm(wall), 7.0), (floor, 1.3), (box / np.linalg.norm(box), 3.0)]
    depth, normal = np.full((HEIGHT, WIDTH), np.inf), np.zeros((HEIGHT, WIDTH, 3))
    for index, (n, distance) in enumerate(planes):
        facing = rays @ n
        z = np.where(facing < -1e-6, -distance / facing, np.inf)
        if index == 2:
            z[:, 90:], z[:80] = np.inf, np.inf
        nearer = z < depth
        depth[nearer], normal[nearer] = z[nearer], n
    a, b, c = (rays**2).sum(2), rays @ CENTRE, CENTRE @ CENTRE - RADIUS**2
    root = b * b - a * c
    z = np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    nearer = z < depth
    depth[nearer] = z[nearer]
    normal[nearer] = ((rays * z[..., None] - CENTRE) / RADIUS)[nearer]
    return depth.astype(np.float32), normal * (1, -1, -1)


def degrees(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((found * wanted).sum(2), -1, 1)))


def test_waves_go_and_steps_stay():
    depth, wanted = scene()
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, depth.shape), (0, 0), 1.5)
    wavy = (depth * (1 + 0.002 * noise / noise.std())).astype(np.float32)
    before = normals_from_depth(wavy, CAMERA, 2)
    after = smoothed_normals(before, wavy, CAMERA, 4.0)
    np.testing.assert_allclose(np.linalg.norm(after, axis=2), 1, atol=1e-5)
    steps = cv2.morphologyEx(depth, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0.1 * depth
    beside = cv2.dilate(steps.astype(np.uint8), np.ones((7, 7))) > 0
    one, other = degrees(before, wanted), degrees(after, wanted)
    assert other[~beside].mean() < 0.5 * one[~beside].mean()
    assert other[beside].mean() < 0.7 * one[beside].mean()


def test_exact_surfaces_stay_exact_up_to_steps():
    depth, wanted = scene()
    found = smoothed_normals(wanted.astype(np.float32), depth, CAMERA, 4.0)
    planes = np.ones(depth.shape, bool)
    planes[60:] = False
    planes[:, 100:250] = False
    assert degrees(found, wanted)[planes].max() < 0.1
    assert np.quantile(degrees(found, wanted), 0.99) < 12  # creases and the ball are a little rounder


def test_nothing_is_done_below_half_a_pixel_and_strips_do_not_show(monkeypatch):
    import vdepth_core.geometry.smooth_normals as module

    depth, wanted = scene()
    normals = wanted.astype(np.float32)
    np.testing.assert_array_equal(smoothed_normals(normals, depth, CAMERA, 0.4), normals)
    whole = smoothed_normals(normals, depth, CAMERA, 6.0)
    monkeypatch.setattr(module, "_STRIP", 37)
    np.testing.assert_allclose(smoothed_normals(normals, depth, CAMERA, 6.0), whole, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2)])
def test_tiny_pictures_and_sky(shape):
    facing = np.broadcast_to(np.float32([0, 0, 1]), (*shape, 3))
    found = smoothed_normals(facing, np.full(shape, 1e10, np.float32), CAMERA, 8.0)
    np.testing.assert_allclose(found, facing)
