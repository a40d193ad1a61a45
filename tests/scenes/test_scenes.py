"""Procedural scenes are exact, repeatable and look like something."""

import numpy as np
import pytest
import torch

from vdepth_core.scenes import render_clip
from vdepth_core.scenes.builder import Builder, Frame, rotation
from vdepth_core.scenes.camera import camera_rays, draw_camera
from vdepth_core.scenes.layouts import LAYOUTS
from vdepth_core.scenes.optics import Effects
from vdepth_core.scenes.primitives import Kind
from vdepth_core.scenes.render import cast, sight
from vdepth_core.scenes.scene import Light
from vdepth_core.scenes.shade import local_normals
from vdepth_core.scenes.shapes import Shape, intersect
from vdepth_core.scenes.tables import Tables, tabulate
from vdepth_core.scenes.views import View

K = np.array([[60.0, 0, 40], [0, 60, 30], [0, 0, 1]])


def one_solid(kind, centre, half, **more):
    builder = Builder(np.random.default_rng(0))
    material = builder.paint("noise")
    builder.add(kind, Frame(), (centre[0], -centre[1], centre[2]), half, material, **more)
    return builder


def tables_of(builder: Builder) -> Tables:
    light = Light(np.array((0, -1.0, 0)), np.ones(3), np.ones(3), np.ones(3))
    return tabulate(builder.scene(light, (0, 0, 0), 5.0), torch.device("cpu"))


def depth_of(builder, pose=None):
    return cast(tables_of(builder), K, np.eye(4) if pose is None else pose, 60, 80).depth.numpy()


def test_a_wall_has_constant_planar_depth():
    depth = depth_of(one_solid(Kind.BOX, (0, 0, 5), (50, 50, 1)))
    assert np.allclose(depth, 4, atol=1e-5)


def test_a_ground_plane_follows_the_camera_equation():
    depth = depth_of(one_solid(Kind.BOX, (0, 2.5, 0), (500, 1, 500)))  # its top is 1.5 m below the eye
    rays = camera_rays(K, 60, 80)
    below = rays[..., 1] > 0.02
    assert np.allclose(depth[below], 1.5 / rays[..., 1][below], rtol=1e-4)
    assert np.isinf(depth[rays[..., 1] < 0]).all()


def test_a_sphere_against_algebra():
    depth = depth_of(one_solid(Kind.ELLIPSOID, (0.3, -0.2, 6), (2, 2, 2)))
    rays = camera_rays(K, 60, 80).astype(float)
    centre = np.array((0.3, -0.2, 6))
    a, b, c = (rays**2).sum(-1), rays @ centre, centre @ centre - 4
    hit = b * b - a * c > 0
    assert np.allclose(depth[hit], (b - np.sqrt(np.where(hit, b * b - a * c, 0)))[hit] / a[hit], rtol=1e-3)
    assert np.isinf(depth[~hit]).all()


@pytest.mark.parametrize("kind", [Kind.BOX, Kind.ELLIPSOID, Kind.FRUSTUM, Kind.POLYTOPE])
def test_hits_lie_on_the_surface_and_nothing_of_the_solid_is_before_them(kind):
    rng = np.random.default_rng(int(kind))
    planes = np.array(
        [[1, 0, 0, 1], [-1, 0, 0, 1], [0, 1, 0, 1], [0, -1, 0, 0.4], [0, 0, 1, 1], [0, 0, -1, 1]], float
    )
    turn = rotation(0, 0.4) @ rotation(1, 1.1)
    builder = one_solid(kind, (0, 0, 0), (1.0, 0.7, 1.4), turn=turn, taper=0.4, planes=planes)
    tables = tables_of(builder)
    origin = np.array((0.2, -0.1, -6.0))
    directions = np.concatenate((rng.normal(0, 0.2, (400, 2)), np.ones((400, 1))), 1)
    local_o = origin @ tables.to_local[0]
    local_d = directions @ tables.to_local[0]
    shape = Shape(kind, 0.4, planes.tolist())
    t = intersect(shape, local_o.tolist(), torch.tensor(local_d.T, dtype=torch.float32)).numpy()

    def inside(p):
        x, y, z = p[..., 0], p[..., 1], p[..., 2]
        if kind == Kind.BOX:
            return np.abs(p).max(-1) <= 1
        if kind == Kind.ELLIPSOID:
            return (p**2).sum(-1) <= 1
        if kind == Kind.FRUSTUM:
            return (np.abs(y) <= 1) & (np.hypot(x, z) <= 0.7 + 0.3 * y)
        return (p @ planes[:, :3].T <= planes[:, 3]).all(-1)

    hit = np.isfinite(t)
    assert 20 < hit.sum() < 400
    before = local_o + local_d[hit] * (t[hit] - 2e-3)[:, None]
    after = local_o + local_d[hit] * (t[hit] + 2e-3)[:, None]
    assert not inside(before).any()
    assert inside(after).mean() > 0.97  # a grazing ray may leave within a millimetre
    steps = np.linspace(0, 12, 600)[:, None, None]
    assert not inside(local_o + local_d[~hit] * steps).any(0).mean() > 0.02
    points = local_o + local_d[hit] * t[hit][:, None]
    row = torch.zeros(len(points), dtype=torch.int64)
    at = torch.tensor(points.T, dtype=torch.float32)
    normals = local_normals(tables, row, at, tables.half.expand(3, len(points))).numpy().T @ turn.T
    facing = np.einsum("ij,ij->i", normals, directions[hit])
    assert (facing < 0.05).all()
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("layout", ["street", "park", "room"])
def test_batches_and_single_solids_and_single_rays_agree(layout, monkeypatch):
    """Small solids are cast in batches, large ones alone, and stray rays one solid after the other."""
    view, light = LAYOUTS[layout][0](builder := Builder(np.random.default_rng(3)))
    tables = tabulate(builder.scene(light, view.centre, view.extent), torch.device("cpu"))
    pose = np.eye(4)
    pose[:3, 3] = view.eye[0], -view.eye[1], view.eye[2]
    batched = cast(tables, K, pose, 60, 80)
    monkeypatch.setattr("vdepth_core.scenes.raster.LARGE", 0)
    alone = cast(tables, K, pose, 60, 80)
    same = torch.isclose(batched.depth, alone.depth, rtol=1e-4)
    assert same.float().mean() > 0.998  # rounding decides at edges
    assert (batched.solid == alone.solid).float().mean() > 0.995
    y, x = np.mgrid[:60, :80]
    pixels = np.stack((x, y), -1).reshape(-1, 2) + 0.5
    stray = sight(tables, K, pose, pixels, 60, 80).view(60, 80)
    assert torch.isclose(stray, alone.depth, rtol=1e-4).float().mean() > 0.998


def test_same_seed_same_bytes_and_other_seed_other_scene():
    a, b, c = render_clip(5, 2, 48, 64), render_clip(5, 2, 48, 64), render_clip(6, 2, 48, 64)
    assert a.rgb.tobytes() == b.rgb.tobytes()
    assert a.depth.tobytes() == b.depth.tobytes()
    assert np.array_equal(a.poses, b.poses)
    assert not np.array_equal(a.depth, c.depth)


def test_nothing_is_made_on_the_default_device(monkeypatch):
    """What would fail on a GPU fails here: with another default device, a stray tensor meets those in use."""
    everything = Effects(shutter=0.8, defocus=1.0, mist=0.4)
    monkeypatch.setattr("vdepth_core.scenes.clip.draw_effects", lambda *_: everything)
    for layout in ("room", "park"):
        usual = render_clip(3, 2, 48, 64, layout, moving=True)
        with torch.device("meta"):
            other = render_clip(3, 2, 48, 64, layout, moving=True, device="cpu")
            visible = other.visible
        assert np.array_equal(other.rgb, usual.rgb)
        assert np.array_equal(visible, usual.visible)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("layout", ["street", "room"])
def test_a_gpu_renders_the_same_scene_and_always_the_same_bytes(layout):
    host = render_clip(5, 2, 96, 128, layout, moving=True)
    first, second = (render_clip(5, 2, 96, 128, layout, moving=True, device="cuda") for _ in range(2))
    assert first.rgb.tobytes() == second.rgb.tobytes()
    assert first.depth.tobytes() == second.depth.tobytes()
    assert np.isclose(first.depth, host.depth, rtol=1e-3).mean() > 0.99
    assert np.abs(first.rgb - host.rgb).mean() < 0.01
    assert (first.visible == host.visible).mean() > 0.99


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout):
    clip = render_clip(11, 2, 72, 96, layout=layout)
    assert clip.layout == layout
    assert clip.rgb.shape == (2, 3, 72, 96)
    assert clip.depth.shape == clip.sky.shape == (2, 72, 96)
    assert clip.rgb.dtype == clip.depth.dtype == np.float32
    assert clip.rgb.min() >= 0
    assert clip.rgb.max() <= 1
    assert clip.rgb.std() > 0.03
    assert clip.depth.min() > 0.04
    assert not np.isnan(clip.depth).any()
    assert (~clip.sky).mean() > 0.3
    rotations = clip.poses[:, :3, :3]
    assert np.allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    near, far = np.quantile(clip.depth[0][~clip.sky[0]], (0.05, 0.95))
    assert far > 1.1 * near


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flow_leads_to_the_same_surface(seed):
    """Following the flow to frame 1 and unprojecting there gives the same point, where it is still seen."""
    clip = render_clip(seed, 2, 96, 128)
    flow = clip.flow[0]
    assert flow.shape == (96, 128, 2)
    assert 0.01 < np.abs(flow).mean() < 30
    y, x = np.mgrid[:96, :128]
    target = flow + np.stack((x, y), -1)
    column, row = np.round(target[..., 0]).astype(int), np.round(target[..., 1]).astype(int)
    seen = (column >= 0) & (column < 128) & (row >= 0) & (row < 96) & ~clip.sky[0]
    move = np.linalg.inv(clip.poses[1]) @ clip.poses[0]
    points = camera_rays(clip.K, 96, 128).astype(float) * np.where(clip.sky[0], 1, clip.depth[0])[..., None]
    expected = (points @ move[:3, :3].T + move[:3, 3])[..., 2][seen]
    found = clip.depth[1][row[seen], column[seen]]
    assert np.median(np.abs(found - expected) / expected) < 0.02


def test_a_still_camera_has_no_flow_and_a_rotation_moves_the_sky():
    clip = render_clip(3, 2, 48, 64, layout="park")
    still = type(clip)(clip.rgb, clip.depth, clip.K, np.stack((clip.poses[0],) * 2), clip.layout, clip.seed)
    assert np.allclose(still.flow, 0, atol=1e-3)
    turned = clip.poses[0].copy()
    turned[:3, :3] = turned[:3, :3] @ rotation(1, 0.1)
    panned = type(clip)(
        clip.rgb, np.full_like(clip.depth, np.inf), clip.K, np.stack((clip.poses[0], turned)), clip.layout, 3
    )
    assert np.allclose(panned.flow[0, 24, 32], (-clip.K[0, 0] * np.tan(0.1), 0), atol=1.0)


def test_a_fast_camera_goes_where_it_looks_and_a_slow_one_anywhere():
    def paths(speed):
        view = View((0, 1.5, 0), (10, 1.5, 20), 5, (40, 90), speed, (0, 0, 0), 9, True)
        for seed in range(40):
            camera = draw_camera(np.random.default_rng(seed), view, 60, 80)
            ahead = camera.pose(0)[:3, 2] * (1, 0, 1)
            yield camera.velocity / speed, abs(camera.velocity @ ahead) / np.linalg.norm(camera.velocity)

    (fast, along), (slow, anywhere) = (
        map(np.array, zip(*paths(speed), strict=True)) for speed in (0.5, 0.05)
    )
    assert np.median(along) > 0.95
    assert np.abs(fast[:, 1]).max() < 0.2
    assert np.median(anywhere) < 0.8
    assert slow.std() > 0.5


def test_unknown_layout():
    with pytest.raises(ValueError, match="street"):
        render_clip(0, layout="ocean")
