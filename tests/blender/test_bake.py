"""Baking: the frame's mesh as the nodes make it, and ranges through Alembic and USD files."""

import numpy as np
import pytest
from depth_job import geometry, make_job, use_job

CAMERA = {"fx": 20.0, "fy": 20.0, "cx": 8.0, "cy": 6.0}


@pytest.fixture
def mesh(blender, tmp_path):
    """A mesh whose topology differs from frame to frame."""
    from blender_addon.scene.mesh import find_mesh, set_input

    random = np.random.default_rng(0)
    depths = {number: random.uniform(2, 3, (12, 16)).astype(np.float32) for number in (1, 2, 3)}
    clip, _ = use_job(blender, make_job(tmp_path, depths, CAMERA))
    blender.ops.vdepth.build_mesh()
    obj = find_mesh(clip)
    for name, value in {"Stride": 1, "Tear": 0.25, "Fill": False}.items():
        set_input(obj, name, value)
    blender.context.scene.camera.location = (1, 2, 3)
    return obj


def all_frames(blender, obj):
    found = []
    for frame in (1, 2, 3):
        blender.context.scene.frame_set(frame)
        found.append(geometry(blender, obj))
    assert len({len(points) for points, _ in found}) > 1 or len({len(faces) for _, faces in found}) > 1
    return found


def in_world(blender, obj, points):
    shown = obj.evaluated_get(blender.context.evaluated_depsgraph_get())
    matrix = np.array(shown.matrix_world)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def test_a_baked_frame_is_what_the_nodes_make(blender, mesh):
    blender.context.scene.frame_set(2)
    points, faces = geometry(blender, mesh)
    assert blender.ops.vdepth.bake_frame() == {"FINISHED"}
    baked = next(o for o in blender.data.objects if o.type == "MESH" and o != mesh)
    assert not baked.modifiers
    np.testing.assert_allclose(baked.matrix_world, mesh.matrix_world, atol=1e-6)
    blender.context.scene.frame_set(3)
    kept, kept_faces = geometry(blender, baked)
    np.testing.assert_array_equal(kept, points)
    np.testing.assert_array_equal(kept_faces, faces)
    assert baked.data.uv_layers["UVMap"]
    material = baked.data.materials[baked.data.polygons[0].material_index]
    assert material.name == "Video Depth Footage"


@pytest.mark.parametrize("suffix", ["abc", "usdc"])
def test_a_range_comes_back_from_its_file(blender, mesh, tmp_path, suffix):
    expected = [(in_world(blender, mesh, points), faces) for points, faces in all_frames(blender, mesh)]
    selected = [o for o in blender.context.view_layer.objects if o.select_get()]
    path = tmp_path / f"range.{suffix}"
    assert blender.ops.vdepth.bake_range(filepath=str(path)) == {"FINISHED"}
    assert [o for o in blender.context.view_layer.objects if o.select_get()] == selected
    before = set(blender.data.objects)
    if suffix == "abc":
        blender.ops.wm.alembic_import(filepath=str(path), as_background_job=False)
    else:
        blender.ops.wm.usd_import(filepath=str(path))
    (back,) = [o for o in set(blender.data.objects) - before if o.type == "MESH"]
    for frame, (points, faces) in zip((1, 2, 3), expected, strict=True):
        blender.context.scene.frame_set(frame)
        found, found_faces = geometry(blender, back)
        np.testing.assert_allclose(in_world(blender, back, found), points, atol=1e-5)
        assert len(found_faces) == len(faces)
        assert back.evaluated_get(blender.context.evaluated_depsgraph_get()).data.uv_layers


def test_every_frame_is_reported(blender, mesh, tmp_path):
    from blender_addon.scene.bake import bake_range

    seen = []
    bake_range(blender.context, mesh, str(tmp_path / "range.abc"), full=False, step=seen.append)
    assert sorted(set(seen) & {1, 2, 3}) == [1, 2, 3]


def test_errors_are_one_sentence(blender, mesh, tmp_path):
    from blender_addon.result.manifest import ResultError
    from blender_addon.scene.bake import bake_frame, bake_range
    from blender_addon.scene.mesh import set_input

    with pytest.raises(ResultError, match=r"range.obj is neither Alembic nor USD: end its name in"):
        bake_range(blender.context, mesh, str(tmp_path / "range.obj"), full=False)
    with pytest.raises(ResultError, match="was not written"):
        bake_range(blender.context, mesh, str(tmp_path / "nowhere" / "range.abc"), full=False)
    set_input(mesh, "Near", 100.0)
    with pytest.raises(ResultError, match="is empty at this frame"):
        bake_frame(blender.context, mesh, full=False)
    set_input(mesh, "Points", True)
    with pytest.raises(ResultError, match="switch Points off"):
        bake_frame(blender.context, mesh, full=False)


def test_a_range_is_baked_beside_the_window_with_progress(blender, mesh, tmp_path):
    from blender_addon.operators.state import STATE

    scene, path = blender.context.scene, tmp_path / "beside.abc"
    scene.frame_start, scene.frame_end = 1, 3
    assert blender.ops.vdepth.bake_beside(filepath=str(path)) == {"FINISHED"}
    assert path.stat().st_size > 0
    assert (STATE.done, STATE.total, STATE.factor) == (3, 3, 1.0)
    assert not list(tmp_path.glob(".*part*"))
    before = set(blender.data.objects)
    blender.ops.wm.alembic_import(filepath=str(path), as_background_job=False)
    (back,) = [o for o in set(blender.data.objects) - before if o.type == "MESH"]
    assert len(geometry(blender, back)[0])


def test_a_bake_that_is_cancelled_leaves_nothing(blender, mesh, tmp_path):
    import time

    from blender_addon.operators import running
    from blender_addon.operators.bake_beside import BakeRun
    from blender_addon.operators.state import STATE

    copy = tmp_path / "copy.blend"
    blender.ops.wm.save_as_mainfile(filepath=str(copy), copy=True)
    run = running.begin(BakeRun("plate", copy, mesh.name, tmp_path / "out.abc", (1, 2000), full=True))
    assert not run.advance()
    blender.ops.vdepth.cancel()
    end = time.monotonic() + 20
    while not run.advance() and time.monotonic() < end:
        time.sleep(0.02)
    assert (STATE.running, STATE.code) == (False, "cancelled")
    assert not list(tmp_path.glob("*.abc")) + list(tmp_path.glob(".*"))
    assert not copy.exists()


def test_a_blender_without_formats_says_so(blender, mesh, tmp_path, monkeypatch):
    from blender_addon.result.manifest import ResultError
    from blender_addon.scene import bake

    monkeypatch.setattr("blender_addon.operators.mesh.suffixes", list)
    assert not blender.ops.vdepth.bake_range.poll()
    monkeypatch.setattr(bake, "suffixes", lambda: [".usdc"])
    with pytest.raises(ResultError, match=r"built without .abc files: end the name in .usdc"):
        bake.bake_range(blender.context, mesh, str(tmp_path / "range.abc"), full=False)
    monkeypatch.setattr(bake, "suffixes", list)
    with pytest.raises(ResultError, match="use Export Depth"):
        bake.bake_range(blender.context, mesh, str(tmp_path / "range.abc"), full=False)


def test_depth_is_exported_by_the_core(blender, demo_job, tmp_path, core_python):
    clip = use_job(blender, make_job(tmp_path, {1: np.full((12, 16), 3, np.float32)}, CAMERA))[0]
    clip.vdepth.manifest = str(demo_job / "manifest.json")
    out = tmp_path / "there"
    assert blender.ops.vdepth.export_depth(to="npz", folder=str(out)) == {"FINISHED"}
    assert list(out.glob("*.npz"))
