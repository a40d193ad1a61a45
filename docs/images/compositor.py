# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders compositor.png: footage, normalised depth, fog and relit, side by side. Runs under bpy 5.

vdepth estimate vdepth_core/demo/clip.mp4 -o JOB --normals --near 1 --far 8 --start-frame 1
python docs/images/compositor.py JOB
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np

HERE = Path(__file__).parent
FRAME, SCALE = 24, 0.475  # of the demo clip, and of its size
sys.path.insert(0, str(HERE.parents[1]))


def main() -> None:
    """Sets the demo clip up in the compositor and saves four of its outputs as one picture."""
    import blender_addon
    from blender_addon import compat
    from blender_addon.scene import compositor

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    blender_addon.register()
    scene = bpy.context.scene
    clip = bpy.data.movieclips.load(str(HERE.parents[1] / "vdepth_core/demo/clip.mp4"))
    clip.vdepth.manifest = str(Path(sys.argv[1]).resolve() / "manifest.json")
    scene.vdepth.clip = clip
    bpy.ops.vdepth.match_camera()
    bpy.ops.vdepth.setup_compositor()
    scene.frame_set(FRAME)
    scene.render.engine, scene.view_settings.view_transform = "BLENDER_WORKBENCH", "Standard"
    tree = compat.compositor_tree(scene)
    node = compositor.find_node(scene, clip)
    output = next(n for n in tree.nodes if n.type == "GROUP_OUTPUT")
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for name in ("Image", "Normalised", "Fog", "Relit"):
            tree.links.new(node.outputs[name], output.inputs[0])
            scene.render.filepath = str(Path(folder) / f"{name}.png")
            bpy.ops.render.render(write_still=True)
            parts.append(_pixels(scene.render.filepath))
    strip = np.concatenate(parts, 1)
    picture = bpy.data.images.new("strip", strip.shape[1], strip.shape[0])
    picture.pixels.foreach_set(strip.ravel())
    picture.filepath_raw, picture.file_format = str(HERE / "compositor.png"), "PNG"
    picture.save()


def _pixels(path: str) -> np.ndarray:
    image = bpy.data.images.load(path)
    image.scale(round(image.size[0] * SCALE), round(image.size[1] * SCALE))
    flat = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], 4)


if __name__ == "__main__":
    main()
