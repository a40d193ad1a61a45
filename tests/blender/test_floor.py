"""The floor: Z = 0 is the clip's ground, the camera stands above it, and all can be taken away again."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from depth_job import geometry, make_job, use_job

bpy = pytest.importorskip("bpy")
Vector = pytest.importorskip("mathutils").Vector

DEMO = Path(__file__).parents[2] / "vdepth_core" / "demo" / "clip.mp4"
WIDTH, HEIGHT, F, PITCH = 64, 48, 60.0, math.radians(8)
LENS = {"fx": F, "fy": F, "cx": WIDTH / 2, "cy": HEIGHT / 2}
DOWN = (0.0, math.cos(PITCH), math.sin(PITCH))
A, B, EYE = 0.7, 0.05, 1.6


def ground_depth() -> np.ndarray:
    """A floor under a camera that looks down, sky above; disparity lies by A and B."""
    rows = (np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / F
    below = np.repeat((DOWN[1] * rows + DOWN[2])[:, None], WIDTH, 1)
    return (1 / (A * np.maximum(below, 0) / EYE + B)).astype(np.float32)


@pytest.fixture
def clip(blender, tmp_path):
    """A clip of two frames whose depth's space is up to scale and shift, and its mesh."""
    manifest = make_job(tmp_path, {1: ground_depth(), 2: ground_depth()}, LENS)
    facts = json.loads(manifest.read_text())
    facts["model"]["space"] = "affine_invariant"
    manifest.write_text(json.dumps(facts))
    clip, _ = use_job(blender, manifest)
    bpy.ops.vdepth.build_mesh()
    return clip


def answer(downs=(DOWN, DOWN)) -> list:
    from blender_addon.result.ground import ShotGround

    height = EYE / A
    return [ShotGround([1, 2], "the sky", height, list(downs), [1.0, 1.0], [-B, -B], [15.0, 15.0])]


def put(clip, found=None):
    from blender_addon.operators.floor import put_on_floor
    from blender_addon.scene.active import result_of

    put_on_floor(bpy.context.scene, clip, result_of(clip), found or answer())


def mesh_of(clip):
    from blender_addon.scene.mesh import find_mesh, set_input

    mesh = find_mesh(clip)
    for name, value in {"Fill": False, "Far": 50.0}.items():
        set_input(mesh, name, value)
    return mesh


def test_the_ground_is_at_zero_and_the_camera_at_its_height(clip):
    put(clip)
    scene, mesh = bpy.context.scene, mesh_of(clip)
    points, _ = geometry(bpy, mesh)
    matrix = np.array(mesh.matrix_world)
    world = points @ matrix[:3, :3].T + matrix[:3, 3]
    assert len(world) > 100
    near = np.hypot(*(world[:, :2] - np.array(scene.camera.matrix_world.translation)[:2]).T) < 15
    assert np.median(np.abs(world[near, 2])) < 2e-3  # cuts and margins lie beside it
    assert scene.camera.matrix_world.translation.z == pytest.approx(EYE)
    from bpy_extras.object_utils import world_to_camera_view

    origin = world_to_camera_view(scene, scene.camera, Vector((0, 0, 0)))
    assert (origin.x, origin.y) == pytest.approx((0.5, 1 / 6), abs=0.01), "low in the picture's middle"


def test_again_keeps_where_the_user_put_the_floor(clip):
    from blender_addon.scene.floor import find_floor

    put(clip)
    floor, _ = find_floor(bpy.context.scene.camera)
    floor.location.x = 7.0
    put(clip)
    assert find_floor(bpy.context.scene.camera)[0] == floor
    assert floor.location.x == 7.0


def test_a_rocking_camera_is_keyed_and_a_still_one_is_not(clip):
    from blender_addon import compat
    from blender_addon.scene.floor import find_floor

    put(clip)
    _, tilted = find_floor(bpy.context.scene.camera)
    assert compat.fcurves_of(tilted) == []
    put(clip, answer((DOWN, (0.0, math.cos(PITCH + 0.02), math.sin(PITCH + 0.02)))))
    views = []
    for frame in (1, 2):
        bpy.context.scene.frame_set(frame)
        views.append(bpy.context.scene.camera.matrix_world.to_3x3() @ Vector((0, 0, -1)))
    assert views[0].angle(views[1]) == pytest.approx(0.02, abs=1e-4)


def test_removed_all_is_as_before(clip):
    from blender_addon.scene.mesh import get_input

    scene = bpy.context.scene
    scene.camera.location, scene.camera.rotation_euler = (3, -4, 5), (1.1, 0.0, 0.8)
    bpy.context.view_layer.update()
    before, count = scene.camera.matrix_world.copy(), len(bpy.data.objects)
    put(clip)
    assert bpy.ops.vdepth.remove_floor() == {"FINISHED"}
    bpy.context.view_layer.update()
    assert np.allclose(scene.camera.matrix_world, before, atol=1e-5)
    assert len(bpy.data.objects) == count
    assert (get_input(mesh_of(clip), "Scale"), get_input(mesh_of(clip), "Shift")) == (1, 0)
    assert not bpy.ops.vdepth.remove_floor.poll()


def test_a_camera_with_a_place_of_its_own_is_refused(clip):
    camera = bpy.context.scene.camera
    camera.constraints.new("CAMERA_SOLVER")
    with pytest.raises(RuntimeError, match="follows a solve"):
        bpy.ops.vdepth.set_floor()


def test_the_path_of_an_animated_camera_is_put_above_the_ground(clip):
    """It keeps its own world until the floor is set; then all of it is turned, scaled and level."""
    from blender_addon.scene.floor import find_floor
    from blender_addon.scene.mesh import get_input

    scene = bpy.context.scene
    camera = scene.camera
    for frame, place in ((1, (5.0, -2.0, 7.0)), (2, (5.0, -1.0, 7.5))):
        camera.location, camera.rotation_euler = place, (0.6, 0.4, 0.3)
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    put(clip)
    scene.frame_set(1)
    first, moved = camera.matrix_world.copy(), []
    for frame in (1, 2):
        scene.frame_set(frame)
        down = camera.matrix_world.to_3x3().normalized() @ Vector((DOWN[0], -DOWN[1], -DOWN[2]))
        assert tuple(down) == pytest.approx((0, 0, -1), abs=1e-4)
        moved.append(camera.matrix_world.translation.copy())
    size = EYE / (EYE / A)
    assert (moved[1] - moved[0]).length == pytest.approx(size * math.hypot(1.0, 0.5), rel=1e-4)
    assert moved[1].z == pytest.approx(EYE, abs=1e-4), "the middle frame of two is the second"
    scene.frame_set(2)
    points, _ = geometry(bpy, mesh_of(clip))
    matrix = np.array(mesh_of(clip).matrix_world)
    world = points @ matrix[:3, :3].T + matrix[:3, 3]
    near = np.hypot(*(world[:, :2] - np.array(moved[1])[:2]).T) < 15
    assert np.median(np.abs(world[near, 2])) < 2e-3
    put(clip)
    scene.frame_set(1)
    assert np.allclose(camera.matrix_world, first, atol=1e-4), "again is the same"
    assert bpy.ops.vdepth.remove_floor() == {"FINISHED"}
    assert find_floor(camera) is None
    scene.frame_set(1)
    assert tuple(camera.matrix_world.translation) == pytest.approx((5.0, -2.0, 7.0))
    assert get_input(mesh_of(clip), "Scale") == 1


def test_points_are_kept_for_one_frame_and_told_to_the_core(clip):
    from blender_addon.scene.picks import picked_words, points, set_points

    assert picked_words(clip) == []
    set_points(clip, "HORIZON", [(0.0, 20.0), (63.0, 21.5)], 2)
    assert picked_words(clip) == ["--horizon-at", "0.00,20.00 63.00,21.50", "--frame", "2"]
    set_points(clip, "GROUND", [(1.0, 2.0)], 2)
    assert "--ground-at" not in picked_words(clip), "one is too few"
    set_points(clip, "GROUND", [(1.0, 2.0)] * 3, 1)
    assert points(clip, "HORIZON") == [], "of another frame"
    bpy.ops.vdepth.clear_picks()
    assert picked_words(clip) == []


def test_clicks_are_pixels_of_the_plate(clip):
    from blender_addon.operators.pick import pixel_at

    view = SimpleNamespace(region_to_view=lambda x, y: (x / 200, y / 100))
    context = SimpleNamespace(space_data=SimpleNamespace(type="CLIP_EDITOR"), scene=bpy.context.scene)
    assert pixel_at(context, clip, SimpleNamespace(view2d=view), (50, 25)) == (WIDTH / 4, HEIGHT * 3 / 4)


def test_set_floor_asks_the_core(blender, demo_job):
    from blender_addon.scene.floor import WORDS_KEY, find_floor

    clip = bpy.data.movieclips.load(str(DEMO))
    clip.vdepth.manifest = str(demo_job / "manifest.json")
    scene = bpy.context.scene
    scene.vdepth.clip = clip
    bpy.ops.vdepth.build_mesh()
    scene.vdepth.camera.horizon, scene.vdepth.camera.eye = "level", 1.4
    assert bpy.ops.vdepth.set_floor() == {"FINISHED"}
    bpy.context.view_layer.update()
    assert find_floor(scene.camera) is not None
    assert scene.camera.matrix_world.translation.z == pytest.approx(1.4)
    row, words = clip[WORDS_KEY].removeprefix("horizon at row ").split(", ")
    assert abs(int(row) - 180) < 10
    assert words == "by the assumption that the camera is held level"


def test_a_shot_without_ground_is_set_up_all_the_same(clip, monkeypatch):
    from blender_addon.core_process.environment import CoreError
    from blender_addon.operators import shot
    from blender_addon.scene.compositor import find_node
    from blender_addon.scene.floor import find_floor

    def none(*_):
        raise CoreError("No ground is seen.")
        yield

    monkeypatch.setattr(shot, "seek_ground", none)
    scene = bpy.context.scene
    scene.vdepth.camera.floor, scene.render.engine = True, "CYCLES"
    assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}
    assert find_floor(scene.camera) is None
    assert find_node(scene, clip) is not None


def test_points_are_not_picked_through_another_camera(clip):
    from blender_addon.operators.pick import VDEPTH_OT_pick_floor

    scene, said = bpy.context.scene, []
    own = scene.camera
    scene.camera = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    context = SimpleNamespace(
        scene=scene, space_data=SimpleNamespace(type="VIEW_3D"),
        region_data=SimpleNamespace(view_perspective="CAMERA"),
    )  # fmt: skip
    picking = SimpleNamespace(report=lambda _, words: said.append(words))
    assert VDEPTH_OT_pick_floor.invoke(picking, context, None) == {"CANCELLED"}
    assert said == [f"Make {own.name} the scene's camera first: the plate is seen through it"]
