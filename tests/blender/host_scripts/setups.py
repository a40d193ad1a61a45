"""Runs inside a real Blender: after each set-up of an argument's JSON, is a red ball in the picture?

blender --background --factory-startup --python setups.py -- FOLDER SETUPS.json ANSWER.json

FOLDER is a job's, with the clip plate.png beside; SETUPS maps names to operators of ours. ANSWER maps the
names to how many pixels are red, and "hidden" to that number with the ball behind the plate, through a Render
Layers node that the user made before there was a depth pass.
"""

import json
import sys
import traceback
from pathlib import Path

import bpy
from mathutils import Vector

sys.path.insert(0, str(Path(__file__).parents[3]))
import blender_addon

folder, setups, answer = (Path(word) for word in sys.argv[sys.argv.index("--") + 1 :])
RED = 0.5


def prepare(distance):
    """Blender's first scene without its cube, the clip, and a glowing ball before the camera."""
    from blender_addon import compat

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    scene = bpy.context.scene
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    clip = bpy.data.movieclips.load(str(folder / "plate.png"))
    clip.vdepth.manifest = str(folder / "manifest.json")
    scene.vdepth.clip = clip
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 4, False
    scene.view_settings.view_transform = "Standard"
    bpy.ops.vdepth.match_camera()
    scene.frame_set(1)
    place = scene.camera.matrix_world @ Vector((0.0, 0.0, -distance))
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.12 * distance, location=place)
    material = bpy.data.materials.new("Red")
    tree = compat.shader_tree(material)
    tree.nodes.clear()
    glow, output = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    glow.inputs["Color"].default_value = (0.8, 0.0, 0.0, 1.0)
    tree.links.new(glow.outputs[0], output.inputs["Surface"])
    bpy.context.view_layer.objects.active.data.materials.append(material)
    return scene


def red(scene):
    """Pixels that are red in what F12 writes."""
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(answer.with_suffix(".png"))
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    values = list(image.pixels)
    bpy.data.images.remove(image)
    return sum(r > RED > 2 * b for r, b in zip(values[0::4], values[2::4], strict=True))


def users_layers(scene):
    """A Render Layers node right at the output, made while there was no depth pass."""
    from blender_addon import compat

    scene.view_layers[0].use_pass_z = False
    tree = compat.ensure_compositor_tree(scene)
    compat.ensure_output_socket(tree)
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new(compat.output_node_id())
    tree.links.new(layers.outputs[0], output.inputs[0])


def main():
    """Writes the answer."""
    blender_addon.register()
    seen = {}
    for name, steps in json.loads(setups.read_text()).items():
        scene = prepare(3.0)
        for step in steps:
            if getattr(bpy.ops.vdepth, step)() != {"FINISHED"}:
                raise RuntimeError(f"{name}: {step} was cancelled")
        seen[name] = red(scene)
    scene = prepare(20.0)
    users_layers(scene)
    bpy.ops.vdepth.setup_compositor()
    seen["hidden"] = red(scene)
    answer.write_text(json.dumps(seen))


try:
    main()
except Exception:
    answer.write_text(json.dumps({"failed": traceback.format_exc()}))
    sys.exit(1)
