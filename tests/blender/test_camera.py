"""Intrinsics from every source, and camera paths, with exact values."""

import json
import math
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")
from mathutils import Euler, Matrix, Vector  # noqa: E402

CLIP = Path(__file__).parents[2] / "vdepth_core" / "demo" / "clip.mp4"


@pytest.fixture
def shown(blender, demo_job):
    """The demo clip with its depth and mesh, parented to the scene's camera."""
    from blender_addon.scene.active import result_of
    from blender_addon.scene.mesh import build_mesh

    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    clip = bpy.data.movieclips.load(str(CLIP))
    clip.vdepth.manifest = str(demo_job / "manifest.json")
    scene.vdepth.clip = clip
    return clip, build_mesh(bpy.context, clip, result_of(clip))


def intrinsics(mesh) -> list[float]:
    from blender_addon.scene.mesh import get_input

    return [get_input(mesh, name) for name in ("fx", "fy", "cx", "cy")]


def picture_of(camera, point: Vector, width: int, height: int) -> tuple[float, float]:
    """Where Blender's own projection puts a point in camera space, in pixels from the top left."""
    frame = bpy.context.scene.render
    frame.resolution_x, frame.resolution_y = width, height
    matrix = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=width, y=height)
    clip = matrix @ point.to_4d()
    return (clip.x / clip.w + 1) / 2 * width, (1 - clip.y / clip.w) / 2 * height


def test_field_of_view(shown):
    _, mesh = shown
    settings = bpy.context.scene.vdepth.camera
    settings.source, settings.fov = "FOV", math.radians(90)
    assert bpy.ops.vdepth.set_intrinsics() == {"FINISHED"}
    assert intrinsics(mesh) == pytest.approx([320, 320, 320, 180])
    assert mesh.parent.data.angle == pytest.approx(math.radians(90), abs=1e-6)


def test_model(shown, demo_job):
    _, mesh = shown
    settings = bpy.context.scene.vdepth.camera
    settings.source, settings.fov = "FOV", 1.0
    bpy.ops.vdepth.set_intrinsics()
    settings.source, settings.fit_camera = "MODEL", False
    lens = mesh.parent.data.lens
    assert bpy.ops.vdepth.set_intrinsics() == {"FINISHED"}
    written = json.loads((demo_job / "manifest.json").read_text())["camera"]
    assert intrinsics(mesh) == pytest.approx([written[name] for name in ("fx", "fy", "cx", "cy")])
    assert mesh.parent.data.lens == lens


def test_clip_lens_with_an_axis_beside_the_middle_is_what_the_camera_shows(shown):
    clip, mesh = shown
    lens = clip.tracking.camera
    lens.sensor_width, lens.units, lens.focal_length = 36, "MILLIMETERS", 27
    lens.principal_point_pixels = (332, 171)
    bpy.context.scene.vdepth.camera.source = "CLIP"
    assert bpy.ops.vdepth.set_intrinsics() == {"FINISHED"}
    fx, fy, cx, cy = intrinsics(mesh)
    assert (fx, fy, cx, cy) == pytest.approx((480, 480, 332, 189), abs=1e-3)
    point = Vector((0.5, -0.3, -2))
    wanted = (fx * 0.25 + cx, fy * 0.15 + cy)
    assert picture_of(mesh.parent, point, 640, 360) == pytest.approx(wanted, abs=1e-3)


def test_solve_has_to_exist(shown):
    from blender_addon.operators.camera import VDEPTH_OT_align_to_solve, VDEPTH_OT_set_intrinsics

    assert not VDEPTH_OT_align_to_solve.poll(bpy.context)
    assert VDEPTH_OT_set_intrinsics.poll(bpy.context)
    bpy.context.scene.vdepth.camera.source = "SOLVE"
    assert not VDEPTH_OT_set_intrinsics.poll(bpy.context)


def poses(count: int) -> list[Matrix]:
    turns = [Euler((0.4 * k, 3 + 0.4 * k, -0.1 * k)) for k in range(count)]
    return [Matrix.Translation((k, 2 * k, 0.5)) @ turn.to_matrix().to_4x4() for k, turn in enumerate(turns)]


def rows(matrices: list[Matrix]) -> list[list[float]]:
    return [[value for row in matrix for value in row] for matrix in matrices]


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_imported_path_is_exact(shown, tmp_path, kind):
    clip, mesh = shown
    clip.frame_start = 11
    wanted = poses(12)
    path = tmp_path / f"poses.{kind}"
    if kind == "txt":
        path.write_text("\n".join(" ".join(f"{v:.9e}" for v in row) for row in rows(wanted)))
    else:
        path.write_text(json.dumps({"fps": 24, "poses": rows(wanted)}))
    assert bpy.ops.vdepth.import_camera_path(filepath=str(path)) == {"FINISHED"}
    camera = bpy.context.scene.camera
    assert mesh.parent == camera
    for k in (0, 5, 11):
        bpy.context.scene.frame_set(11 + k)
        # A point 2 in front, 1 right and 3 below in OpenCV's axes, seen by Blender's camera.
        point = camera.matrix_world @ Vector((1, -3, -2))
        assert list(point) == pytest.approx(list(wanted[k] @ Vector((1, 3, 2))), abs=1e-4)
    turn = camera.rotation_quaternion.copy()
    bpy.context.scene.frame_set(21, subframe=0.5)
    assert camera.rotation_quaternion.rotation_difference(turn).angle < 0.5  # the short way between frames


@pytest.mark.parametrize("text", ["", "1 2 3", "{}", '{"poses": [1, 2]}', "1 " * 16, "no path"])
def test_what_is_no_path_is_refused(shown, tmp_path, text):
    path = tmp_path / "poses.txt"
    path.write_text(text)
    before = len(bpy.data.objects)
    with pytest.raises(RuntimeError, match="holds no camera path"):
        bpy.ops.vdepth.import_camera_path(filepath=str(path))
    assert len(bpy.data.objects) == before
