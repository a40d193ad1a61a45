"""Finished jobs made up for tests: depth files of given numbers, a manifest, and a clip that has them."""

import json
import struct
from pathlib import Path

import numpy as np

JOB = "0123456789abcdef"


def write_depth(path: Path, z: np.ndarray) -> None:
    """An uncompressed EXR of equal X, Y and Z, as the core's; z is (height, width), top row first."""
    height, width = z.shape
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = (
        b"".join(name + b"\0" + struct.pack("<iB3x2i", 2, 0, 1, 1) for name in (b"X", b"Y", b"Z")) + b"\0"
    )
    attributes = [
        ("channels", "chlist", channels),
        ("compression", "compression", b"\0"),
        ("dataWindow", "box2i", box),
        ("displayWindow", "box2i", box),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
    ]
    header = struct.pack("<2i", 20000630, 2)
    for name, kind, value in attributes:
        header += f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value
    header += b"\0"
    block = 8 + 3 * 4 * width
    start = len(header) + 8 * height
    offsets = struct.pack(f"<{height}Q", *(start + row * block for row in range(height)))
    rows = (struct.pack("<2i", y, 12 * width) + 3 * line.astype("<f4").tobytes() for y, line in enumerate(z))
    path.write_bytes(header + offsets + b"".join(rows))


def make_job(
    folder: Path, depths: dict[int, np.ndarray], camera: dict[str, float], rate: str = "24/1"
) -> Path:
    """The manifest of a job over a movie whose first frame has the first of the depths' numbers."""
    for number, z in depths.items():
        write_depth(folder / f"plate_depth.{number:04d}.exr", z)
    height, width = next(iter(depths.values())).shape
    first, count = min(depths), max(depths) - min(depths) + 1
    camera = {**camera, "source": "given"}
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({
        "job": JOB,
        "clip": {"path": str(folder / "plate.png"), "width": width, "height": height, "rate": rate},
        "frames": {"first": 0, "stop": count, "start_number": first, "count": count},
        "shots": [{"start_number": first, "count": count, "near": 1.0, "far": 100.0, "camera": camera}],
        "model": {"name": "none", "space": "metric"}, "method": "framewise", "camera": camera,
        "sequences": {"depth": "plate_depth.####.exr"},
    }))  # fmt: skip
    return manifest


def use_job(bpy, manifest: Path):
    """A clip of pictures of the job's size, which has its depth; chosen in the panel."""
    from blender_addon.result.manifest import read_result

    result = read_result(manifest)
    image = bpy.data.images.new("plate", result.width, result.height)
    image.filepath_raw, image.file_format = result.clip, "PNG"
    image.save()
    bpy.data.images.remove(image)
    clip = bpy.data.movieclips.load(result.clip)
    clip.vdepth.manifest = str(manifest)
    bpy.context.scene.vdepth.clip = clip
    return clip, result


def geometry(bpy, obj) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N, 3) and quads (F, 4) of an object as its modifiers make it at this frame."""
    shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = shown.to_mesh()
    points, corners = np.empty(3 * len(mesh.vertices), np.float32), np.empty(len(mesh.loops), np.int32)
    mesh.vertices.foreach_get("co", points)
    mesh.loops.foreach_get("vertex_index", corners)
    shown.to_mesh_clear()
    return points.reshape(-1, 3), corners.reshape(-1, 4)
