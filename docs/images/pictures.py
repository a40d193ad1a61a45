# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the pictures of these pages that need no window, from the demo clip, under bpy 5.

vdepth estimate vdepth_core/demo/clip.mp4 -o JOB --normals --near 1 --far 8 --start-frame 1 --fov 63.6549
vdepth estimate ... -o SOFT --no-sharpen    (the same otherwise; for silhouette.png)
python docs/images/pictures.py JOB [--soft SOFT] [--only cg relight ...]
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

HERE = Path(__file__).parent
FRAME, SCALE = 24, 0.475  # of the demo clip, and of its size
YAW, PITCH, DOLLY = math.radians(3), math.radians(2), -0.4  # of the strip's look at the mesh
CROP = (150, 180, 160, 120)  # left, top, width and height of what is shown twice as large
BALLS = {
    "Behind": ((255, 230), 1.9, 0.2, (0.8, 0.05, 0.02)),
    "Before": ((500, 290), 1.1, 0.1, (0.02, 0.2, 0.8)),
}
"""Pixel, depth, radius and colour: one behind the monkey, one before the chair."""
AMPLIFIED = 8
sys.path.insert(0, str(HERE.parents[1]))


def main() -> None:
    """Makes the pictures that are asked for, each in a fresh scene."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", type=Path)
    parser.add_argument("--soft", type=Path, help="the job without sharpening")
    parser.add_argument("--only", nargs="+", choices=list(PICTURES), default=list(PICTURES))
    options = parser.parse_args()
    import blender_addon

    blender_addon.register()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            job = options.soft if name == "soft" else options.job
            PICTURES[name](_Stage(job, Path(folder)))


class _Stage:
    """A scene with the demo clip and its depth, the camera matched."""

    def __init__(self, job: Path, folder: Path) -> None:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        self.scene, self.folder, self._count = bpy.context.scene, folder, 0
        self.clip = bpy.data.movieclips.load(str(HERE.parents[1] / "vdepth_core/demo/clip.mp4"))
        self.clip.vdepth.manifest = str(job.resolve() / "manifest.json")
        self.scene.vdepth.clip = self.clip
        bpy.ops.vdepth.match_camera()
        self.scene.frame_set(FRAME)
        self.scene.view_settings.view_transform = "Standard"
        self.scene.render.engine, self.scene.cycles.samples = "CYCLES", 16
        self.scene.cycles.use_denoising = False

    def mesh(self) -> Any:
        """The clip's mesh, as fine as the plate in renders."""
        from blender_addon.scene.mesh import find_mesh

        bpy.ops.vdepth.build_mesh()
        return find_mesh(self.clip)

    def render(self) -> np.ndarray:
        """The picture (height, width, 4) in 0..1 as it is shown, bottom row first."""
        self._count += 1
        self.scene.render.filepath = str(self.folder / f"{self.clip.name}_{self._count}.png")
        bpy.ops.render.render(write_still=True)
        return _pixels(Path(self.scene.render.filepath))

    def output(self, name: str) -> np.ndarray:
        """An output of the clip's compositor group."""
        from blender_addon import compat
        from blender_addon.scene import compositor

        tree, node = compat.compositor_tree(self.scene), compositor.find_node(self.scene, self.clip)
        end = next(n for n in tree.nodes if n.type == "GROUP_OUTPUT")
        tree.links.new(node.outputs[name], end.inputs[0])
        return self.render()

    def look(self, yaw: float, pitch: float = 0.0, dolly: float = 0.0) -> None:
        """Renders from the rig's camera."""
        from blender_addon.scene.mesh import find_mesh
        from blender_addon.scene.view import find_rig

        pivot, camera = find_rig(find_mesh(self.clip))
        pivot["Yaw"], pivot["Pitch"], pivot["Dolly"] = yaw, pitch, dolly
        pivot.update_tag()
        bpy.context.view_layer.update()
        self.scene.camera = camera


def _strip(stage: _Stage) -> None:
    """compositor.png and strip.jpg: footage, depth, fog, relit; and the mesh."""
    bpy.ops.vdepth.setup_compositor()
    stage.scene.cycles.samples = 1
    parts = [_small(stage.output(name)) for name in ("Image", "Normalised", "Fog", "Relit")]
    _save(parts, "compositor.png")
    _save([*parts[:3], _small(_beside(_Stage(_job(stage), stage.folder)))], "strip.jpg")


def _mesh(stage: _Stage) -> None:
    _save([_beside(stage)], "mesh.jpg")


def _beside(stage: _Stage) -> np.ndarray:
    """The mesh from beside and above, a step back, so that it is seen to be one."""
    stage.mesh()
    bpy.ops.vdepth.setup_view()
    stage.look(YAW, PITCH, DOLLY)
    stage.scene.render.film_transparent = False
    stage.scene.world = bpy.data.worlds.new("Grey")
    stage.scene.world.color = (0.03, 0.03, 0.035)
    return stage.render()


def _cg(stage: _Stage) -> None:
    """Balls of the scene in the plate, and where the monkey hides one, twice as large."""
    from blender_addon import compat

    camera = stage.scene.camera
    for name, ((u, v), depth, radius, colour) in BALLS.items():
        ray = Vector(((u - 320) / 515.56 * depth, -(v - 180) / 515.56 * depth, -depth))
        bpy.ops.mesh.primitive_uv_sphere_add(
            radius=radius, segments=64, ring_count=32, location=camera.matrix_world @ ray
        )
        ball = bpy.context.object
        bpy.ops.object.shade_smooth()
        ball.name, material = name, bpy.data.materials.new(name)
        shader = next(n for n in compat.shader_tree(material).nodes if n.type == "BSDF_PRINCIPLED")
        shader.inputs["Base Color"].default_value = (*colour, 1)
        ball.data.materials.append(material)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3.0, (math.radians(40), math.radians(20), 0)
    stage.scene.collection.objects.link(sun)
    stage.scene.world = bpy.data.worlds.new("Grey")
    bpy.ops.vdepth.setup_compositor()
    picture = stage.render()
    large = _crop(picture)
    _save([picture[60:300], large], "cg.jpg")


def _relight(stage: _Stage) -> None:
    """The plate, and with a lamp that grazes it from the left."""
    stage.mesh()
    stage.scene.vdepth.relight.dim_world = True
    bpy.ops.vdepth.setup_relight()
    bpy.ops.vdepth.setup_compositor()
    lamps = [obj for obj in stage.scene.objects if obj.type == "LIGHT"]
    for lamp in lamps:
        lamp.hide_render = True
    plate = stage.render()
    key = next(lamp for lamp in lamps if "Key" in lamp.name)
    key.hide_render = False
    key.location = stage.scene.camera.matrix_world @ Vector((-1.6, 1.2, -1.2))
    stage.scene.cycles.samples = 64
    _save([_small(plate, 0.75), _small(stage.render(), 0.75)], "relight.jpg")


def _view(stage: _Stage) -> None:
    """The plate's camera, and a new view as far as it may go."""
    from blender_addon.scene.view import find_rig

    mesh = stage.mesh()
    bpy.ops.vdepth.setup_view()
    most = find_rig(mesh)[0].id_properties_ui("Yaw").as_dict()["soft_max"]
    parts = []
    for yaw in (-most, most):
        stage.look(yaw)
        parts.append(_small(stage.render(), 0.75))
    _save(parts, "novel_view.jpg")


def _unmoved(stage: _Stage) -> None:
    """The plate, the mesh at the unmoved camera, and their difference amplified."""
    editor = stage.scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_movie("plate", bpy.path.abspath(stage.clip.filepath), 1, 1)
    plate = stage.render()
    stage.scene.sequence_editor_clear()
    stage.mesh()
    shown = stage.render()
    off = np.minimum(np.abs(shown - plate) * AMPLIFIED, 1)
    off[..., 3] = 1
    _save([_small(plate, 0.6), _small(shown, 0.6), _small(off, 0.6)], "unmoved.jpg")


def _silhouette(stage: _Stage) -> None:
    """A part of the plate and of its depth, twice as large."""
    bpy.ops.vdepth.setup_compositor()
    stage.scene.cycles.samples = 1
    _save([_crop(stage.output("Image")), _crop(stage.output("Normalised"))], "silhouette.png")


def _soft(stage: _Stage) -> None:
    """The same depth without sharpening, put beside what `_silhouette` made."""
    bpy.ops.vdepth.setup_compositor()
    stage.scene.cycles.samples = 1
    plate, sharp = np.split(_pixels(HERE / "silhouette.png"), [2 * CROP[2]], 1)
    _save([plate, _crop(stage.output("Normalised")), sharp], "silhouette.png")


PICTURES: dict[str, Callable[[_Stage], None]] = {
    "strip": _strip, "mesh": _mesh, "cg": _cg, "relight": _relight, "view": _view, "unmoved": _unmoved,
    "silhouette": _silhouette, "soft": _soft,
}  # fmt: skip


def _job(stage: _Stage) -> Path:
    return Path(stage.clip.vdepth.manifest).parent


def _crop(picture: np.ndarray) -> np.ndarray:
    """`CROP` of a picture, each pixel twice as wide and high."""
    left, top, width, height = CROP
    part = picture[::-1][top : top + height, left : left + width][::-1]
    return part.repeat(2, 0).repeat(2, 1)


def _small(picture: np.ndarray, scale: float = SCALE) -> np.ndarray:
    image = bpy.data.images.new("small", picture.shape[1], picture.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(picture).ravel())
    image.scale(round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return _read(image)


def _pixels(path: Path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    return _read(image)


def _read(image: Any) -> np.ndarray:
    flat = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(image.size[1], image.size[0], image.channels)
    bpy.data.images.remove(image)
    if pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.ones(pixels.shape[:2], np.float32)])
    return pixels


def _save(parts: list[np.ndarray], name: str) -> None:
    strip = np.concatenate(parts, 1)
    strip[..., 3] = 1
    picture = bpy.data.images.new(name, strip.shape[1], strip.shape[0])
    picture.colorspace_settings.name = "Non-Color"
    picture.pixels.foreach_set(strip.ravel())
    picture.filepath_raw = str(HERE / name)
    picture.file_format = "JPEG" if name.endswith("jpg") else "PNG"
    picture.save(quality=92)
    bpy.data.images.remove(picture)


if __name__ == "__main__":
    main()
