"""The camera matched to a clip: what is seen where, exact rates, the range, and each by its toggle."""

from fractions import Fraction

import numpy as np
import pytest
from depth_job import make_job, use_job

CAMERA = {"fx": 150.0, "fy": 140.0, "cx": 75.0, "cy": 50.0}
TOGGLES = ("match_lens", "match_resolution", "match_rate", "match_range", "match_background")


@pytest.fixture
def clip(blender, tmp_path):
    """A clip of 160x90 whose movie starts at scene frame 101 and whose depth starts at number 1."""
    depths = {number: np.full((90, 160), 2.0, np.float32) for number in (1, 2, 3)}
    clip, _ = use_job(blender, make_job(tmp_path, depths, CAMERA, rate="24000/1001"))
    clip.frame_start = 101
    return clip


def test_the_scenes_camera_sees_points_where_the_plate_does(blender, clip):
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    assert blender.ops.vdepth.match_camera() == {"FINISHED"}
    scene = blender.context.scene
    blender.context.view_layer.update()
    for x, y, z in ((0.2, -0.3, 1.5), (-0.7, 0.4, 2.0), (0.0, 0.0, 9.0)):
        place = scene.camera.matrix_world @ Vector((x, -y, -z))
        seen = world_to_camera_view(scene, scene.camera, place)
        u, v = seen.x * 160, (1 - seen.y) * 90
        assert u == pytest.approx(CAMERA["fx"] * x / z + CAMERA["cx"], abs=1e-3)
        assert v == pytest.approx(CAMERA["fy"] * y / z + CAMERA["cy"], abs=1e-3)


def test_size_rate_range_and_background(blender, clip):
    blender.ops.vdepth.match_camera()
    scene, render = blender.context.scene, blender.context.scene.render
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (160, 90, 100)
    assert (render.fps, render.fps_base) == (24, pytest.approx(1.001))
    assert (scene.frame_start, scene.frame_end) == (101, 103)
    blender.ops.vdepth.match_camera()
    backgrounds = scene.camera.data.background_images
    assert [background.clip for background in backgrounds] == [clip]
    assert scene.camera.data.show_background_images


@pytest.mark.parametrize("toggle", TOGGLES)
def test_what_is_not_ticked_stays(blender, clip, toggle):
    def state():
        camera = scene.camera.data
        return {
            "match_lens": (camera.lens, camera.shift_x),
            "match_resolution": (render.resolution_x, render.pixel_aspect_y),
            "match_rate": render.fps_base,
            "match_range": scene.frame_start,
            "match_background": len(camera.background_images),
        }

    scene, render = blender.context.scene, blender.context.scene.render
    from blender_addon.scene.match import scene_camera

    scene_camera(blender.context)
    before = state()
    setattr(scene.vdepth.mesh, toggle, False)
    blender.ops.vdepth.match_camera()
    after = state()
    assert {name for name in TOGGLES if after[name] == before[name]} == {toggle}


@pytest.mark.parametrize("rate", ["24/1", "25/1", "30000/1001", "60000/1001", "12/1", "1/2"])
def test_rates_are_exact(blender, rate):
    from blender_addon.scene.match import match_rate

    match_rate(blender.context.scene, Fraction(rate))
    render = blender.context.scene.render
    assert Fraction(render.fps) / Fraction(render.fps_base).limit_denominator(1001) == Fraction(rate)


def test_the_meshs_own_lens_counts(blender, clip):
    from blender_addon.scene.mesh import find_mesh, set_input

    blender.ops.vdepth.build_mesh()
    set_input(find_mesh(clip), "fx", 300.0)
    blender.ops.vdepth.match_camera()
    camera = blender.context.scene.camera.data
    assert camera.lens == pytest.approx(300 / 160 * camera.sensor_width)


def test_a_scene_without_camera_gets_one_with_the_mesh(blender, clip):
    from blender_addon.scene.mesh import find_mesh

    blender.ops.vdepth.build_mesh()
    scene = blender.context.scene
    assert find_mesh(clip).parent == scene.camera
    assert scene.camera.data.lens == pytest.approx(150 / 160 * scene.camera.data.sensor_width)
