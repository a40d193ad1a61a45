"""How far a render of the mesh at the unmoved camera is from the plate: the share of pixels that are off.

The scene is set up by the add-on with its defaults; stride and engine change. The plate is what Blender's own
sequencer shows of the clip, so that decoding and colour are the same. A pixel is off where a channel differs
by more than 30/255. Run in an environment with bpy:

python benchmarks/unmoved.py CLIP JOB [--frames 1 20 40] [--engines CYCLES EEVEE] [--pictures DIR]

or, for EEVEE, in a Blender that has a screen: ``blender --python benchmarks/unmoved.py -- CLIP JOB ...``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

OFF = 30 / 255
ASKED = 0.001
AMPLIFIED = 4


def picture(scene: Any, path: Path) -> np.ndarray:
    """Renders the scene: (height, width, 3) in 0..1 as it is shown, top row first."""
    scene.render.filepath = str(path)
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True, scene=scene.name)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    flat = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    shape = (image.size[1], image.size[0], image.channels)
    bpy.data.images.remove(image)
    return flat.reshape(shape)[::-1, :, :3].copy()


def save(pixels: np.ndarray, path: Path) -> None:
    """Writes (height, width, 3) in 0..1 as it is."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(path.stem, width, height)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.dstack([pixels, np.ones((height, width), np.float32)])[::-1].ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def plates(scene: Any, clip: Any, frames: list[int], folder: Path) -> dict[int, np.ndarray]:
    """The clip's frames as Blender's sequencer shows them."""
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_movie("plate", bpy.path.abspath(clip.filepath), 1, clip.frame_start)
    found = {}
    for frame in frames:
        scene.frame_set(frame)
        found[frame] = picture(scene, folder / f"plate_{frame}.png")
    scene.sequence_editor_clear()
    return found


def set_up(clip_path: Path, job: Path) -> tuple[Any, Any]:
    """A scene with the clip's mesh at the add-on's defaults."""
    import blender_addon

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    if not hasattr(bpy.types.Scene, "vdepth"):
        blender_addon.register()
    scene = bpy.context.scene
    clip = bpy.data.movieclips.load(str(clip_path.resolve()))
    clip.vdepth.manifest = str((job / "manifest.json").resolve())
    scene.vdepth.clip = clip
    bpy.ops.vdepth.match_camera()
    bpy.ops.vdepth.build_mesh()
    scene.view_settings.view_transform = "Standard"
    return scene, clip


def main() -> None:
    """Renders each engine, stride and frame, and prints the share of pixels that are off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("job", type=Path, help="its finished job")
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 20, 40])
    parser.add_argument("--engines", nargs="+", default=["CYCLES"], choices=["CYCLES", "EEVEE"])
    parser.add_argument("--strides", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=32, help="of Cycles and EEVEE")
    parser.add_argument("--pictures", type=Path, help="folder for the renders and amplified differences")
    options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else None)
    scene, clip = set_up(options.clip, options.job)
    from blender_addon import compat
    from blender_addon.scene.mesh import find_mesh, set_input

    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = options.pictures or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        plate = plates(scene, clip, options.frames, folder)
        for engine in options.engines:
            scene.render.engine = "CYCLES" if engine == "CYCLES" else compat.eevee_id()
            scene.cycles.samples = scene.eevee.taa_render_samples = options.samples
            for stride in options.strides:
                set_input(find_mesh(clip), "Render Stride", stride)
                for frame in options.frames:
                    scene.frame_set(frame)
                    shown = picture(scene, folder / f"{engine}_{stride}_{frame}.png")
                    difference = np.abs(shown - plate[frame])
                    off = float((difference.max(-1) > OFF).mean())
                    worst = max(worst, off)
                    case = f"{engine} stride {stride} frame {frame}"
                    print(f"{case}: {off:.5%} off, mean {difference.mean():.5f}", flush=True)
                    if options.pictures:
                        amplified = np.minimum(difference * AMPLIFIED, 1)
                        save(amplified, folder / f"{engine}_{stride}_{frame}_difference.png")
    print(json.dumps({
        "benchmark": "unmoved", "ratio": round(worst / ASKED, 3), "ours": worst, "baseline": ASKED,
        "unit": f"share of pixels off by more than 30/255, the worst of all; {options.clip.name}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Blender {bpy.app.version_string}",
    }))  # fmt: skip


if __name__ == "__main__":
    main()
