# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's compositor pass of a finished job, from Blender's Python: fog, and the depth as EXR.

vdepth estimate shot.mov -o depth/ --start-frame 1
blender --background --python examples/depth_pass_blender.py -- shot.mov depth/ 1 fog.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # of no use where the add-on is installed


def main(plate: Path, job: Path, frame: int, picture: Path, output: str = "Fog") -> None:
    """Renders one frame's ``output`` of the node group: Image, Depth, Normalised, Fog, Defocus …"""
    import blender_addon
    from blender_addon import compat
    from blender_addon.scene import compositor

    if not hasattr(bpy.types.Scene, "vdepth"):
        blender_addon.register()
    scene = bpy.context.scene
    clip = bpy.data.movieclips.load(str(plate.resolve()))
    clip.vdepth.manifest = str(job.resolve() / "manifest.json")
    scene.vdepth.clip = clip
    bpy.ops.vdepth.match_camera()  # lens, size, rate and range as the plate's
    bpy.ops.vdepth.setup_compositor()  # the node group, with your objects over the plate
    tree = compat.compositor_tree(scene)
    node = compositor.find_node(scene, clip)
    out = next(each for each in tree.nodes if each.type in {"GROUP_OUTPUT", "COMPOSITE"})
    tree.links.new(node.outputs[output], out.inputs[0])
    scene.frame_set(frame)
    scene.render.engine, scene.cycles.samples = "CYCLES", 16
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(picture.resolve())
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    words = sys.argv[sys.argv.index("--") + 1 :]
    main(Path(words[0]), Path(words[1]), int(words[2]), Path(words[3]))
