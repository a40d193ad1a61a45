# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders random scenes into shards for training: colour with global light, exact depth. Runs under bpy 5.0.

python render.py DIR --catalogues A.sh3f … [--photos DIR] [--first SEED] [--count N] [--minutes M]

The environment needs bpy and OpenEXR (and not torch). A scene follows from its seed; shards that exist are
kept, so a stopped run goes on; every twentieth is held out for validation. See `vdepth_core.training.shards`.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import OpenEXR

sys.path.insert(0, str(Path(__file__).parent))

from catalogue import Catalogue, read_catalogues  # type: ignore[import-not-found]
from company import company  # type: ignore[import-not-found]
from filming import filmed  # type: ignore[import-not-found]
from indoor import View, close_up, corridor, room  # type: ignore[import-not-found]
from mathutils import Vector
from outdoor import gathering, highway, park, street  # type: ignore[import-not-found]
from passage import passage  # type: ignore[import-not-found]
from road import road  # type: ignore[import-not-found]
from solids import gather  # type: ignore[import-not-found]

KINDS = (
    (room, 0.2), (corridor, 0.08), (close_up, 0.14), (street, 0.16), (highway, 0.1), (park, 0.1),
    (gathering, 0.08), (company, 0.14),
)  # fmt: skip
SINCE = ((700_000, passage, 0.4), (800_000, road, 2.0))  # by first seed: earlier scenes stay what they were
OUTSIDE = (street, park, gathering)  # where a camera may rise above heads
STATIONS, STEPS = 4, 2  # places a scene is seen from, and frames a hand's breadth apart at each
SIZES = ((416, 240), (336, 252), (400, 240))  # pixels
FAR = 1e5  # metres; beyond is sky
HELD_OUT = 20  # every so many-th seed is for validation
TRIES = 60  # camera places tried for each station


def main() -> None:
    """Reads the command line and renders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--catalogues", type=Path, nargs="+", required=True)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    keep_to(options.threads)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    things = read_catalogues(options.catalogues, options.folder / "catalogues")
    photos = sorted(options.photos.glob("*.jpg")) if options.photos else []
    began = time.monotonic()
    for seed in range(options.first, options.first + options.count):
        if time.monotonic() - began > 60 * options.minutes:
            break
        name = f"{'held' if seed % HELD_OUT == 0 else 'train'}-{seed:06d}.npz"
        if not (options.folder / name).exists():
            started = time.monotonic()
            frames, kind = shard(seed, things, photos, options.samples, options.threads)
            if frames:
                _write(options.folder / name, frames)
            print(f"{name} {kind} {len(frames)} frames {time.monotonic() - started:.1f} s", flush=True)


def keep_to(threads: int) -> None:
    """Keeps to as many cores as there are threads: idle ones of Blender's own pool spin, a core's worth."""
    if hasattr(os, "sched_setaffinity"):  # Linux
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, random.sample(cores, min(threads, len(cores))))


def kinds_of(seed: int) -> tuple[tuple[Any, float], ...]:
    """The makers of scenes a seed is drawn from, and their weights."""
    return (*KINDS, *((make, weight) for first, make, weight in SINCE if seed >= first))


def shard(
    seed: int, things: Catalogue, photos: list[Path], samples: int, threads: int
) -> tuple[list[Any], str]:
    """The frames (rgb, disparity) of a scene; none if no camera place was good."""
    rng = random.Random(seed)
    empty_file()
    kinds = kinds_of(seed)
    make = rng.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
    view = make(rng, things, photos)
    if make is not close_up:
        view = filmed(rng, view, make in OUTSIDE)
    gather()
    scene = bpy.context.scene
    settings(scene, samples, threads, rng.choice(SIZES), seed)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.data.sensor_fit, camera.data.angle = "HORIZONTAL", math.radians(rng.uniform(*view.lens))
    camera.data.clip_start, camera.data.clip_end = 0.02, 2 * FAR
    stop = rng.gauss(0, 0.5)
    frames: list[Any] = []
    for _ in range(STATIONS):
        if not stand(rng, camera, view, scene):
            continue
        here: list[Any] = []
        for _ in range(STEPS):
            light, depth = render(scene)
            near = view.nearest * 0.5
            if np.quantile(depth, 0.05) < near or (depth < FAR).mean() < 0.25:
                break
            here.append((develop(light, stop), np.where(depth < FAR, 1 / np.maximum(depth, near), 0)))
            step = 0.04 * min(3.0, float(np.median(depth)))
            camera.location += Vector(rng.uniform(-step, step) for _ in range(3))
            camera.rotation_euler = [a + rng.gauss(0, 0.02) for a in camera.rotation_euler]
        if len(here) == STEPS:  # neighbours in time belong together
            frames += here
    return frames, make.__name__


def empty_file() -> None:
    """Removes everything but what the catalogue keeps."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    for blocks in (bpy.data.meshes, bpy.data.materials, bpy.data.lights, bpy.data.cameras, bpy.data.worlds):
        for block in list(blocks):
            if not block.use_fake_user:
                blocks.remove(block)


def settings(scene: Any, samples: int, threads: int, size: tuple[int, int], seed: int) -> None:
    """How everything is rendered; ``size`` is (width, height) in pixels."""
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.use_persistent_data = True
    cycles = scene.cycles
    cycles.samples, cycles.use_adaptive_sampling, cycles.seed = samples, False, seed
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "NONE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 5, 2, 1
    cycles.transmission_bounces = 4  # in at one side of glass and out at the other
    cycles.sample_clamp_indirect, cycles.caustics_reflective, cycles.caustics_refractive = 8.0, False, False
    scene.view_layers[0].use_pass_z = True
    image = scene.render.image_settings
    image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "32", "NONE"


def stand(rng: random.Random, camera: Any, view: View, scene: Any) -> bool:
    """Puts the camera somewhere that sees something, nothing too near."""
    for _ in range(TRIES):
        place = Vector(rng.uniform(a, b) for a, b in zip(view.low, view.high, strict=True))
        target = Vector(rng.choice(view.targets)) + Vector(rng.gauss(0, 0.6 * view.nearest) for _ in range(3))
        way = target - place
        if way.length < 2 * view.nearest or abs(way.z) > 1.2 * math.hypot(way.x, way.y):
            continue
        camera.location = place
        turn = way.to_track_quat("-Z", "Y").to_euler()
        camera.rotation_euler = (turn.x, turn.y + rng.gauss(0, 0.03), turn.z)
        bpy.context.view_layer.update()
        graph, frame = bpy.context.evaluated_depsgraph_get(), camera.matrix_world.to_3x3()
        wide = math.tan(camera.data.angle / 2)
        clear = True
        for u in (-0.8, 0, 0.8):
            for v in (-0.5, 0, 0.5):
                ray = frame @ Vector((u * wide, v * wide, -1))
                hit, where, *_ = scene.ray_cast(graph, place, ray.normalized())
                clear &= not hit or (where - place).length > view.nearest
        if clear:
            return True
    return False


def render(scene: Any) -> tuple[np.ndarray, np.ndarray]:
    """Linear light (H, W, 3) and planar depth (H, W) in metres."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.exr"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        with OpenEXR.File(str(path), separate_channels=True) as file:
            pixels = {name: c.pixels for part in file.parts for name, c in part.channels.items()}
    find = lambda end: next(p for name, p in pixels.items() if name.endswith(end))  # noqa: E731
    light = np.stack([find(f"Combined.{c}") for c in "RGB"], -1)
    return light, find("Depth.Z")


def develop(light: np.ndarray, stop: float) -> np.ndarray:
    """Linear light -> uint8 sRGB as a camera exposes it: medium grey in the middle, highlights rolled off."""
    bright = light.mean(-1)
    gain = 0.2 / max(float(np.exp(np.log(bright + 1e-4).mean())), 1e-4) * 2**stop
    x = np.minimum(np.nan_to_num(light) * min(gain, 0.9 / max(float(np.quantile(bright, 0.5)), 1e-4)), 1e3)
    x = x * (1 + x / 16) / (1 + x)  # Reinhard 2002, white at 4
    x = np.clip(x * 1.35, 0, 1)
    x = np.where(x < 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-8) ** (1 / 2.4) - 0.055)
    return np.round(x * 255).astype(np.uint8)


def _write(path: Path, frames: list[Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    rgb, disparity = zip(*frames, strict=True)
    with temporary.open("wb") as file:
        np.savez(file, rgb=np.stack(rgb), disparity=np.stack(disparity).astype(np.float16))
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
