# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot without a window: depth, camera, mesh and compositor, a ball in the plate, one frame rendered.

blender --background --factory-startup --python-exit-code 1 --python examples/shot_blender.py --
    CLIP FOLDER FRAME OUT.png

An error ends Blender with that exit code, after one sentence of the add-on's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
from mathutils import Vector

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # of no use where the add-on is installed


def main(clip: Path, folder: Path, frame: int, out: Path) -> None:
    """Estimates, sets the shot up and renders a frame of it.

    Args:
        clip: Movie, or one image of a sequence.
        folder: Where the depth goes; a finished job of the clip there is taken as it is.
        frame: Of the scene.
        out: Picture to write.
    """
    if not hasattr(bpy.types.Scene, "vdepth"):
        import blender_addon

        blender_addon.register()
    scene = bpy.context.scene
    if cube := bpy.data.objects.get("Cube"):
        bpy.data.objects.remove(cube)
    settings = scene.vdepth
    settings.source, settings.filepath, settings.folder = "FILE", str(clip), str(folder)
    settings.preset = "draft"
    bpy.ops.vdepth.estimate()  # an operator's error is a RuntimeError
    scene.render.engine, scene.cycles.samples = "CYCLES", 16  # before the shot is set up, which asks for it
    bpy.ops.vdepth.setup_shot()
    scene.view_settings.view_transform = "Standard"
    scene.frame_set(frame)
    place = scene.camera.matrix_world @ Vector((0.0, 0.0, -2.0))
    bpy.ops.object.light_add(type="SUN", rotation=scene.camera.rotation_euler)
    bpy.context.object.data.energy = 3.0
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.2, location=place)
    bpy.ops.object.shade_smooth()
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format, scene.render.filepath = "PNG", str(out)
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    words = sys.argv[sys.argv.index("--") + 1 :]
    main(Path(words[0]), Path(words[1]), int(words[2]), Path(words[3]))
