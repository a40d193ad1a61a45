# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders compositor.png (footage, depth, fog, relit) and strip.jpg (plate, depth, fog, mesh) under bpy 5.

vdepth estimate vdepth_core/demo/clip.mp4 -o JOB --normals --near 1 --far 8 --start-frame 1 --fov 63.6549
python docs/images/pictures.py JOB
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np

HERE = Path(__file__).parent
FRAME, SCALE = 24, 0.475  # of the demo clip, and of its size
YAW, PITCH, DOLLY = math.radians(6), math.radians(4), -0.5  # of the strip's look at the mesh
sys.path.insert(0, str(HERE.parents[1]))


def main() -> None:
    """Sets the demo clip up in the compositor and as a mesh, and saves their outputs side by side."""
    import blender_addon

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    blender_addon.register()
    scene = bpy.context.scene
    clip = bpy.data.movieclips.load(str(HERE.parents[1] / "vdepth_core/demo/clip.mp4"))
    clip.vdepth.manifest = str(Path(sys.argv[1]).resolve() / "manifest.json")
    scene.vdepth.clip = clip
    bpy.ops.vdepth.match_camera()
    scene.frame_set(FRAME)
    scene.view_settings.view_transform = "Standard"
    with tempfile.TemporaryDirectory() as folder:
        mesh = _mesh(scene, clip, Path(folder))
        plate, depth, fog, relit = _composited(scene, clip, Path(folder))
    _save([plate, depth, fog, relit], "compositor.png", "PNG")
    _save([plate, depth, fog, mesh], "strip.jpg", "JPEG")


def _composited(scene: Any, clip: Any, folder: Path) -> list[np.ndarray]:
    from blender_addon import compat
    from blender_addon.scene import compositor

    bpy.ops.vdepth.setup_compositor()
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    tree = compat.compositor_tree(scene)
    node = compositor.find_node(scene, clip)
    output = next(n for n in tree.nodes if n.type == "GROUP_OUTPUT")
    parts = []
    for name in ("Image", "Normalised", "Fog", "Relit"):
        tree.links.new(node.outputs[name], output.inputs[0])
        parts.append(_render(scene, folder / f"{name}.png"))
    return parts


def _mesh(scene: Any, clip: Any, folder: Path) -> np.ndarray:
    """The mesh from beside and above, a step back, so that it is seen to be one."""
    from blender_addon.scene.mesh import find_mesh
    from blender_addon.scene.view import find_rig

    bpy.ops.vdepth.build_mesh()
    bpy.ops.vdepth.setup_view()
    pivot, camera = find_rig(find_mesh(clip))
    pivot["Yaw"], pivot["Pitch"], pivot["Dolly"] = YAW, PITCH, DOLLY
    pivot.update_tag()
    bpy.context.view_layer.update()
    scene.camera, scene.render.film_transparent = camera, False
    scene.render.engine, scene.cycles.samples = "CYCLES", 32
    scene.world = bpy.data.worlds.new("Grey")
    scene.world.color = (0.03, 0.03, 0.035)
    picture = _render(scene, folder / "mesh.png")
    find_mesh(clip).hide_render = True  # the compositor's pictures are without it
    return picture


def _render(scene: Any, path: Path) -> np.ndarray:
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    image.scale(round(image.size[0] * SCALE), round(image.size[1] * SCALE))
    flat = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], 4)


def _save(parts: list[np.ndarray], name: str, kind: str) -> None:
    strip = np.concatenate(parts, 1)
    picture = bpy.data.images.new(name, strip.shape[1], strip.shape[0])
    picture.pixels.foreach_set(strip.ravel())
    picture.filepath_raw, picture.file_format = str(HERE / name), kind
    picture.save(quality=92)


if __name__ == "__main__":
    main()
