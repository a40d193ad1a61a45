# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the demo shot: colour with motion blur, and exact depth without. Runs under bpy 5.0.

python render.py DIR [--samples N] [--size W] [--frames A-B] [--threads N] [--only colour|depth]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import bpy
import motion  # type: ignore[import-not-found]
import scene as demo  # type: ignore[import-not-found]
from mathutils import Matrix

WIDTH, HEIGHT = 640, 360
DEPTH_WIDTH, DEPTH_HEIGHT = 320, 180
PIXEL_CENTRE = 0.01  # the narrowest pixel filter Cycles allows: one sample, at the centre of the pixel


def main() -> None:
    """Reads the command line and renders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--size", type=int, default=WIDTH)
    parser.add_argument("--frames", default=f"1-{motion.FRAMES}")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only", choices=["colour", "depth"])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    demo.build()
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.render.resolution_percentage = 100
    if options.threads:
        scene.render.threads_mode, scene.render.threads = "FIXED", options.threads
    scene.render.use_persistent_data = False  # else the depth pass keeps the colour's settings
    numbers = _numbers(options.frames)
    if options.only != "depth":
        _colour(scene, options.samples, options.size)
        _frames(scene, numbers, options.folder / "colour", ".png")
    if options.only != "colour":
        _depth(scene)
        _frames(scene, numbers, options.folder / "depth", ".exr")
        (options.folder / "camera.json").write_text(json.dumps(_cameras(scene), indent=1))


def _numbers(text: str) -> list[int]:
    if "," in text:
        return [int(part) for part in text.split(",")]
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _colour(scene: Any, samples: int, width: int) -> None:
    scene.render.resolution_x, scene.render.resolution_y = width, width * HEIGHT // WIDTH
    cycles = scene.cycles
    cycles.samples, cycles.use_adaptive_sampling, cycles.seed = samples, False, 7
    cycles.use_animated_seed = True
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 3, 2
    cycles.sample_clamp_indirect, cycles.caustics_reflective = 8.0, False
    cycles.filter_width = 1.5
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, 0.4
    scene.render.motion_blur_position = "CENTER"
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    scene.view_settings.exposure = EXPOSURE
    image = scene.render.image_settings
    image.media_type = "IMAGE"
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "16"


EXPOSURE = 0.95


def _depth(scene: Any) -> None:
    scene.render.resolution_x, scene.render.resolution_y = DEPTH_WIDTH, DEPTH_HEIGHT
    cycles = scene.cycles
    cycles.samples, cycles.use_denoising, cycles.use_adaptive_sampling = 1, False, False
    cycles.max_bounces, cycles.pixel_filter_type, cycles.filter_width = 0, "BOX", PIXEL_CENTRE
    scene.render.use_motion_blur = False
    scene.view_layers[0].use_pass_z = True
    image = scene.render.image_settings
    image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "32", "ZIP"


def _frames(scene: Any, numbers: list[int], folder: Path, suffix: str) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        path = folder / f"{number:04d}{suffix}"
        if path.exists():
            continue
        began = time.monotonic()
        scene.frame_set(number)
        scene.render.filepath = str(path.with_name("part" + suffix))
        bpy.ops.render.render(write_still=True)
        path.with_name("part" + suffix).rename(path)
        print(f"{path} {time.monotonic() - began:.1f} s", flush=True)


def _cameras(scene: Any) -> dict[str, Any]:
    """Intrinsics for the depth frames, and camera-to-world matrices in OpenCV camera axes."""
    focal = motion.LENS / motion.SENSOR * DEPTH_WIDTH
    flip = Matrix.Diagonal((1, -1, -1, 1))
    poses = []
    for number in range(1, motion.FRAMES + 1):
        scene.frame_set(number)
        poses.append([list(row) for row in scene.camera.matrix_world @ flip])
    return {
        "width": DEPTH_WIDTH,
        "height": DEPTH_HEIGHT,
        "fx": focal,
        "fy": focal,
        "cx": DEPTH_WIDTH / 2,
        "cy": DEPTH_HEIGHT / 2,
        "poses": poses,
    }


if __name__ == "__main__":
    main()
