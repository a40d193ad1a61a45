"""Novel views: the rig moves as its values say, limits come from the depth, without Python drivers."""

import math
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

CLIP = Path(__file__).parents[2] / "vdepth_core" / "demo" / "clip.mp4"


@pytest.fixture
def shown(blender, demo_job):
    """The demo clip's mesh."""
    from blender_addon.scene.active import result_of
    from blender_addon.scene.mesh import build_mesh

    clip = bpy.data.movieclips.load(str(CLIP))
    clip.vdepth.manifest = str(demo_job / "manifest.json")
    bpy.context.scene.vdepth.clip = clip
    return clip, build_mesh(bpy.context, clip, result_of(clip))


def rig(**values):
    from blender_addon.scene.mesh import find_mesh
    from blender_addon.scene.view import find_rig

    pivot, camera = find_rig(find_mesh(bpy.context.scene.vdepth.clip))
    for name, value in values.items():
        pivot[name] = value
    pivot.update_tag()
    bpy.context.view_layer.update()
    return pivot, camera


def test_camera_goes_where_the_values_say(shown):
    _, mesh = shown
    mesh.location = (1, 2, 3)
    assert bpy.ops.vdepth.setup_view() == {"FINISHED"}
    pivot, camera = rig()
    distance = pivot["Distance"]
    assert bpy.context.scene.camera == camera

    def place() -> list[float]:
        return list(camera.matrix_world.translation - mesh.matrix_world.translation)

    def ahead() -> list[float]:
        return [-x for x in camera.matrix_world.col[2][:3]]

    assert place() == pytest.approx([0, 0, 0], abs=1e-5)
    rig(Yaw=0.2)
    assert place() == pytest.approx([distance * math.sin(0.2), 0, distance * (math.cos(0.2) - 1)], abs=1e-5)
    assert ahead() == pytest.approx([-math.sin(0.2), 0, -math.cos(0.2)], abs=1e-5)
    rig(Yaw=0.0, Pitch=0.1)
    assert place()[1] == pytest.approx(distance * math.sin(0.1), abs=1e-5)
    rig(Pitch=0.0, Dolly=0.25)
    assert place() == pytest.approx([0, 0, -0.25], abs=1e-5)
    rig(Parallax=0.3, Dolly=0.0)
    assert place() == pytest.approx([0.3, 0, 0], abs=1e-5)
    # The pivot stays in the middle of the picture.
    graph = bpy.context.evaluated_depsgraph_get()
    matrix = camera.evaluated_get(graph).calc_matrix_camera(graph, x=640, y=360)
    seen = matrix @ (camera.matrix_world.inverted() @ pivot.matrix_world.translation).to_4d()
    assert seen.x / seen.w == pytest.approx(0, abs=1e-4)


def test_again_keeps_the_user_values_and_makes_nothing_new(shown):
    bpy.ops.vdepth.setup_view()
    pivot, camera = rig(Yaw=0.11)
    count = len(bpy.data.objects)
    bpy.context.scene.vdepth.view.holes = 6
    bpy.ops.vdepth.setup_view()
    assert len(bpy.data.objects) == count
    assert rig() == (pivot, camera)
    assert pivot["Yaw"] == pytest.approx(0.11)


def test_more_holes_allow_more(shown):
    found = []
    for holes in (1, 4):
        bpy.context.scene.vdepth.view.holes = holes
        bpy.ops.vdepth.setup_view()
        found.append(rig()[0].id_properties_ui("Parallax").as_dict()["soft_max"])
    assert found[0] < found[1] < 4.2 * found[0]  # about in proportion: steps are crisp


def test_drivers_are_simple_and_valid(shown):
    bpy.ops.vdepth.setup_view()
    pivot, camera = rig()
    bpy.context.evaluated_depsgraph_get()
    drivers = [c.driver for block in (pivot, camera, camera.data) for c in block.animation_data.drivers]
    assert len(drivers) == 6
    assert all(driver.is_simple_expression and driver.is_valid for driver in drivers)


def test_swing_covers_the_frames_with_depth(shown):
    from blender_addon.compat import fcurves_of

    bpy.context.scene.vdepth.view.animate = True
    bpy.ops.vdepth.setup_view()
    pivot, camera = rig()
    (curve,) = fcurves_of(pivot)
    most = pivot.id_properties_ui("Yaw").as_dict()["soft_max"]
    assert [k.co.x for k in curve.keyframe_points] == pytest.approx([1, 3.75, 6.5, 9.25, 12])
    assert [k.co.y for k in curve.keyframe_points] == pytest.approx([0, most, 0, -most, 0])
    bpy.context.scene.frame_set(4)
    assert camera.matrix_world.translation.x > 0


def test_stereo(shown):
    bpy.ops.vdepth.setup_view()
    assert bpy.ops.vdepth.setup_stereo() == {"FINISHED"}
    pivot, camera = rig()
    stereo = camera.data.stereo
    assert bpy.context.scene.render.use_multiview
    assert stereo.convergence_distance == pytest.approx(pivot["Distance"])
    assert 0 < stereo.interocular_distance * 30 <= stereo.convergence_distance


def empty_share(folder, **values) -> float:
    """Share of a Cycles render that is empty without Fill, with the rig at its values."""
    from blender_addon.scene.mesh import find_mesh, set_input

    scene = bpy.context.scene
    for name, value in (("Fill", False), ("Render Stride", 1)):
        set_input(find_mesh(scene.vdepth.clip), name, value)
    pivot, _ = rig(Yaw=0.0, Pitch=0.0, Dolly=0.0, Parallax=0.0)
    for name, value in values.items():
        pivot[name] = value
    pivot.update_tag()
    bpy.context.view_layer.update()
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 2, False
    scene.render.film_transparent = True
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.filepath = str(folder / "view.png")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    alpha = list(image.pixels)[3::4]
    bpy.data.images.remove(image)
    return 1 - sum(alpha) / len(alpha)


def test_at_its_limit_a_render_is_as_empty_as_the_panel_says(shown, tmp_path):
    bpy.ops.vdepth.match_camera()
    bpy.ops.vdepth.setup_view()
    pivot, _ = rig()
    assert dict(pivot["vdepth_measured"]) == {"holes": pytest.approx(0.03), "first": 1, "last": 12}
    bpy.context.scene.frame_set(6)
    assert empty_share(tmp_path) < 0.001  # the pixel filter reaches past the picture's border
    most = {name: pivot.id_properties_ui(name).as_dict() for name in ("Yaw", "Parallax", "Dolly")}
    found = {
        "yaw": max(empty_share(tmp_path, Yaw=sign * most["Yaw"]["soft_max"]) for sign in (1, -1)),
        "back": empty_share(tmp_path, Dolly=most["Dolly"]["soft_min"]),
    }
    assert all(0.02 < share < 0.034 for share in found.values()), found


def test_cancelled_it_changes_nothing(shown):
    from blender_addon.operators.view import Measuring

    clip, _ = shown
    run = Measuring(bpy.context.scene, clip, 0.03)
    run.advance()
    run.cancel()
    while not run.advance():
        pass
    assert run.safe is None
    assert not [obj for obj in bpy.data.objects if "vdepth_measured" in obj]
