"""What lights see of the mesh: normals smoothed within surfaces, against a ball, a wall and a floor."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from depth_job import make_job, use_job  # noqa: E402

WIDTH, HEIGHT, FOCAL = 160, 120, 140.0
CAMERA = {"fx": FOCAL, "fy": FOCAL, "cx": WIDTH / 2, "cy": HEIGHT / 2}


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Depth and normals, in Blender's axes, of a ball before a slanted wall over a floor."""
    v, u = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack([(u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL, np.ones_like(u)], 2)
    depth, normal = np.full(u.shape, np.inf), np.zeros((*u.shape, 3))
    for n, distance in ((np.array([0.3, 0.0, -1.0]) / np.hypot(0.3, 1), 6.0), (np.array([0, -1.0, 0]), 1.2)):
        facing = rays @ n
        z = np.where(facing < -1e-6, -distance / np.minimum(facing, -1e-6), np.inf)
        depth, normal = np.where(z < depth, z, depth), np.where((z < depth)[..., None], n, normal)
    centre = np.array([0.2, 0.0, 3.0])
    a, b = (rays**2).sum(2), rays @ centre
    root = b * b - a * (centre @ centre - 0.64)
    z = np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    ball = (rays * np.where(np.isfinite(z), z, 0)[..., None] - centre) / 0.8
    depth, normal = np.where(z < depth, z, depth), np.where((z < depth)[..., None], ball, normal)
    return depth.astype(np.float32), normal * (1, -1, -1)


def seen(mesh, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the front's vertices and a vector of theirs: an attribute, or the faces' normal."""
    bpy.context.view_layer.update()
    data = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    count = len(data.vertices)
    place, vector = np.empty(count * 3, np.float32), np.zeros(count * 3, np.float32)
    data.vertices.foreach_get("co", place)
    if name:
        data.attributes[name].data.foreach_get("vector", vector)
    else:
        data.vertices.foreach_get("normal", vector)
    place = place.reshape(-1, 3)
    u = place[:, 0] / -place[:, 2] * FOCAL + WIDTH / 2
    v = place[:, 1] / place[:, 2] * FOCAL + HEIGHT / 2
    at = np.stack([u, v], 1)
    on = np.abs(at - np.floor(at) - 0.5).max(1) < 0.01  # at pixels' centres
    return np.floor(at[on]).astype(int), vector.reshape(-1, 3)[on]


def off(mesh, name: str, wanted: np.ndarray) -> np.ndarray:
    """Degrees that normals are off, a vertex each, away from the plate's sides."""
    at, found = seen(mesh, name)
    inside = (at[:, 0] > 4) & (at[:, 0] < WIDTH - 5) & (at[:, 1] > 4) & (at[:, 1] < HEIGHT - 5)
    at, found = at[inside], found[inside]
    return np.degrees(np.arccos(np.clip((found * wanted[at[:, 1], at[:, 0]]).sum(1), -1, 1)))


def test_waves_go_when_lit_and_steps_stay(blender, tmp_path) -> None:
    from blender_addon.nodes.normals import NORMAL
    from blender_addon.scene.mesh import find_mesh, get_input, set_input

    depth, wanted = scene()
    waves = np.random.default_rng(0).normal(0, 1, depth.shape)
    for axis in (0, 1):
        waves = sum(np.roll(waves, by, axis) for by in (-1, 0, 1)) / 3
    clip, _ = use_job(
        blender, make_job(tmp_path, {1: (depth * (1 + 0.004 * waves)).astype(np.float32)}, CAMERA)
    )
    blender.ops.vdepth.build_mesh()
    mesh = find_mesh(clip)
    set_input(mesh, "Stride", 1)
    set_input(mesh, "Fill", False)
    assert not seen(mesh, NORMAL)[1].any(), "it takes time, and is for lights alone"
    blender.ops.vdepth.setup_relight()
    assert get_input(mesh, "Lit")
    set_input(mesh, "Soft Normals", 3.0)  # 2.4 pixels
    faces, smooth = off(mesh, "", wanted), off(mesh, NORMAL, wanted)
    assert len(smooth) > 0.9 * (WIDTH - 10) * (HEIGHT - 10)
    assert smooth.mean() < 0.5 * faces.mean()
    assert np.quantile(smooth, 0.9) < 15
    set_input(mesh, "Soft Normals", 0.0)
    assert off(mesh, NORMAL, wanted).mean() == pytest.approx(faces.mean(), rel=0.2)
    blender.ops.vdepth.unset_relight()
    assert not get_input(mesh, "Lit")
