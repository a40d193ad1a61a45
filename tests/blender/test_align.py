"""Align to Solve on a rendered scene: exact markers, true depth under an unknown scale and shift."""

import json
import math

import pytest

bpy = pytest.importorskip("bpy")
import numpy as np  # noqa: E402
from mathutils import Euler, Matrix, Vector  # noqa: E402

WIDTH, HEIGHT, FRAMES = 160, 90, 8
LENS, SENSOR = 30.0, 36.0
FX = LENS / SENSOR * WIDTH
SHOT_LIES = [(0.31, 0.17), (1.7, 0.05)]
"""How the predicted disparity lies: d = a / z + b, a shot each."""


def pose(frame: int) -> Matrix:
    """Camera to world at a frame of the clip, from 1."""
    t = (frame - 1) / (FRAMES - 1)
    turn = Euler((math.radians(78 + 4 * t), 0.05 * t, math.radians(10 - 20 * t)))
    return Matrix.Translation((2 * t - 1, 0.6 * t - 8, 2 + 0.5 * t)) @ turn.to_matrix().to_4x4()


def project(frame: int, point: Vector) -> tuple[float, float]:
    q = pose(frame).inverted() @ point
    return FX * q.x / -q.z / WIDTH + 0.5, FX * q.y / -q.z / HEIGHT + 0.5


def build_truth(scene) -> list[Vector]:
    """A floor, a wall and boxes; returns points on their faces, away from edges."""
    bpy.ops.mesh.primitive_plane_add(size=40, location=(0, 0, 0))
    bpy.ops.mesh.primitive_plane_add(size=40, location=(0, 6, 0), rotation=(math.pi / 2, 0, 0))
    points = [Vector((x, y, 0)) for x in (-1.6, -0.4, 0.9, 1.7) for y in (-4.2, -3.4)]
    points += [Vector((x, 6, z)) for x in (-3, -1, 1, 3.1) for z in (3.2, 4.1)]
    for x, y in ((-1.5, 1), (0.2, -0.5), (1.8, 2.5)):
        bpy.ops.mesh.primitive_cube_add(size=1.6, location=(x, y, 0.8))
        points += [Vector((x + dx, y - 0.8, z)) for dx in (-0.45, 0.4) for z in (0.5, 1.2)]
    camera = bpy.data.objects.new("Truth", bpy.data.cameras.new("Truth"))
    scene.collection.objects.link(camera)
    camera.data.sensor_fit, camera.data.lens, camera.data.sensor_width = "HORIZONTAL", LENS, SENSOR
    scene.camera = camera
    return points


def render_depth(scene, frame: int, path) -> np.ndarray:
    """Cycles' own Z of a frame, (height, width), top row first."""
    scene.camera.matrix_world = pose(frame)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    flat = np.empty(WIDTH * HEIGHT * 4, np.float32)
    image.pixels.foreach_get(flat)
    bpy.data.images.remove(image)
    return flat.reshape(HEIGHT, WIDTH, 4)[::-1, :, 0]


def depth_material():
    """Every surface shines with its planar z, so that a plain float picture holds it in every Blender."""
    from blender_addon.compat import shader_tree

    material = bpy.data.materials.new("Z")
    tree = shader_tree(material)
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    data, light, out = (
        nodes.new(f"ShaderNode{kind}") for kind in ("CameraData", "Emission", "OutputMaterial")
    )
    links.new(data.outputs["View Z Depth"], light.inputs["Color"])
    links.new(light.outputs[0], out.inputs["Surface"])
    return material


def write_exr(path, z: np.ndarray) -> None:
    image = bpy.data.images.new("z", WIDTH, HEIGHT, float_buffer=True, is_data=True)
    image.pixels.foreach_set(np.repeat(z[::-1, :, None], 4, axis=2).astype(np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "OPEN_EXR"
    image.save()
    bpy.data.images.remove(image)


def make_clip(folder, points):
    """The pictures as a clip (what they show does not matter), tracked exactly and solved."""
    picture = bpy.data.images.new("p", WIDTH, HEIGHT)
    for frame in range(1, FRAMES + 1):
        picture.filepath_raw, picture.file_format = str(folder / f"plate_{frame:04d}.png"), "PNG"
        picture.save()
    clip = bpy.data.movieclips.load(str(folder / "plate_0001.png"))
    lens = clip.tracking.camera
    lens.sensor_width, lens.units, lens.focal_length = SENSOR, "MILLIMETERS", LENS
    camera = clip.tracking.objects[0]
    for number, point in enumerate(points):
        places = [project(frame, point) for frame in range(1, FRAMES + 1)]
        if all(0.02 < x < 0.98 and 0.02 < y < 0.98 for x, y in places):
            track = camera.tracks.new(name=f"T{number}", frame=1)
            for frame, place in enumerate(places, 1):
                track.markers.insert_frame(frame, co=place)
    camera.keyframe_a, camera.keyframe_b = 1, FRAMES
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "CLIP_EDITOR"
    area.spaces.active.clip = clip
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.clip.solve_camera() == {"FINISHED"}
    assert camera.reconstruction.is_valid
    assert camera.reconstruction.average_error < 0.01
    return clip


def write_job(folder, truth: list[np.ndarray], shots: list[tuple[int, int]]):
    """A finished job whose disparity is the truth's under a scale and shift of its own in every shot."""
    entries = []
    for (start, stop), (a, b) in zip(shots, SHOT_LIES, strict=False):
        for index in range(start, stop):
            write_exr(folder / f"plate_depth.{index + 1:04d}.exr", 1 / (a / truth[index] + b))
        entries.append({"start_number": start + 1, "count": stop - start, "near": 0.5, "far": 50})
    manifest = {
        "clip": {"path": str(folder / "plate_0001.png"), "width": WIDTH, "height": HEIGHT, "rate": "24/1"},
        "frames": {"first": 0, "start_number": 1, "count": FRAMES},
        "shots": entries,
        "camera": {"fx": 200.0, "fy": 200.0, "cx": 80.0, "cy": 45.0, "source": "assumed"},
        "sequences": {"depth": "plate_depth.####.exr"},
        "model": {"name": "test", "space": "affine_invariant"},
        "method": "framewise",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "manifest.json"


@pytest.fixture(scope="session")
def truth(addon, tmp_path_factory):
    """Points and depth of the scene, rendered once by Cycles."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    folder, scene = tmp_path_factory.mktemp("truth"), bpy.context.scene
    points = build_truth(scene)
    material = depth_material()
    for obj in scene.objects:
        if obj.type == "MESH":
            obj.data.materials.append(material)
    render = scene.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", WIDTH, HEIGHT
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 1, False, "CPU"
    scene.cycles.filter_width = 0.01  # rays through the pixel centres
    scene.cycles.pixel_filter_type = "BOX"
    scene.view_settings.view_transform = "Standard"
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
    depth = [render_depth(scene, frame, folder / f"z{frame}.exr") for frame in range(1, FRAMES + 1)]
    return points, depth


@pytest.fixture
def solved(blender, truth, tmp_path):
    """The clip, solved and with depth, and its mesh."""

    def make(shots):
        from blender_addon.scene.active import result_of
        from blender_addon.scene.mesh import build_mesh

        points, depth = truth
        clip = make_clip(tmp_path, points)
        clip.vdepth.manifest = str(write_job(tmp_path, depth, shots))
        bpy.context.scene.vdepth.clip = clip
        return clip, build_mesh(bpy.context, clip, result_of(clip))

    return make


def world_scale(clip, points) -> float:
    """Units of the truth a unit of the solve, from the tracks alone."""
    from blender_addon.scene.solve import sights

    places = {(f, *(round(v, 4) for v in project(f, p))): p for p in points for f in range(1, FRAMES + 1)}
    ratios = []
    for sight in sights(clip):
        point = places[(sight.frame, round(sight.x, 4), round(sight.y, 4))]
        ratios.append(-(pose(sight.frame).inverted() @ point).z / sight.depth)
    assert max(ratios) / min(ratios) < 1.001
    return float(np.median(ratios))


def mesh_depth(mesh, camera, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """World vertices of the mesh at a frame as pixel places (n, 2) and planar depth in a camera."""
    from blender_addon.scene.mesh import set_input

    set_input(mesh, "Stride", 2)
    set_input(mesh, "Fill", False)
    bpy.context.scene.frame_set(frame)
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(len(evaluated.data.vertices) * 3, np.float32)
    evaluated.data.vertices.foreach_get("co", flat)
    to_camera = camera.matrix_world.normalized().inverted() @ evaluated.matrix_world
    xyz = flat.reshape(-1, 3) @ np.array(to_camera.to_3x3()).T + np.array(to_camera.translation)
    depth = -xyz[:, 2]
    places = np.stack([FX * xyz[:, 0] / depth + WIDTH / 2, HEIGHT / 2 - FX * xyz[:, 1] / depth], axis=1)
    return places, depth


def median_error(mesh, camera, frame: int, truth: np.ndarray, factor: float) -> float:
    """Median relative error of the mesh's depth against the render, in the truth's units."""
    places, depth = mesh_depth(mesh, camera, frame)
    inside = ((places > -0.01) & (places < np.array([WIDTH, HEIGHT]) + 0.01)).all(axis=1)
    assert inside.mean() > 0.95
    column, row = np.clip(np.floor(places), 0, [WIDTH - 1, HEIGHT - 1]).astype(int).T  # some lie on the sides
    wanted = truth[row[inside], column[inside]]
    return float(np.median(np.abs(depth[inside] * factor / wanted - 1)))


def test_mesh_lies_where_the_render_says(solved, truth, capsys):
    from blender_addon.scene.camera import ALIGNMENT_KEY
    from blender_addon.scene.mesh import get_input
    from blender_addon.scene.solve import find_solved_camera

    clip, mesh = solved([(0, FRAMES)])
    assert bpy.ops.vdepth.align_to_solve() == {"FINISHED"}
    unit = world_scale(clip, truth[0])
    # d = a/z + b  =>  z' = (1/a)... : 1/z = (d − b)/a, so shift = −b and scale = a in the truth's units.
    a, b = SHOT_LIES[0]
    assert get_input(mesh, "Shift") == pytest.approx(-b, rel=0.02)
    assert get_input(mesh, "Scale") * unit == pytest.approx(a, rel=0.02)
    camera = find_solved_camera(bpy.context.scene, clip)
    assert mesh.parent == camera
    errors = [median_error(mesh, camera, f, truth[1][f - 1], unit) for f in (1, 4, FRAMES)]
    with capsys.disabled():
        print(f"\n{clip[ALIGNMENT_KEY]}; true {a / unit:.4g}, {-b:.4g}; mesh error {max(errors):.2e}")
    assert max(errors) < 0.02
    assert "median error" in clip[ALIGNMENT_KEY]
    assert clip.vdepth.scale == pytest.approx(get_input(mesh, "Scale"))


def test_orientation_and_scale_of_the_tracking_scene_are_kept(solved, truth):
    from blender_addon.scene.solve import add_solved_camera

    clip, mesh = solved([(0, FRAMES)])
    camera = add_solved_camera(bpy.context, clip)
    camera.location, camera.rotation_euler, camera.scale = (1, 2, 3), (0.3, 0.2, 0.1), (2.5, 2.5, 2.5)
    unit = world_scale(clip, truth[0]) / 2.5
    assert bpy.ops.vdepth.align_to_solve() == {"FINISHED"}
    assert median_error(mesh, camera, 5, truth[1][4], unit) < 0.02
    # Left where it is, the mesh has to carry the scale itself.
    bpy.context.scene.vdepth.camera.parent_to_solve = False
    mesh.parent = None
    before = mesh.matrix_world.copy()
    assert bpy.ops.vdepth.align_to_solve() == {"FINISHED"}
    assert mesh.parent is None
    eye = bpy.data.objects.new("Eye", None)
    eye.matrix_world = before.Identity(4)
    mesh.matrix_world = eye.matrix_world
    assert median_error(mesh, eye, 5, truth[1][4], unit) < 0.02


def test_every_shot_has_its_own_scale(solved, truth):
    from blender_addon import compat
    from blender_addon.scene.mesh import get_input

    clip, mesh = solved([(0, 3), (3, FRAMES)])
    for _ in range(2):  # again changes nothing
        assert bpy.ops.vdepth.align_to_solve() == {"FINISHED"}
    unit = world_scale(clip, truth[0])
    for frame, (a, b) in ((1, SHOT_LIES[0]), (3, SHOT_LIES[0]), (4, SHOT_LIES[1]), (FRAMES, SHOT_LIES[1])):
        bpy.context.scene.frame_set(frame)
        assert get_input(mesh, "Scale") * unit == pytest.approx(a, rel=0.03)
        assert get_input(mesh, "Shift") == pytest.approx(-b, rel=0.06)
        assert median_error(mesh, mesh.parent, frame, truth[1][frame - 1], unit) < 0.02
    curves = [c for c in compat.fcurves_of(mesh) if "Video Depth" in c.data_path]
    assert [len(c.keyframe_points) for c in curves] == [2, 2]


def test_markers_count_from_the_clip_start(solved, truth):
    from blender_addon.scene.mesh import get_input

    clip, mesh = solved([(0, FRAMES)])
    clip.frame_start = 101
    assert bpy.ops.vdepth.align_to_solve() == {"FINISHED"}
    unit = world_scale(clip, truth[0])
    assert get_input(mesh, "Scale") * unit == pytest.approx(SHOT_LIES[0][0], rel=0.02)


def test_the_solves_camera_renders_unless_the_user_says_no(solved):
    solved([(0, FRAMES)])
    scene = bpy.context.scene
    mine = scene.camera = bpy.data.objects.new("Mine", bpy.data.cameras.new("Mine"))
    scene.collection.objects.link(mine)
    scene.vdepth.camera.make_active = False
    assert bpy.ops.vdepth.align_to_solve() == {"FINISHED"}
    assert scene.camera == mine
    scene.vdepth.camera.make_active = True
    assert bpy.ops.vdepth.align_to_solve() == {"FINISHED"}
    assert scene.camera.constraints[0].type == "CAMERA_SOLVER"


def test_a_fit_that_is_far_off_is_refused_and_changes_nothing(solved, monkeypatch):
    from dataclasses import replace

    from blender_addon.result import align
    from blender_addon.scene import solve
    from blender_addon.scene.camera import ALIGNMENT_KEY, POOR_KEY
    from blender_addon.scene.mesh import get_input

    clip, mesh = solved([(0, 3), (3, FRAMES)])
    parent, scale = mesh.parent, get_input(mesh, "Scale")
    fits = solve.align_shots
    poor = replace(fits(clip, solve_result(clip))[0][1], error=0.34)
    monkeypatch.setattr(solve, "align_shots", lambda *_: [(s, poor) for s, _ in fits(*_)])
    with pytest.raises(RuntimeError, match=r"34 % \(refused: at most 20 % is used"):
        bpy.ops.vdepth.align_to_solve()
    assert align.MAX_ERROR == 0.2
    assert (mesh.parent, get_input(mesh, "Scale")) == (parent, scale)
    assert list(clip[POOR_KEY]) == [1, 1]
    monkeypatch.setattr(
        solve, "align_shots", lambda *_: [(s, f if s.numbers.start > 1 else poor) for s, f in fits(*_)]
    )
    assert bpy.ops.vdepth.align_to_solve() == {"FINISHED"}
    assert list(clip[POOR_KEY]) == [1, 0]
    assert "refused" in clip[ALIGNMENT_KEY].splitlines()[0]
    bpy.context.scene.frame_set(FRAMES)
    assert get_input(mesh, "Scale") != scale


def test_set_up_shot_puts_a_solved_clip_at_its_solve(solved):
    from blender_addon.scene.solve import find_solved_camera

    clip, mesh = solved([(0, FRAMES)])
    assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}
    camera = find_solved_camera(bpy.context.scene, clip)
    assert bpy.context.scene.camera == camera == mesh.parent


def solve_result(clip):
    from blender_addon.scene.active import result_of

    return result_of(clip)


def test_exported_points_are_the_solves_tracks(solved, tmp_path, core_python):
    """The core finds them where the plate shows them, as deep as the scene's camera sees them."""
    import subprocess

    clip, _ = solved([(0, FRAMES)])
    scene = bpy.context.scene
    from blender_addon.scene.solve import add_solved_camera, find_solved_camera, sights

    camera = find_solved_camera(scene, clip) or add_solved_camera(bpy.context, clip)
    camera.scale = (2.5,) * 3  # as Set Scale leaves it
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", 0.1
    bpy.context.view_layer.update()
    path = tmp_path / "points.json"
    assert bpy.ops.vdepth.export_points(filepath=str(path)) == {"FINISHED"}
    code = (
        "import json, sys\nfrom pathlib import Path\n"
        "from vdepth_core.geometry.camera import Intrinsics\n"
        "from vdepth_core.geometry.camera_files.plate import Plate\n"
        "from vdepth_core.geometry.sparse_points import read_points\n"
        f"w, h, frames = {WIDTH}, {HEIGHT}, range(1, {FRAMES} + 1)\n"
        "found = read_points(Path(sys.argv[1]), Plate(frames, 24, w, h, 1, Intrinsics.default(w, h)))\n"
        "rows = found.numbers.tolist(), found.pixels.tolist(), found.depth.tolist()\n"
        "print(json.dumps([found.unit, *rows]))\n"
    )
    done = subprocess.run([core_python, "-c", code, str(path)], check=True, capture_output=True, text=True)
    unit, numbers, pixels, depth = json.loads(done.stdout)
    there = sights(clip)
    assert (unit, len(depth)) == ("scene", len(there))
    assert numbers == [sight.frame for sight in there]
    assert depth == pytest.approx([0.25 * sight.depth for sight in there], rel=1e-6)
    assert pixels[0] == pytest.approx([there[0].x * WIDTH, (1 - there[0].y) * HEIGHT])
