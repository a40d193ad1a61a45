"""What a frame of the depth mesh costs in Blender: our geometry nodes against the Displace modifier.

Both show the same depth sequence on 1280x720 vertices (or ``--stride``), every file read beforehand, frames
set in turn, so that a busy machine troubles both. Displace reads the picture by a UV map and moves vertices
along one axis; ours makes the grid, reads the depth, takes what has none away, cuts tears, stores the UV map
and unprojects along each pixel's ray. Rows with less show what the parts cost; the ratio of times is that of
the mesh with tears. Run in an environment with bpy: ``python benchmarks/mesh.py``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from blender_addon import properties  # noqa: E402
from blender_addon.result.manifest import Camera, Result, Shot  # noqa: E402
from blender_addon.scene.mesh import build_mesh, set_input  # noqa: E402

WIDTH, HEIGHT = 1280, 720
FRAMES, REPEATS = 4, 5
OURS = {
    "nodes, unprojection only": {"Tear": 1e9, "Fill": False},
    "nodes with tears": {"Tear": 0.1, "Fill": False},
    "nodes with tears and fill": {"Tear": 0.1, "Fill": True},
    "nodes, tears, 4 x smoothed": {"Tear": 0.1, "Fill": False, "Smooth": 4},
    "nodes, tears, lit": {"Tear": 0.1, "Fill": False, "Lit": True},
}
MAIN = "nodes with tears"
QUANTILES = np.linspace(0, 1, 301)  # of depth, to see that both show the same


def write_depth(folder: Path) -> None:
    """Slanted ellipses before a wall, moving."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    for number in range(1, FRAMES + 1):
        z = np.full((HEIGHT, WIDTH), 8.0, np.float32)
        for cx, cy, near in ((300, 250, 2.0), (700, 450, 3.0), (1000, 200, 5.0)):
            inside = ((u - cx - 9 * number) / 170) ** 2 + ((v - cy) / 120) ** 2 < 1
            z[inside] = near + (u[inside] - cx) * 0.001
        image = bpy.data.images.new("depth", WIDTH, HEIGHT, float_buffer=True)
        image.pixels.foreach_set(np.stack([z, z, z, np.ones_like(z)], -1)[::-1].ravel())
        image.filepath_raw, image.file_format = str(folder / f"plate_depth.{number:04d}.exr"), "OPEN_EXR"
        image.save()
        bpy.data.images.remove(image)


def ours(folder: Path, stride: int, sockets: dict[str, Any]) -> tuple[Any, Any]:
    """A scene with the add-on's mesh alone."""
    scene = bpy.data.scenes.new("ours")
    camera = Camera(1100.0, 1100.0, WIDTH / 2, HEIGHT / 2, "given")
    result = Result(
        folder / "manifest.json", "plate", WIDTH, HEIGHT, Fraction(24), 0, 1, FRAMES,
        (Shot(range(1, 1 + FRAMES), 1.0, 10.0, camera),), {"depth": "plate_depth.####.exr"}, "", "", "metric",
    )  # fmt: skip
    clip = bpy.data.movieclips.load(str(ROOT / "vdepth_core" / "demo" / "clip.mp4"))
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        obj = build_mesh(bpy.context, clip, result)
    for name, value in {"Stride": stride, **sockets}.items():
        set_input(obj, name, value)
    return scene, obj


def displace(folder: Path, stride: int) -> tuple[Any, Any]:
    """A scene with a grid alone, displaced by the same files."""
    scene = bpy.data.scenes.new("displace")
    columns, rows = -(-(WIDTH - 1) // stride), -(-(HEIGHT - 1) // stride)
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        bpy.ops.mesh.primitive_grid_add(x_subdivisions=columns, y_subdivisions=rows, calc_uvs=True)
    (obj,) = scene.objects
    texture = bpy.data.textures.new("depth", "IMAGE")
    texture.image = bpy.data.images.load(str(folder / "plate_depth.0001.exr"))
    texture.image.source = "SEQUENCE"
    texture.image.colorspace_settings.name = "Non-Color"
    texture.use_interpolation = False
    texture.image_user.frame_duration, texture.image_user.use_auto_refresh = FRAMES, True
    modifier = obj.modifiers.new("Displace", "DISPLACE")
    modifier.texture, modifier.texture_coords = texture, "UV"
    modifier.direction, modifier.mid_level = "Z", 0.0
    return scene, obj


def milliseconds(scene: Any, frame: int) -> float:
    start = time.perf_counter()
    scene.frame_set(frame)
    return 1000 * (time.perf_counter() - start)


def depths(scene: Any, obj: Any) -> np.ndarray:
    """Sorted depths of the vertices, to see that both show the same."""
    mesh = obj.evaluated_get(scene.view_layers[0].depsgraph).data
    places = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", places)
    return np.sort(np.abs(places[2::3]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stride", type=int, default=1, help="plate pixels from vertex to vertex")
    stride = parser.parse_args().stride
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for cls in properties.CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    with tempfile.TemporaryDirectory() as folder:
        write_depth(Path(folder))
        cases = {"Displace modifier": displace(Path(folder), stride)}
        cases.update({name: ours(Path(folder), stride, sockets) for name, sockets in OURS.items()})
        times: dict[str, list[float]] = {name: [] for name in cases}
        for repeat in range(REPEATS + 1):
            for frame in range(1, FRAMES + 1):
                for name, (scene, _) in cases.items():
                    took = milliseconds(scene, frame)
                    if repeat:  # the first round reads the files
                        times[name].append(took)
        shown = {name: depths(*case) for name, case in cases.items()}
        for name, values in times.items():
            print(f"{name:28} median {statistics.median(values):7.1f} ms  {len(shown[name])} vertices")
    # Ours has some vertices twice, beside cuts and on the plate's sides.
    ours_at, theirs_at = (np.quantile(shown[name], QUANTILES) for name in (MAIN, "Displace modifier"))
    if (np.abs(ours_at - theirs_at) > 0.1).mean() > 0.03:
        raise SystemExit("the two do not show the same depth")
    middle = {name: statistics.median(values) for name, values in times.items()}
    print(
        json.dumps(
            {
                "benchmark": "mesh",
                "ratio": round(middle[MAIN] / middle["Displace modifier"], 2),
                "ours": round(middle[MAIN], 1),
                "baseline": round(middle["Displace modifier"], 1),
                "unit": "ms a frame",
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, "
                f"Blender {bpy.app.version_string}",
            }
        )
    )


if __name__ == "__main__":
    main()
