"""Normals of surfaces whose normals are known."""

import numpy as np
import pytest

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.normals import normals_from_depth
from vdepth_core.output.upsample import Upsampler

WIDTH, HEIGHT = 96, 72
CAMERA = Intrinsics.from_fov(60, WIDTH, HEIGHT, 1.2)


def plane(normal, distance=4.0):
    """Depth of the plane with ``normal`` (x right, y up, z to us) that crosses the axis at ``distance``."""
    n = np.asarray(normal, np.float64) * (1, -1, -1)  # to the camera's own axes
    rays = CAMERA.rays(WIDTH, HEIGHT).astype(np.float64)
    return (n[2] * distance / (rays @ n)).astype(np.float32)


@pytest.mark.parametrize("normal", [(0, 0, 1), (0.3, 0, 1), (0, 1, 0.8), (-0.5, 0.4, 1), (0.2, -0.6, 1)])
def test_exact_on_planes_up_to_the_border(normal):
    wanted = np.asarray(normal) / np.linalg.norm(normal)
    found = normals_from_depth(plane(normal), CAMERA)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=2e-4)


def test_a_sphere():
    rays = CAMERA.rays(WIDTH, HEIGHT).astype(np.float64)
    centre, radius = np.array([0.1, -0.2, 5.0]), 1.8
    a, b, c = (rays**2).sum(2), rays @ centre, centre @ centre - radius**2
    inside = b * b - a * c > 0.15 * b * b * 0.1
    z = np.where(inside, (b - np.sqrt(np.maximum(b * b - a * c, 0))) / a, 1e10)
    wanted = (rays * z[..., None] - centre) / radius * (1, -1, -1)
    found = normals_from_depth(z.astype(np.float32), CAMERA)
    core = (b * b - a * c > 0.3 * radius**2 * a) & inside
    assert core.sum() > 500
    angle = np.degrees(np.arccos(np.clip((found * wanted).sum(2)[core], -1, 1)))
    assert np.median(angle) < 1.5
    assert angle.max() < 5


def test_no_normal_spans_a_depth_edge():
    depth = plane((0.3, 0.2, 1))
    depth[:, 50:] = plane((-0.4, 0, 1), 9.0)[:, 50:]
    found = normals_from_depth(depth, CAMERA)
    for columns, normal in ((slice(0, 50), (0.3, 0.2, 1)), (slice(50, None), (-0.4, 0, 1))):
        wanted = np.asarray(normal) / np.linalg.norm(normal)
        np.testing.assert_allclose(found[:, columns] @ wanted, 1, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_tiny_pictures_and_sky_face_the_camera(shape):
    found = normals_from_depth(np.full(shape, 1e10, np.float32), CAMERA)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, rtol=1e-6)
    np.testing.assert_allclose(found[..., 2], 1, rtol=1e-6)


def test_unit_length_and_facing_the_camera_on_anything():
    depth = np.random.default_rng(0).uniform(0.5, 50, (HEIGHT, WIDTH)).astype(np.float32)
    found = normals_from_depth(depth, CAMERA)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, rtol=1e-5)
    to_camera = -CAMERA.rays(WIDTH, HEIGHT) * (1, -1, -1)
    assert ((found * to_camera).sum(2) > 0).all()


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_noise_on_a_plane_is_averaged_and_the_border_is_as_good_as_the_middle(radius):
    normal = (0.3, -0.2, 1)
    noise = np.random.default_rng(1).normal(0, 2e-5, (HEIGHT, WIDTH))
    depth = (1 / (1 / plane(normal) + noise)).astype(np.float32)
    found = normals_from_depth(depth, CAMERA, radius)
    wanted = np.asarray(normal) / np.linalg.norm(normal)
    angle = np.degrees(np.arccos(np.clip(found @ wanted, -1, 1)))
    border = np.ones(angle.shape, bool)
    border[radius:-radius, radius:-radius] = False
    assert angle[~border].mean() < 0.6 / radius
    assert angle[border].mean() < 4 * angle[~border].mean()


def test_the_whole_path_keeps_a_planes_normals_at_the_border():
    """From a network's size to the plate's: was up to 46 degrees off within six pixels of the border."""
    camera = Intrinsics.from_fov(55, 640, 360)
    n = np.array([0.5, 0.4, 1.0]) / np.linalg.norm([0.5, 0.4, 1.0])
    rays = camera.rays(640, 360).astype(np.float64)
    truth = (rays @ (n * (1, -1, -1))) / (-4.0 * n[2])
    small = truth.reshape(60, 6, 80, 8).mean((1, 3)).astype(np.float32)
    rgb = np.random.default_rng(0).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    full = Upsampler(1.0)(small, rgb)
    found = normals_from_depth(1 / np.abs(full), camera, 4)
    angle = np.degrees(np.arccos(np.clip(found @ n, -1, 1)))
    assert angle.max() < 1


def test_a_tall_picture_in_strips_is_the_same_as_at_once(monkeypatch):
    import vdepth_core.geometry.normals as module

    depth = np.random.default_rng(3).uniform(1, 9, (300, 40)).astype(np.float32).cumsum(0)
    camera = Intrinsics.from_fov(60, 40, 300)
    once = normals_from_depth(depth, camera, 3)
    monkeypatch.setattr(module, "_STRIP", 37)
    np.testing.assert_allclose(normals_from_depth(depth, camera, 3), once, atol=1e-5)
