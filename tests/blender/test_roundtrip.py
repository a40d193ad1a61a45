"""From end to end: a scene's depth pass, as a result's files, as a mesh, rendered from the matched camera."""

import numpy as np
from depth_job import make_job, use_job

WIDTH, HEIGHT = 160, 90
SHIFT_X, SHIFT_Y, LENS = 0.04, -0.03, 35.0


def build_scene(bpy) -> None:
    """A floor, a slanted wall, two balls, and sky above."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera, camera.location, camera.rotation_euler = camera, (0, 0, 1.5), (1.4, 0, 0)
    camera.data.sensor_fit, camera.data.lens = "HORIZONTAL", LENS
    camera.data.shift_x, camera.data.shift_y = SHIFT_X, SHIFT_Y
    bpy.ops.mesh.primitive_plane_add(size=12, location=(0, 6, 0))
    bpy.ops.mesh.primitive_plane_add(size=4, location=(-2, 9, 1), rotation=(1.3, 0, 0.5))
    for place in ((0.7, 4, 0.8), (-0.8, 6, 1.0)):
        bpy.ops.mesh.primitive_uv_sphere_add(radius=0.7, location=place, segments=64, ring_count=32)


def render_depth(bpy, folder, name: str) -> np.ndarray:
    """Cycles' depth pass, (height, width), top row first; written to the folder."""
    from blender_addon import compat

    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
    scene.cycles.filter_width, scene.cycles.use_denoising = 0.01, False  # rays through pixels' centres
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    bpy.context.view_layer.use_pass_z = True
    compat.use_compositor_in_background(scene)
    tree = compat.ensure_compositor_tree(scene)
    tree.nodes.clear()
    compat.ensure_output_socket(tree)
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    compat.set_up_file_output(output, str(folder), {name: "NodeSocketFloat"})
    picture = tree.nodes.new(compat.output_node_id())
    tree.links.new(layers.outputs["Image"], picture.inputs[0])
    tree.links.new(layers.outputs["Depth"], output.inputs[0])
    scene.render.filepath = str(folder / "picture.png")
    scene.frame_start = scene.frame_end = 1
    bpy.ops.render.render(animation=True)
    image = bpy.data.images.load(str(next(folder.glob(f"{name}*1.exr"))))
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(WIDTH * HEIGHT * image.channels, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(HEIGHT, WIDTH, -1)[::-1, :, 0].copy()


def test_a_scene_comes_back_through_its_depth(blender, tmp_path):
    from blender_addon.scene.mesh import find_mesh, set_input

    build_scene(blender)
    truth = render_depth(blender, tmp_path, "truth")
    seen = truth < 1e9
    assert 0.5 < seen.mean() < 0.99
    fx = LENS / blender.context.scene.camera.data.sensor_width * WIDTH
    camera = {"fx": fx, "fy": fx, "cx": WIDTH / 2 - SHIFT_X * WIDTH, "cy": HEIGHT / 2 + SHIFT_Y * WIDTH}
    manifest = make_job(tmp_path, {1: truth}, camera)

    blender.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    clip, _ = use_job(blender, manifest)
    blender.ops.vdepth.build_mesh()
    for name, value in {"Stride": 1, "Tear": 0.1, "Fill": False}.items():
        set_input(find_mesh(clip), name, value)
    found = render_depth(blender, tmp_path, "found")

    hit = found < 1e9
    assert not np.any(hit & ~seen)  # nothing stands in the sky
    assert hit.sum() > 0.85 * seen.sum()
    error = np.abs(found - truth)[hit] / truth[hit]
    assert np.median(error) <= 1e-5
    assert np.quantile(error, 0.99) <= 1e-4
