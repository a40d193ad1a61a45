"""Intrinsics from every source, and camera paths, with exact values."""

import json
import math
import subprocess
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


def path_of_the_core(count: int, first: int, **more) -> dict:
    lenses = [[640 + 40 * k, 640 + 40 * k, 300 + k, 190 - 2 * k] for k in range(count)]
    return {
        "format": "vdepth camera path", "version": 1, "axes": "opencv", "unit": "scene",
        "width": 640, "height": 360, "numbers": list(range(first, first + count)),
        "intrinsics": lenses, "poses": rows(poses(count)),
    } | more  # fmt: skip


def test_path_of_the_core_brings_numbers_lens_shift_and_range(shown, tmp_path):
    clip, _ = shown
    clip.frame_start, clip.frame_offset = 101, 3
    data = path_of_the_core(5, 20)  # the movie's frame 20 is shown at 20 + 101 - 3
    path = tmp_path / "path.json"
    path.write_text(json.dumps(data))
    assert bpy.ops.vdepth.import_camera_path(filepath=str(path)) == {"FINISHED"}
    scene, camera = bpy.context.scene, bpy.context.scene.camera
    assert (scene.frame_start, scene.frame_end) == (118, 122)
    for k in range(5):
        scene.frame_set(118 + k)
        fx, fy, cx, cy = data["intrinsics"][k]
        wanted = (fx * 0.25 + cx, fy * 0.15 + cy)
        assert picture_of(camera, Vector((0.5, -0.3, -2)), 640, 360) == pytest.approx(wanted, abs=1e-2)
        point = camera.matrix_world @ Vector((1, -3, -2))
        assert list(point) == pytest.approx(list(poses(5)[k] @ Vector((1, 3, 2))), abs=1e-4)


def test_path_of_the_core_needs_no_clip_and_may_leave_the_range(blender, tmp_path):
    path = tmp_path / "path.json"
    path.write_text(json.dumps(path_of_the_core(3, 7, intrinsics=[[640, 640, 320, 180]])))
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 250
    assert bpy.ops.vdepth.import_camera_path(filepath=str(path), match_range=False) == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end) == (1, 250)
    assert scene.camera.data.animation_data is None
    scene.frame_set(8)
    assert list(scene.camera.location) == pytest.approx([1, 2, 0.5])


READ = """
import json, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_files.formats import read_camera
from vdepth_core.geometry.camera_files.plate import Plate
from vdepth_core.geometry.camera_path import inverse_pose

file, width, height, first, count, point = (json.loads(word) for word in sys.argv[1:])
lens = Intrinsics.default(width, height)
plate = Plate(range(first, first + count), Fraction(24), width, height, Fraction(1), lens, True)
read = read_camera(Path(file), plate)
seen = {}
for number in read.path.numbers:
    lens, (x, y, z, _) = read.path.lens(number), inverse_pose(read.path.pose(number)) @ (*point, 1)
    seen[number] = [lens.fx * x / z + lens.cx, lens.fy * y / z + lens.cy]
print(json.dumps([seen, read.notes]))
"""


def seen_by_the_core(python: str, *values) -> tuple[dict, list]:
    words = [json.dumps(str(value) if isinstance(value, Path) else value) for value in values]
    done = subprocess.run([python, "-c", READ, *words], check=True, capture_output=True, text=True)
    seen, notes = json.loads(done.stdout)
    return {int(number): place for number, place in seen.items()}, notes


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
def test_exported_camera_sees_in_the_core_what_blender_sees(blender, core_python, tmp_path, fit, size):
    width, height = size
    scene, camera = bpy.context.scene, bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    rig = bpy.data.objects.new("Rig", None)
    scene.collection.objects.link(rig)
    rig.scale, rig.rotation_euler, rig.location = (2, 2, 2), (0.3, -0.2, 0.5), (1, 2, 3)
    camera.parent = rig
    data = camera.data
    data.sensor_fit, data.sensor_width, data.sensor_height = fit, 30, 21
    data.shift_x, data.shift_y = 0.05, -0.1
    for frame, turn in ((1, 0.1), (4, 0.4)):
        camera.rotation_euler, camera.location, data.lens = (0.2, turn, -turn), (turn, 0, 1), 30 + 20 * turn
        camera.keyframe_insert("rotation_euler", frame=frame)
        camera.keyframe_insert("location", frame=frame)
        data.keyframe_insert("lens", frame=frame)
    scene.frame_start, scene.frame_end = 1, 4
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.frame_set(1)
    ahead = camera.matrix_world.normalized() @ Vector((0.4, 0.7, -5))
    path = tmp_path / "camera.json"
    scene.frame_set(3)
    assert bpy.ops.vdepth.export_camera(filepath=str(path)) == {"FINISHED"}
    assert scene.frame_current == 3
    seen, _ = seen_by_the_core(core_python, path, width, height, 0, 4, list(ahead))
    assert list(seen) == [0, 1, 2, 3]  # the scene's frame 1 is a movie's first
    for number, place in seen.items():
        scene.frame_set(number + 1)
        point = camera.matrix_world.normalized().inverted() @ ahead
        assert place == pytest.approx(picture_of(camera, point, width, height), abs=2e-3)


def test_exported_frames_are_the_clips(shown, tmp_path):
    clip, _ = shown
    scene = bpy.context.scene
    clip.frame_start, clip.frame_offset = 11, 2  # the scene's frame 9 shows the movie's first
    scene.frame_start, scene.frame_end = 1, 12
    path = tmp_path / "camera.json"
    assert bpy.ops.vdepth.export_camera(filepath=str(path)) == {"FINISHED"}
    data = json.loads(path.read_text())
    assert (data["numbering"], [frame["frame"] for frame in data["frames"]]) == ("clip", [0, 1, 2, 3])
    scene.frame_end = 5
    with pytest.raises(RuntimeError, match="lies in the scene's range, 1 to 5"):
        bpy.ops.vdepth.export_camera(filepath=str(path))


def test_a_place_that_cannot_be_written_is_said(shown, tmp_path):
    with pytest.raises(RuntimeError, match="cannot be written"):
        bpy.ops.vdepth.export_camera(filepath=str(tmp_path))  # a folder
    assert not list(tmp_path.iterdir())


def test_there_and_back(shown, core_python, tmp_path):
    """Blender's camera to the core's path and back into Blender is the camera."""
    camera, scene = bpy.context.scene.camera, bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 3
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    for frame in (1, 3):
        camera.location, camera.rotation_euler = (frame, 0.5, 2), (1.2, 0.1 * frame, -0.4)
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    camera.data.lens, camera.data.shift_x, camera.data.shift_y = 41, 0.1, 0.03
    there, back = tmp_path / "there.json", tmp_path / "back.json"
    bpy.ops.vdepth.export_camera(filepath=str(there))
    write = "from vdepth_core.geometry.camera_files.formats import write_camera\n"
    code = READ + write + f"write_camera(read.path, Path({str(back)!r}), plate)\n"
    words = [json.dumps(value) for value in (str(there), 640, 360, 0, 24, [0, 0, 0])]
    subprocess.run([core_python, "-c", code, *words], check=True, capture_output=True)
    scene.frame_set(2)
    wanted = camera.matrix_world.copy()
    assert bpy.ops.vdepth.import_camera_path(filepath=str(back)) == {"FINISHED"}
    assert scene.camera != camera
    scene.frame_set(2)
    for row, other in zip(scene.camera.matrix_world, wanted, strict=True):
        assert list(row) == pytest.approx(list(other), abs=1e-5)
    data = scene.camera.data
    lens = [data.lens / data.sensor_width, data.shift_x, data.shift_y]
    assert lens == pytest.approx([41 / 36, 0.1, 0.03], abs=1e-5)


def test_what_is_no_perspective_camera_is_refused(shown, tmp_path):
    bpy.context.scene.camera.data.type = "ORTHO"
    with pytest.raises(RuntimeError, match="is no perspective camera"):
        bpy.ops.vdepth.export_camera(filepath=str(tmp_path / "camera.json"))
    bpy.context.scene.camera = None
    assert not bpy.ops.vdepth.export_camera.poll()
