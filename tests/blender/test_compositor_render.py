"""The scene's render in the compositor: a ball over the plate, hidden by what is nearer in it."""

import json
import os
import subprocess
from array import array
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
Vector = pytest.importorskip("mathutils").Vector

WIDTH, HEIGHT = 64, 48
FAR, WALL, SKY = 10.0, 4.0, 1e10  # of the plate: background, a wall in its right half, its top rows
CAMERA = {"fx": 64.0, "fy": 64.0, "cx": WIDTH / 2, "cy": HEIGHT / 2}
HOST = os.environ.get("VDEPTH_BLENDER_HOST", "")
SIDE = 1.5  # of the ball from the camera's axis


@pytest.fixture
def plate(blender, tmp_path):
    """Blender's first scene but for its cube and world, and a blue plate with a wall in its right half."""
    from depth_job import make_job

    scene = bpy.context.scene
    for name, data, place in (
        ("Camera", bpy.data.cameras.new("Camera"), (7.36, -6.93, 4.96)),
        ("Light", bpy.data.lights.new("Light", "POINT"), (4.08, 1.01, 5.90)),
    ):
        scene.collection.objects.link(bpy.data.objects.new(name, data))
        bpy.data.objects[name].location = place
    scene.camera = bpy.data.objects["Camera"]
    scene.camera.rotation_euler = (1.1093, 0.0, 0.8149)
    bpy.data.lights["Light"].energy = 1000
    z = np.full((HEIGHT, WIDTH), FAR)
    z[:, WIDTH // 2 :] = WALL
    z[:6] = SKY
    manifest = make_job(tmp_path, {1: z}, CAMERA)
    image = bpy.data.images.new("plate", WIDTH, HEIGHT)
    image.pixels.foreach_set(array("f", [0.0, 0.25, 0.5, 1.0] * (WIDTH * HEIGHT)))
    image.filepath_raw, image.file_format = str(tmp_path / "plate.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    clip = bpy.data.movieclips.load(str(tmp_path / "plate.png"))
    clip.vdepth.manifest = str(manifest)
    scene.vdepth.clip = clip
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 8, False
    scene.view_settings.view_transform = "Standard"
    bpy.ops.vdepth.match_camera()
    scene.frame_set(1)
    return clip


def add_ball(x=0.0, y=0.0, z=6.0, radius=0.6):
    """A red ball that glows, at a place in the scene camera's space: right, up and away."""
    camera = bpy.context.scene.camera
    bpy.context.view_layer.update()
    bpy.ops.mesh.primitive_uv_sphere_add(
        radius=radius, segments=32, ring_count=16, location=camera.matrix_world @ Vector((x, y, -z))
    )
    ball = bpy.context.object
    ball.data.materials.append(red_glow())
    return ball


def red_glow():
    """A material of two nodes."""
    from blender_addon import compat

    material = bpy.data.materials.new("Red")
    tree = compat.shader_tree(material)
    tree.nodes.clear()
    glow, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    glow.inputs["Color"].default_value = (0.8, 0.0, 0.0, 1.0)
    tree.links.new(glow.outputs[0], output.inputs["Surface"])
    return material


def picture(folder, scene=None) -> np.ndarray:
    """What F12 gives, (height, width, RGBA) with the top row first, linear."""
    scene = scene or bpy.context.scene
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.filepath = str(folder / "frame.exr")
    bpy.ops.render.render(write_still=True, scene=scene.name)
    image = bpy.data.images.load(scene.render.filepath)
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    width, height = image.size
    bpy.data.images.remove(image)
    return flat.reshape(height, width, 4)[::-1]


def red(rgba: np.ndarray) -> int:
    """Pixels that are the ball's."""
    return int((rgba[..., 0] > 0.4).sum())


def at(rgba: np.ndarray, x: float, y: float, z: float) -> np.ndarray:
    """The pixel that shows a point of the camera's space."""
    row, column = HEIGHT / 2 - CAMERA["fy"] * y / z, WIDTH / 2 + CAMERA["fx"] * x / z
    return rgba[int(row), int(column)]


BLUE = pytest.approx([0.0, 0.0509, 0.2140, 1.0], abs=2e-3)


def test_a_ball_is_before_and_behind(plate, tmp_path) -> None:
    add_ball(-SIDE, 0.0, 6.0)
    add_ball(SIDE, 0.0, 6.0)
    add_ball(SIDE * 0.4, -0.8, 3.0, 0.2)
    add_ball(-SIDE * 2, -3.0, 12.0)
    assert bpy.ops.vdepth.setup_compositor() == {"FINISHED"}
    rgba = picture(tmp_path)
    assert at(rgba, -SIDE, 0, 6)[0] > 0.7, "before the background"
    assert list(at(rgba, SIDE, 0, 6)) == BLUE, "behind the wall"
    assert at(rgba, SIDE * 0.4, -0.8, 3)[0] > 0.7, "before the wall"
    assert list(at(rgba, -SIDE * 2, -3, 12)) == BLUE, "behind the background"
    assert list(rgba[2, 2]) == BLUE, "the sky is the plate's"
    assert np.allclose(rgba[..., 3], 1, atol=1e-4)


def test_edges_are_soft_and_whole(plate, tmp_path) -> None:
    """Across the wall's edge the ball fades over pixels; its own outline keeps the render's coverage."""
    add_ball(0.0, 0.0, 6.0, 1.2)
    bpy.ops.vdepth.setup_compositor()
    rgba = picture(tmp_path)
    row = rgba[HEIGHT // 2, :, 0] / 0.8
    step = row[WIDTH // 2 - 4 : WIDTH // 2 + 4]
    assert row[WIDTH // 2 - 8] > 0.97
    assert row[WIDTH // 2 + 5] < 0.02
    assert ((step > 0.05) & (step < 0.95)).sum() >= 2, "soft"
    bpy.context.scene.render.use_compositing = False
    alone = picture(tmp_path)
    left = slice(0, WIDTH // 2 - 5)
    expected = alone[:, left, :3] + (1 - alone[:, left, 3:]) * np.array([0.0, 0.0509, 0.2140])
    assert np.abs(rgba[:, left, :3] - expected).max() < 0.02, "nothing eaten off the outline"


@pytest.fixture
def grainy(plate, tmp_path):
    """A clip as sharp as can be, before a slope; its mesh and composite, without caught shadows."""
    from depth_job import make_job

    image = bpy.data.images.new("grain", WIDTH, HEIGHT)
    grain = np.ones((HEIGHT, WIDTH, 4), np.float32)
    grain[..., :3] = np.random.default_rng(3).uniform(0.1, 0.4, (HEIGHT, WIDTH, 3))
    image.pixels.foreach_set(grain.ravel())
    image.filepath_raw, image.file_format = str(tmp_path / "grain.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    scene = bpy.context.scene
    clip = scene.vdepth.clip = bpy.data.movieclips.load(str(tmp_path / "grain.png"))
    slope = np.geomspace(FAR, WALL, WIDTH)[None].repeat(HEIGHT, 0)
    (tmp_path / "slope").mkdir()
    clip.vdepth.manifest = str(make_job(tmp_path / "slope", {1: slope}, CAMERA))
    scene.vdepth.compositor.catch_shadows = False
    scene.cycles.samples = 2
    assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}
    return scene.objects[clip.name + " Depth"]


def test_the_mesh_never_softens_the_plate(grainy, tmp_path) -> None:
    """Where the mesh catches no shadows it is no second picture over the plate, and still hides the ball."""
    scene = bpy.context.scene
    assert not scene.view_layers[0].cycles.use_pass_shadow_catcher, "a light is no catcher"
    whole = picture(tmp_path)
    grainy.hide_render = True
    alone = picture(tmp_path)
    assert alone[..., :3].std() > 0.02
    assert np.abs(whole - alone).max() < 1e-5
    grainy.hide_render = False
    ball = add_ball(SIDE, 0.0, 8.0, 0.3)
    assert red(picture(tmp_path)) == 0, "behind the slope"
    ball.location = scene.camera.matrix_world @ Vector((-SIDE, 0, -5))
    before = picture(tmp_path)
    assert red(before) > 20
    assert np.abs(before - alone)[:, WIDTH // 2 :].max() < 1e-5


def test_the_mesh_is_seen_where_the_plate_is_not(grainy, tmp_path) -> None:
    """By another camera, without the composite, as a copy, and after the composite was removed."""
    scene, inner = bpy.context.scene, (slice(6, -6), slice(20, -6))
    plate = picture(tmp_path)
    scene.render.use_compositing = False
    assert np.abs(picture(tmp_path) - plate)[inner][..., :3].mean() < 0.05
    scene.render.use_compositing = True
    camera = scene.camera
    other = scene.camera = camera.copy()
    scene.collection.objects.link(other)
    other.matrix_world = camera.matrix_world
    other.location += camera.matrix_world.to_quaternion() @ Vector((1, 0, 0))
    bpy.ops.vdepth.setup_compositor()
    assert np.abs(picture(tmp_path) - plate)[inner].mean() > 0.01, "it moved"
    scene.camera = camera
    copy = grainy.copy()
    copy.modifiers.remove(next(m for m in copy.modifiers if m.name == "Video Depth Light"))
    scene.collection.objects.link(copy)
    grainy.hide_render = True
    assert picture(tmp_path)[inner][..., :3].max() < 0.6, "not added to the plate"
    bpy.data.objects.remove(copy)
    grainy.hide_render = False
    trees = {
        material.name: len(material.node_tree.nodes) for material in bpy.data.materials if material.node_tree
    }
    bpy.ops.vdepth.setup_compositor()
    for name, count in trees.items():
        assert len(bpy.data.materials[name].node_tree.nodes) == count, "once is enough"
    assert bpy.ops.vdepth.remove_compositor() == {"FINISHED"}
    assert not grainy.animation_data or not grainy.animation_data.drivers.find(
        'modifiers["Video Depth Light"].show_render'
    )
    assert picture(tmp_path)[inner][..., :3].mean() == pytest.approx(plate[inner][..., :3].mean(), rel=0.1)


def test_a_scene_without_the_composite_shows_the_mesh(grainy, tmp_path) -> None:
    """The mesh is another scene's too: that one has no plate to show instead."""
    scene, inner = bpy.context.scene, (slice(6, -6), slice(20, -6))
    plate = picture(tmp_path)
    other = bpy.data.scenes.new("Other")
    for each in (grainy, scene.camera):
        other.collection.objects.link(each)
    other.camera = scene.camera
    other.render.engine, other.cycles.samples = "CYCLES", 2
    other.render.resolution_x, other.render.resolution_y = WIDTH, HEIGHT
    other.view_settings.view_transform = "Standard"
    assert np.abs(picture(tmp_path, other) - plate)[inner][..., :3].mean() < 0.05
    assert np.array_equal(picture(tmp_path), plate)
    copy = scene.copy()
    assert np.abs(picture(tmp_path, copy) - plate).max() < 1e-5, "with its composite"
    keys = set(scene.keys())
    assert bpy.ops.vdepth.remove_compositor() == {"FINISHED"}
    assert "vdepth_composited" in keys - set(scene.keys())


def test_one_of_two_clips_is_removed_whole(grainy, plate) -> None:
    scene = bpy.context.scene
    first, scene.vdepth.clip = scene.vdepth.clip, plate
    assert bpy.ops.vdepth.setup_shot() == {"FINISHED"}
    scene.vdepth.clip = first
    assert len(grainy.modifiers) == 2
    assert bpy.ops.vdepth.remove_compositor() == {"FINISHED"}
    assert [m.name for m in grainy.modifiers] == ["Video Depth"]
    assert len(scene.objects[plate.name + " Depth"].modifiers) == 2, "the other's stays"


@pytest.mark.parametrize("crop", [False, True])
def test_a_part_of_the_frame_is_the_plate_s_too(grainy, tmp_path, crop) -> None:
    render = bpy.context.scene.render
    render.use_border, render.use_crop_to_border = True, crop
    render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = (
        0.25,
        0.75,
        0.25,
        0.75,
    )
    part = picture(tmp_path)
    grainy.hide_render = True
    assert np.abs(part - picture(tmp_path)).max() < 1e-5


def test_a_material_of_the_user_s_own_stays(grainy, tmp_path) -> None:
    from blender_addon.scene.mesh import set_input

    material = red_glow()
    set_input(grainy, "Footage", material)
    bpy.ops.vdepth.setup_compositor()
    assert len(material.node_tree.nodes) == 2
    assert red(picture(tmp_path)) > 1000


def test_a_ball_in_the_sky_is_seen(plate, tmp_path) -> None:
    add_ball(-3.0, 30.0 * 21 / 64, 30.0, 1.5)
    bpy.ops.vdepth.setup_compositor()
    assert at(picture(tmp_path), -3.0, 30.0 * 21 / 64, 30.0)[0] > 0.7


def test_half_size_renders_fit(plate, tmp_path) -> None:
    add_ball(-SIDE, 0.0, 6.0)
    add_ball(SIDE, 0.0, 6.0)
    bpy.ops.vdepth.setup_compositor()
    bpy.context.scene.render.resolution_percentage = 50
    rgba = picture(tmp_path)
    assert rgba.shape == (HEIGHT // 2, WIDTH // 2, 4)
    assert rgba[HEIGHT // 4, WIDTH // 4 - 8, 0] > 0.7
    assert list(rgba[HEIGHT // 4, WIDTH // 4 + 8]) == BLUE
    assert list(rgba[1, -2]) == BLUE


SETUPS = {
    "compositor": ["setup_compositor"],
    "match": ["match_camera", "setup_compositor"],
    "mesh": ["build_mesh", "setup_compositor"],
    "mesh after": ["setup_compositor", "build_mesh"],
    "relight": ["build_mesh", "setup_relight", "setup_compositor"],
    "relight after": ["build_mesh", "setup_compositor", "setup_relight"],
    "view": ["build_mesh", "setup_view", "setup_compositor"],
    "view after": ["build_mesh", "setup_compositor", "setup_view"],
    "twice": ["setup_compositor", "build_mesh", "setup_compositor"],
    "removed": ["build_mesh", "setup_compositor", "remove_compositor"],
    "shot": ["setup_shot"],
    "shot and relight": ["setup_shot", "setup_relight"],
    "shot and view": ["setup_shot", "setup_view"],
}


@pytest.mark.parametrize("steps", SETUPS.values(), ids=SETUPS)
def test_the_ball_is_there_after_every_button(plate, tmp_path, steps) -> None:
    add_ball(-SIDE * 0.6, 0.0, 3.5)
    for step in steps:
        assert getattr(bpy.ops.vdepth, step)() == {"FINISHED"}
    assert 60 < red(picture(tmp_path)) < 500


@pytest.mark.parametrize("suite", ["trixie", "sid"])
@pytest.mark.skipif(not HOST, reason="VDEPTH_BLENDER_HOST names no launcher of real Blenders")
def test_the_ball_is_there_in_a_real_blender(plate, tmp_path, suite) -> None:
    """Blender 4.3 and 5.2, from their first scene; and a Render Layers node of the user's gets its depth."""
    setups, answer = tmp_path / "setups.json", tmp_path / "answer.json"
    setups.write_text(json.dumps(SETUPS))
    script = Path(__file__).parent / "host_scripts" / "setups.py"
    words = ["--background", "--factory-startup", "--python", str(script), "--"]
    done = subprocess.run(
        ["bash", HOST, "run", suite, *words, str(tmp_path), str(setups), str(answer)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.is_file(), done.stdout + done.stderr
    seen = json.loads(answer.read_text())
    assert "failed" not in seen, seen["failed"]
    assert seen.pop("hidden") == 0
    assert seen.keys() == SETUPS.keys()
    assert all(60 < count < 500 for count in seen.values()), seen


@pytest.mark.parametrize("mode", ["DIFFUSE", "CATCHER"])
def test_relit_pictures_stay(plate, tmp_path, mode) -> None:
    """What relighting renders is what the composite shows: a lit plate, or shadows on it."""
    add_ball(-SIDE * 0.6, 0.0, 3.5)
    scene = bpy.context.scene
    scene.vdepth.relight.mode = mode
    bpy.ops.vdepth.build_mesh()
    bpy.ops.vdepth.setup_relight()
    lit = picture(tmp_path)
    bpy.ops.vdepth.setup_compositor()
    rgba = picture(tmp_path)
    assert red(rgba) > 60
    inner = (slice(10, -4), slice(36, -4))  # the wall
    if mode == "DIFFUSE":
        assert np.allclose(rgba[inner][..., :3], lit[inner][..., :3], atol=0.05)
    else:
        plain = np.array([0.0, 0.0509, 0.2140])
        assert np.median(rgba[..., 2]) == pytest.approx(plain[2], abs=0.02)
        assert (rgba[..., 2] < 0.8 * plain[2]).sum() > red(rgba), "a shadow falls on the plate"
    assert bpy.ops.vdepth.unset_relight() == {"FINISHED"}
    assert not scene.objects[plate.name + " Depth"].is_shadow_catcher or scene.vdepth.compositor.catch_shadows


def test_a_new_view_stays_the_render(plate, tmp_path) -> None:
    from blender_addon.scene.mesh import find_mesh
    from blender_addon.scene.view import find_rig

    add_ball(-SIDE * 0.6, 0.0, 3.5)
    bpy.ops.vdepth.build_mesh()
    bpy.ops.vdepth.setup_view()
    pivot, _ = find_rig(find_mesh(plate))
    pivot["Yaw"] = 0.05
    pivot.update_tag()
    before = picture(tmp_path)
    bpy.ops.vdepth.setup_compositor()
    assert not bpy.context.scene.render.film_transparent
    assert np.allclose(picture(tmp_path), before, atol=2e-3)


def test_the_mesh_takes_shadows_and_gives_them_back(plate, tmp_path) -> None:
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("Grey")
    ball = add_ball(-SIDE, 0.0, 8.5)
    light = bpy.data.objects["Light"]
    light.data.energy, light.location = 5000, scene.camera.location
    light.data.shadow_soft_size = 0.01
    bpy.ops.vdepth.build_mesh()
    mesh = scene.objects[plate.name + " Depth"]
    footage = mesh.modifiers[0].node_group
    bpy.ops.vdepth.setup_compositor()
    assert mesh.is_shadow_catcher
    light.location = scene.camera.matrix_world @ Vector((-4.0, 0.0, 0.0))
    with_ball = picture(tmp_path)
    ball.hide_render = True
    without = picture(tmp_path)
    assert np.allclose(without[10:-4, 4:-4, 2], 0.2140, atol=0.02), "light alone leaves the plate as it is"
    assert ((with_ball[..., 2] < 0.12) & (with_ball[..., 0] < 0.05)).sum() > 20, "a shadow"
    bpy.ops.vdepth.remove_compositor()
    assert not mesh.is_shadow_catcher
    assert not scene.render.film_transparent
    assert mesh.modifiers[0].node_group == footage


def test_another_engine_does_without_shadows(plate, tmp_path) -> None:
    """The pass is Cycles' own: without it the plate must not turn black."""
    from blender_addon import compat
    from blender_addon.scene.compositor import find_node

    bpy.ops.vdepth.build_mesh()
    bpy.ops.vdepth.setup_compositor()
    node = find_node(bpy.context.scene, plate)
    assert node.inputs["Shadows"].is_linked
    bpy.context.scene.render.engine = compat.eevee_id()
    bpy.ops.vdepth.setup_compositor()
    assert not node.inputs["Shadows"].is_linked
    assert not bpy.context.scene.objects[plate.name + " Depth"].is_shadow_catcher


def test_blenders_own_wiring_is_taken_and_given_back(plate, tmp_path) -> None:
    from blender_addon import compat
    from blender_addon.scene.compositor import find_node

    scene = bpy.context.scene
    tree = compat.ensure_compositor_tree(scene)
    del tree["vdepth_nodes_before"]
    compat.ensure_output_socket(tree)
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new(compat.output_node_id())
    tree.links.new(layers.outputs[0], output.inputs[0])
    add_ball(-SIDE, 0.0, 6.0)
    for _ in range(2):
        bpy.ops.vdepth.setup_compositor()
        node = find_node(scene, plate)
        assert output.inputs[0].links[0].from_socket == node.outputs["Composite"]
        assert node.inputs["Render"].links[0].from_node == layers
    assert [n.bl_idname for n in tree.nodes].count("CompositorNodeRLayers") == 1
    rgba = picture(tmp_path)
    assert at(rgba, -SIDE, 0, 6)[0] > 0.7
    assert list(at(rgba, SIDE, 0, 6)) == BLUE
    bpy.ops.vdepth.remove_compositor()
    assert output.inputs[0].links[0].from_node == layers


def test_depth_follows_the_meshs_scale_and_shift(plate, tmp_path) -> None:
    from blender_addon.scene.mesh import find_mesh, set_input

    add_ball(SIDE, 0.0, 6.0)
    bpy.ops.vdepth.build_mesh()
    set_input(find_mesh(plate), "Scale", 2.0)
    set_input(find_mesh(plate), "Shift", 0.01)
    bpy.ops.vdepth.setup_compositor()
    assert at(picture(tmp_path), SIDE, 0, 6)[0] > 0.7, "the wall is at 7.7 now"


def test_scale_and_shift_follow_the_meshs_over_its_shots(plate, tmp_path) -> None:
    """Keyed on the mesh shot by shot, they are the compositor's at every frame, and the user's own stay."""
    from blender_addon import compat
    from blender_addon.scene.compositor import find_node
    from blender_addon.scene.mesh import find_mesh, identifier_of, modifier_of, set_input

    add_ball(SIDE, 0.0, 6.0)
    scene = bpy.context.scene
    bpy.ops.vdepth.build_mesh()
    mesh = find_mesh(plate)
    path = compat.modifier_input_path(modifier_of(mesh), identifier_of(mesh, "Scale"))
    for frame, scale in ((2, 2.0), (1, 1.0)):
        set_input(mesh, "Scale", scale)
        mesh.keyframe_insert(path, frame=frame)
    bpy.ops.vdepth.setup_compositor()
    scene.frame_set(2)
    assert at(picture(tmp_path), SIDE, 0, 6)[0] > 0.7, "the wall is at 8 now"
    scene.frame_set(1)
    assert list(at(picture(tmp_path), SIDE, 0, 6)) == BLUE
    node = find_node(scene, plate)
    node.inputs["Scale"].driver_remove("default_value")
    node.inputs["Scale"].default_value = 3.0
    bpy.ops.vdepth.setup_compositor()
    scene.frame_set(2)
    scene.frame_set(1)
    assert node.inputs["Scale"].default_value == 3.0


def test_two_clips_are_sorted_by_depth(plate, tmp_path) -> None:
    """The second clip's composite takes the first's for its render: what is nearest is seen."""
    from depth_job import make_job

    from blender_addon import compat
    from blender_addon.scene.compositor import find_node

    scene = bpy.context.scene
    add_ball(-SIDE * 0.2, 0.9, 3.0, 0.3)
    bpy.ops.vdepth.setup_compositor()
    folder = tmp_path / "second"
    folder.mkdir()
    z = np.full((HEIGHT, WIDTH), SKY)
    z[HEIGHT // 2 :] = 6.0  # its lower half: before the background, behind the wall
    manifest = make_job(folder, {1: z}, CAMERA)
    image = bpy.data.images.new("green", WIDTH, HEIGHT)
    image.pixels.foreach_set(array("f", [0.0, 0.5, 0.0, 1.0] * (WIDTH * HEIGHT)))
    image.filepath_raw, image.file_format = str(folder / "plate.png"), "PNG"
    image.save()
    second = bpy.data.movieclips.load(str(folder / "plate.png"))
    second.vdepth.manifest = str(manifest)
    scene.vdepth.clip = second
    for _ in range(2):
        bpy.ops.vdepth.setup_compositor()
    first, last = find_node(scene, plate), find_node(scene, second)
    assert last.inputs["Render"].links[0].from_node == first
    rgba = picture(tmp_path)
    assert rgba[HEIGHT - 5, 5, 1] > 0.15, "the second clip before the first's background"
    assert list(rgba[HEIGHT - 5, WIDTH - 5]) == BLUE, "and behind its wall"
    assert red(rgba) > 20
    output = next(n for n in compat.compositor_tree(scene).nodes if n.bl_idname == compat.output_node_id())
    bpy.ops.vdepth.remove_compositor()
    assert output.inputs[0].links[0].from_node == first
    assert list(picture(tmp_path)[HEIGHT - 5, 5]) == BLUE


def test_the_users_own_render_layers_get_a_depth(plate, tmp_path) -> None:
    """A node made while the layer had no depth pass."""
    from blender_addon import compat

    scene = bpy.context.scene
    scene.view_layers[0].use_pass_z = False
    tree = compat.ensure_compositor_tree(scene)
    compat.ensure_output_socket(tree)
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new(compat.output_node_id())
    tree.links.new(layers.outputs[0], output.inputs[0])
    add_ball(SIDE, 0.0, 6.0)
    bpy.ops.vdepth.setup_compositor()
    assert list(at(picture(tmp_path), SIDE, 0, 6)) == BLUE, "behind the wall"
