"""The sky on a dome, cut out or kept: in mesh, light and composite, with a mask and without."""

import json

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from test_compositor_render import (  # noqa: E402, F401
    BLUE,
    CAMERA,
    FAR,
    HEIGHT,
    SKY,
    WIDTH,
    add_ball,
    at,
    picture,
    plate,
    red,
)

ROWS = 20  # of sky, by the mask: the estimate has a wall there


def mask(clip) -> None:
    """Gives the job of the clip a mask of its sky, as the core writes it, and no infinite depth."""
    from pathlib import Path

    from depth_job import write_depth

    manifest = Path(clip.vdepth.manifest)
    z = np.full((HEIGHT, WIDTH), FAR)
    write_depth(manifest.parent / "plate_depth.0001.exr", z)
    share = np.zeros((HEIGHT, WIDTH))
    share[:ROWS] = 1.0
    write_depth(manifest.parent / "plate_sky.0001.exr", share)
    data = json.loads(manifest.read_text())
    data["sequences"]["sky"] = "plate_sky.####.exr"
    manifest.write_text(json.dumps(data))


def test_the_mesh_has_it_on_a_dome_without_it_or_as_it_was(plate) -> None:  # noqa: F811
    from depth_job import geometry

    from blender_addon.scene.mesh import find_mesh, get_input, set_input

    mask(plate)
    bpy.ops.vdepth.build_mesh()
    mesh = find_mesh(plate)
    set_input(mesh, "Stride", 1)
    set_input(mesh, "Fill", False)
    kept, _ = geometry(bpy, mesh)
    assert np.allclose(kept[:, 2], -FAR)
    plate.vdepth.sky = "DROP"
    cut, _ = geometry(bpy, mesh)
    assert np.allclose(cut[:, 2], -FAR)
    top = CAMERA["cy"] - CAMERA["fy"] * cut[:, 1].max() / FAR
    assert top == pytest.approx(ROWS, abs=0.6)
    plate.vdepth.sky = "DOME"
    domed, _ = geometry(bpy, mesh)
    on_dome = domed[domed[:, 2] < -2 * FAR]
    assert np.linalg.norm(on_dome, axis=1) == pytest.approx(get_input(mesh, "Sky Distance"), rel=1e-4)
    assert len(domed) - len(on_dome) == len(cut)
    assert bpy.context.scene.camera.data.clip_end > get_input(mesh, "Sky Distance")


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("choice", ["DOME", "DROP", "KEEP"])
def test_the_composite_shows_it_or_not(plate, tmp_path, choice, masked) -> None:  # noqa: F811
    """And what stands before it is seen, however far; without a mask what has no depth is sky."""
    if masked:
        mask(plate)
    add_ball(0.0, 15.0 * 20 / 64, 20.0, 2.0)
    bpy.ops.vdepth.setup_compositor()
    bpy.ops.vdepth.build_mesh()
    plate.vdepth.sky = choice
    bpy.ops.vdepth.setup_compositor()
    rgba = picture(tmp_path)
    if masked and choice != "KEEP":
        assert at(rgba, 0.0, 15.0 * 20 / 64, 20.0)[0] > 0.7, "before the sky, behind the estimate's wall"
    assert rgba[1, 1, 3] == pytest.approx(0 if choice == "DROP" else 1, abs=1e-4)
    assert list(rgba[-3, 3]) == BLUE
    if choice != "DROP":
        assert list(rgba[1, 1]) == BLUE


@pytest.mark.parametrize("mode", ["ADD", "DIFFUSE"])
@pytest.mark.parametrize("choice", ["DOME", "KEEP"])
def test_no_light_is_added_to_it(plate, tmp_path, mode, choice) -> None:  # noqa: F811
    mask(plate)
    scene = bpy.context.scene
    scene.vdepth.relight.mode = mode
    plate.vdepth.sky = choice
    bpy.ops.vdepth.build_mesh()
    bpy.ops.vdepth.setup_relight()
    alone = picture(tmp_path)
    bpy.ops.vdepth.setup_compositor()
    for rgba in (alone, picture(tmp_path)):
        assert np.abs(rgba[2 : ROWS - 2, 2:-2, :3] - rgba[3, 3, :3]).max() < 2e-3
        assert list(rgba[3, 3]) == BLUE
        assert np.abs(rgba[ROWS + 4 :, ..., 2] - 0.2159).max() > 0.02


def test_a_relative_model_without_a_mask_has_its_sky_at_the_far_end(plate) -> None:  # noqa: F811
    from pathlib import Path

    from blender_addon.scene.mesh import find_mesh, get_input
    from blender_addon.scene.sky import FAR_END, is_masked

    manifest = Path(plate.vdepth.manifest)
    data = json.loads(manifest.read_text())
    data["model"]["space"] = "affine_invariant"
    manifest.write_text(json.dumps(data))
    bpy.ops.vdepth.build_mesh()
    mesh = find_mesh(plate)
    assert get_input(mesh, "Sky From") == pytest.approx(FAR_END * 100)
    assert not is_masked(mesh)
    mask(plate)
    bpy.ops.vdepth.build_mesh()
    assert is_masked(mesh)
    assert get_input(mesh, "Sky From") > 1e8


@pytest.mark.parametrize(("choice", "empty"), [("DOME", 0), ("DROP", ROWS), ("KEEP", 0)])
def test_limits_of_a_new_view_know_where_it_is(plate, choice, empty) -> None:  # noqa: F811
    from blender_addon.scene.active import result_of
    from blender_addon.scene.mesh import find_mesh, get_input
    from blender_addon.scene.view import depth_at

    mask(plate)
    plate.vdepth.sky = choice
    bpy.ops.vdepth.build_mesh()
    mesh, result = find_mesh(plate), result_of(plate)
    shown = depth_at(mesh, result, 1, dome=True)
    assert (~np.isfinite(shown)).all(1).sum() == empty
    assert np.allclose(shown[ROWS:], FAR)
    if choice == "DOME":
        assert np.allclose(shown[:ROWS], get_input(mesh, "Sky Distance"))
        assert not np.isfinite(depth_at(mesh, result, 1)[:ROWS]).any(), "the pivot is on the ground"


def test_no_light_is_added_to_what_fill_continues_of_it(plate) -> None:  # noqa: F811
    """A ball before the sky: what lies behind it is sky, too, and marked so for lights."""
    from pathlib import Path

    from depth_job import write_depth

    from blender_addon.nodes.plate import SKY as SHARE
    from blender_addon.scene.mesh import find_mesh, set_input

    mask(plate)
    z = np.full((HEIGHT, WIDTH), FAR)
    z[5:15, 20:30] = 2.0
    share = np.zeros((HEIGHT, WIDTH))
    share[:ROWS] = 1.0
    share[5:15, 20:30] = 0.0
    folder = Path(plate.vdepth.manifest).parent
    write_depth(folder / "plate_depth.0001.exr", z)
    write_depth(folder / "plate_sky.0001.exr", share)
    bpy.ops.vdepth.build_mesh()
    mesh = find_mesh(plate)
    set_input(mesh, "Stride", 1)
    data = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    place = np.empty(3 * len(data.vertices), np.float32)
    sky = np.empty(len(data.vertices), np.float32)
    data.vertices.foreach_get("co", place)
    data.attributes[SHARE].data.foreach_get("value", sky)
    x, y, z = place.reshape(-1, 3).T
    u, v = CAMERA["cx"] + CAMERA["fx"] * x / -z, CAMERA["cy"] - CAMERA["fy"] * y / -z
    behind = (np.abs(z + FAR) < 1e-3) & (u > 21) & (u < 29) & (v > 6) & (v < 14)
    assert behind.sum() > 20
    assert (sky[behind] > 0.99).all()
