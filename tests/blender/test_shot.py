"""Set Up Shot: one button to a scene that objects render into; what goes along with the clip; two scenes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from depth_job import geometry, make_job, use_job

bpy = pytest.importorskip("bpy")
Vector = pytest.importorskip("mathutils").Vector

WIDTH, HEIGHT = 64, 48
CAMERA = {"fx": 64.0, "fy": 64.0, "cx": 33.0, "cy": 24.0}
DEMO = Path(__file__).parents[2] / "vdepth_core" / "demo" / "clip.mp4"
FRAMES = (1, 2, 3)


@pytest.fixture
def clip(blender, tmp_path):
    """A clip of three frames, 10, 20 and 30 far, in a scene like Blender's first."""
    depths = {number: np.full((HEIGHT, WIDTH), 10.0 * number, np.float32) for number in FRAMES}
    clip, _ = use_job(blender, make_job(tmp_path, depths, CAMERA, rate="25/1"))
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.location, camera.rotation_euler = (7.36, -6.93, 4.96), (1.1093, 0.0, 0.8149)
    return clip


def add_ball(distance: float, radius: float):
    """A red ball that glows, before the scene's camera."""
    from blender_addon import compat

    bpy.context.view_layer.update()
    place = bpy.context.scene.camera.matrix_world @ Vector((0, 0, -distance))
    bpy.ops.mesh.primitive_uv_sphere_add(radius=radius, segments=16, ring_count=8, location=place)
    material = bpy.data.materials.new("Red")
    tree = compat.shader_tree(material)
    tree.nodes.clear()
    glow, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    glow.inputs["Color"].default_value = (0.8, 0.0, 0.0, 1.0)
    tree.links.new(glow.outputs[0], output.inputs["Surface"])
    bpy.context.object.data.materials.append(material)


def rendered(folder) -> np.ndarray:
    """What F12 gives, (height, width, RGBA), linear."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 4, False
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(folder / "frame.exr")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    size = image.size[1], image.size[0], 4
    bpy.data.images.remove(image)
    return flat.reshape(size)


@pytest.mark.parametrize(("distance", "seen"), [(6.0, True), (14.0, False)])
def test_a_ball_is_there_after_one_button(clip, tmp_path, distance, seen):
    from blender_addon.scene.compositor import find_node
    from blender_addon.scene.mesh import find_mesh

    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}
    render = scene.render
    assert (render.resolution_x, render.resolution_y, render.fps) == (WIDTH, HEIGHT, 25)
    assert (scene.frame_start, scene.frame_end) == (1, 3)
    assert find_mesh(clip).parent == scene.camera
    assert find_node(scene, clip) is not None
    assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}, "again changes nothing"
    assert [obj.type for obj in scene.objects].count("MESH") == 1
    scene.frame_set(1)
    add_ball(distance, 1.0)
    red = (rendered(tmp_path)[..., 0] > 0.4).sum()
    assert (red > 50) == seen


def depth_now(mesh) -> float:
    points, _ = geometry(bpy, mesh)
    return float(-np.median(points[:, 2]))


@pytest.fixture
def mesh(clip):
    from blender_addon.scene.mesh import find_mesh, set_input

    bpy.ops.vdepth.build_mesh()
    mesh = find_mesh(clip)
    for name, value in {"Fill": False, "Tear": 1e9}.items():
        set_input(mesh, name, value)
    return mesh


def test_depth_goes_along_with_the_clip(clip, mesh):
    scene = bpy.context.scene
    scene.frame_set(2)
    assert depth_now(mesh) == pytest.approx(20)
    clip.frame_start = 101
    for frame, wanted in ((101, 10), (103, 30)):
        scene.frame_set(frame)
        assert depth_now(mesh) == pytest.approx(wanted)
    clip.frame_offset = 1
    scene.frame_set(101)
    assert depth_now(mesh) == pytest.approx(20)


def test_footage_goes_along_with_the_clip(blender, clip):
    from blender_addon.scene.footage import footage_material

    movie, scene = bpy.data.movieclips.load(str(DEMO)), bpy.context.scene
    bpy.ops.mesh.primitive_plane_add()
    bpy.context.object.data.materials.append(material := footage_material(movie))
    (node,) = (node for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
    for start, offset, frame, wanted in ((1, 0, 5, 5), (11, 2, 14, 6), (11, 0, 3, 1), (-9, 5, 99, 48)):
        movie.frame_start, movie.frame_offset = start, offset
        scene.frame_set(frame)
        user = node.image_user
        counted = min(max(frame - user.frame_start + 1, 1), user.frame_duration)  # as Blender counts
        assert counted + user.frame_offset == wanted


def test_size_and_range_the_user_set_stay_until_asked_for(clip):
    scene = bpy.context.scene
    assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end, scene.render.resolution_percentage) == (1, 3, 100)
    scene.frame_start, scene.frame_end, scene.render.resolution_percentage = 2, 2, 50
    assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end, scene.render.resolution_percentage) == (2, 2, 50)
    assert bpy.ops.vdepth.match_camera() == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end, scene.render.resolution_percentage) == (1, 3, 100)


def test_frames_the_user_set_stay(clip, mesh):
    from blender_addon.scene.mesh import set_input

    set_input(mesh, "Frame Offset", 1)
    bpy.ops.vdepth.build_mesh()
    bpy.context.scene.frame_set(1)
    assert depth_now(mesh) == pytest.approx(20)
    clip.frame_start = 101
    bpy.context.scene.frame_set(101)
    assert depth_now(mesh) == pytest.approx(20)


def test_a_second_scene_has_its_own_camera_and_mesh(clip, mesh):
    from blender_addon.scene.mesh import find_mesh

    first = bpy.context.scene
    other = bpy.data.scenes.new("Other")
    other.vdepth.clip = clip
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        assert find_mesh(clip) is None
        assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}
        theirs = find_mesh(clip)
        assert theirs.parent == other.camera
    assert first.camera != other.camera
    assert find_mesh(clip) == mesh
    assert mesh.parent == first.camera
    assert theirs.name not in first.objects


def test_a_mesh_that_left_its_scene_is_taken_up_again(clip, mesh):
    for collection in mesh.users_collection:
        collection.objects.unlink(mesh)
    bpy.ops.vdepth.build_mesh()
    assert mesh.name in bpy.context.scene.objects


def test_build_mesh_offers_to_match_a_foreign_camera(clip):
    from blender_addon.operators.mesh import VDEPTH_OT_build_mesh
    from blender_addon.scene.active import result_of
    from blender_addon.scene.match import foreign

    scene = bpy.context.scene
    asked = []
    manager = SimpleNamespace(invoke_props_dialog=lambda dialog: asked.append(dialog) or {"RUNNING_MODAL"})
    context = SimpleNamespace(scene=scene, window_manager=manager, space_data=None)
    question = SimpleNamespace(match=False, differs="", execute=lambda context: {"FINISHED"})
    assert VDEPTH_OT_build_mesh.invoke(question, context, None) == {"RUNNING_MODAL"}
    assert question.match
    assert question.differs == "Camera has another lens than the clip"
    assert bpy.ops.vdepth.build_mesh() == {"FINISHED"}, "a script is not asked"
    assert scene.camera.data.lens == pytest.approx(50)
    assert bpy.ops.vdepth.build_mesh(match=True) == {"FINISHED"}
    result = result_of(clip)
    camera = result.shots[0].camera
    assert foreign(scene, camera, WIDTH, HEIGHT) == ""
    assert VDEPTH_OT_build_mesh.invoke(question, context, None) == {"FINISHED"}
    scene.render.resolution_x *= 2
    assert foreign(scene, camera, WIDTH, HEIGHT) == "Renders have another shape than the clip"
