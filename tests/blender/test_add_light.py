"""Add Light: the plate times 1 + new light; without new light the plate as it is, in both engines."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from test_compositor_render import SIDE, add_ball, at, picture, plate, red  # noqa: E402, F401

PLAIN = np.array([0.0, 0.05127, 0.21586])  # of 8 bits
INNER = (slice(8, -2), slice(36, -2))  # the wall, away from its edges


def add_light(clip):
    """The mesh lit so; its settings' node."""
    from blender_addon.scene.mesh import find_mesh
    from blender_addon.scene.relight import added_light

    bpy.context.scene.vdepth.relight.mode = "ADD"
    bpy.ops.vdepth.build_mesh()
    assert bpy.ops.vdepth.setup_relight() == {"FINISHED"}
    return added_light(find_mesh(clip))


def lights():
    return [obj for obj in bpy.context.scene.objects if obj.type == "LIGHT"]


def test_it_is_the_default(blender) -> None:
    assert blender.context.scene.vdepth.relight.mode == "ADD"


@pytest.mark.parametrize("composited", [True, False])
@pytest.mark.parametrize("dark", ["strength", "lights"])
def test_without_new_light_the_picture_is_the_plate(plate, tmp_path, composited, dark) -> None:  # noqa: F811
    node = add_light(plate)
    if dark == "strength":
        node.inputs["Strength"].default_value = 0.0
    else:
        for obj in lights():
            obj.hide_render = True
    if composited:
        bpy.ops.vdepth.setup_compositor()
        rgba = picture(tmp_path)
        assert np.abs(rgba - [*rgba[2, 2, :3], 1.0]).max() < 1e-6, "to its last pixel, sky and edges too"
        assert rgba[2, 2, :3] == pytest.approx(PLAIN, abs=1e-3)
    else:
        assert np.abs(picture(tmp_path)[INNER][..., :3] - PLAIN).max() < 2e-3


def test_light_is_added_in_proportion_to_the_plate_and_its_strength(plate, tmp_path) -> None:  # noqa: F811
    node = add_light(plate)
    bpy.ops.vdepth.setup_compositor()
    gains = []
    for strength in (1.0, 2.0):
        node.inputs["Strength"].default_value = strength
        rgba = picture(tmp_path)
        gain = rgba[INNER][..., :3] / np.where(PLAIN > 0, PLAIN, 1) - 1
        gains.append(np.median(gain[..., 1:], (0, 1)))
        assert np.abs(rgba[:4, :, :3] - PLAIN).max() < 1e-3, "the sky is the plate's"
        assert rgba[..., 3] == pytest.approx(1, abs=1e-4)
    assert (gains[0] > 0.1).all()
    assert gains[1] == pytest.approx(2 * gains[0], rel=0.05)
    node.inputs["Colour"].default_value = (1.0, 0.0, 1.0, 1.0)
    assert picture(tmp_path)[INNER][..., 1] == pytest.approx(PLAIN[1], abs=1e-3)


def test_the_surface_casts_shadows_of_the_new_light_on_itself(plate, tmp_path) -> None:  # noqa: F811
    """A light beside the wall in front lights the background but where the wall is in its way."""
    from mathutils import Vector

    add_light(plate)
    bpy.ops.vdepth.setup_compositor()
    camera = bpy.context.scene.camera
    for obj in lights():
        obj.hide_render = True
    lamp = next(obj for obj in lights() if obj.name.startswith("Video Depth Key"))
    lamp.hide_render, lamp.data.size, lamp.data.energy = False, 0.05, 2e4
    place = camera.matrix_world @ Vector((1.5, 0.0, -1.0))
    target = camera.matrix_world @ Vector((-1.0, 0.0, -10.0))
    lamp.matrix_world = (target - place).to_track_quat("-Z", "Y").to_matrix().to_4x4()
    lamp.location = place
    shaded = picture(tmp_path)[12:-4, :30, 2]
    assert (shaded < PLAIN[2] * 1.01).mean() > 0.1
    assert (shaded > PLAIN[2] * 1.2).mean() > 0.1


def test_objects_stand_before_the_light_and_are_lit_by_it(plate, tmp_path) -> None:  # noqa: F811
    add_ball(-SIDE * 0.6, 0.0, 3.5)
    add_light(plate)
    bpy.ops.vdepth.setup_compositor()
    rgba = picture(tmp_path)
    assert at(rgba, -SIDE * 0.6, 0.0, 3.5)[0] > 0.7
    assert 60 < red(rgba) < 500


def test_a_new_view_shows_plate_and_light(plate, tmp_path) -> None:  # noqa: F811
    node = add_light(plate)
    bpy.ops.vdepth.setup_compositor()
    bpy.ops.vdepth.setup_view()
    node.inputs["Strength"].default_value = 0.0
    assert np.abs(picture(tmp_path)[INNER][..., :3] - PLAIN).max() < 2e-3


def test_undone_is_undone(plate) -> None:  # noqa: F811
    from blender_addon.scene.mesh import find_mesh

    bpy.ops.vdepth.build_mesh()
    mesh, world = find_mesh(plate), bpy.context.scene.world
    before = [m.name for m in mesh.modifiers], set(bpy.data.collections), set(bpy.data.objects)
    bpy.ops.vdepth.setup_relight()
    bpy.ops.vdepth.setup_compositor()
    bpy.ops.vdepth.setup_relight()
    assert bpy.ops.vdepth.unset_relight() == {"FINISHED"}
    bpy.ops.vdepth.remove_compositor()
    assert ([m.name for m in mesh.modifiers], set(bpy.data.collections), set(bpy.data.objects)) == before
    assert mesh.light_linking.receiver_collection is None
    assert bpy.context.scene.world == world
