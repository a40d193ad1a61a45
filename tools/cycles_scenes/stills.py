# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders one large picture of every kind of scene, with exact depth, to measure by. Runs under bpy 5.0.

python stills.py DIR --catalogues A.sh3f … [--first SEED] [--each N] [--size 1920x1080] [--samples N]

The environment needs what `render.py` needs. Writes an RGB-D folder that `vdepth evaluate` reads:
``color/*.png``, ``depth/*.exr`` (Z, metres, infinite in the sky). Depth is taken at pixel centres by a
rendering of its own: the colour's filter would mix near and far at every edge. Training's seeds are small
numbers; these begin at `FIRST`. A few minutes a picture of 1920x1080.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import OpenEXR

sys.path.insert(0, str(Path(__file__).parent))

import render as shards  # type: ignore[import-not-found]
from catalogue import Catalogue, read_catalogues  # type: ignore[import-not-found]
from solids import gather  # type: ignore[import-not-found]

FIRST = 970_000_001
PIXEL_CENTRE = 0.01  # the narrowest pixel filter Cycles allows
TRIES = 10  # seeds tried for a picture


def main() -> None:
    """Reads the command line and renders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--catalogues", type=Path, nargs="+", required=True)
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    for part in ("color", "depth"):
        (options.folder / part).mkdir(parents=True, exist_ok=True)
    shards.keep_to(options.threads)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    things = read_catalogues(options.catalogues, options.folder / "catalogues")
    for number in range(options.each):
        for place, (make, _) in enumerate(shards.kinds_of(options.first)):
            name = f"{make.__name__}_{number + 1}"
            if (options.folder / "depth" / f"{name}.exr").exists():
                continue
            began = time.monotonic()
            for attempt in range(TRIES):
                seed = options.first + 1000 * number + 100 * place + attempt
                if compose(make, seed, things, (width, height), options.threads):
                    _write(options.folder, name, seed, options.samples)
                    break
            print(f"{name} seed {seed} {time.monotonic() - began:.0f} s", flush=True)


def compose(make: Any, seed: int, things: Catalogue, size: tuple[int, int], threads: int) -> bool:
    """Builds the scene of a seed and stands the camera in it; False if what it sees is no picture.

    Args:
        make: One of the makers of scenes.
        seed: Decides everything.
        things: The catalogue of furniture.
        size: (width, height) in pixels.
        threads: Threads to render with.
    """
    rng, scene = random.Random(seed), bpy.context.scene
    shards.empty_file()
    view = make(rng, things, [])
    gather()
    shards.settings(scene, 1, threads, size, seed & 0x7FFFFFFF)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.data.sensor_fit, camera.data.angle = "HORIZONTAL", math.radians(rng.uniform(*view.lens))
    camera.data.clip_start, camera.data.clip_end = 0.02, 2 * shards.FAR
    if not shards.stand(rng, camera, view, scene):
        return False
    scene.render.resolution_percentage = 10
    _, depth = shards.render(scene)
    scene.render.resolution_percentage = 100
    return bool(np.quantile(depth, 0.05) >= view.nearest * 0.5 and (depth < shards.FAR).mean() >= 0.25)


def _write(folder: Path, name: str, seed: int, samples: int) -> None:
    scene = bpy.context.scene
    scene.cycles.samples, scene.cycles.max_bounces, scene.cycles.diffuse_bounces = samples, 4, 3
    scene.cycles.filter_width = 1.5
    light, _ = shards.render(scene)
    picture = folder / "color" / f"{name}.png"
    _save(picture, shards.develop(light, random.Random(seed).gauss(0, 0.3)))
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.cycles.filter_width = PIXEL_CENTRE
    _, depth = shards.render(scene)
    depth = np.where(depth < shards.FAR, depth, np.inf).astype(np.float32)
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": np.ascontiguousarray(depth)}) as file:
        file.write(str(folder / "depth" / f"{name}.exr"))


def _save(path: Path, rgb: np.ndarray) -> None:
    """RGB (H, W, 3) uint8 to a PNG, byte for byte, by Blender's own writer."""
    height, width = rgb.shape[:2]
    image = bpy.data.images.new("picture", width, height)
    image.colorspace_settings.name = "Non-Color"
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = rgb[::-1] / np.float32(255)
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


if __name__ == "__main__":
    main()
