"""A frame of a finished job as a coloured point cloud (.ply), for MeshLab, CloudCompare, Blender …

python examples/point_cloud.py depth/ shot.mov 0 cloud.ply
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import vdepth_core

NOWHERE = 1e10  # what pixels without depth hold


def main(job: Path, clip: Path, index: int, out: Path) -> int:
    """Unprojects one frame and returns the number of points; x right, y down, z forward."""
    sequence = vdepth_core.read_sequence(job)
    z, camera = sequence[index], sequence.intrinsics
    height, width = z.shape
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)  # pixel centres
    points = np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], -1)
    first = sequence.manifest.frames.first + index
    plate = next(vdepth_core.open_clip(clip).read(first, first + 1))
    seen = z < NOWHERE
    vertices = np.empty(
        seen.sum(), [(axis, "<f4") for axis in "xyz"] + [(c, "u1") for c in ("red", "green", "blue")]
    )
    for number, name in enumerate(vertices.dtype.names[:3]):
        vertices[name] = points[seen, number]
    for number, name in enumerate(vertices.dtype.names[3:]):
        vertices[name] = plate.rgb[seen, number]
    kinds = ["float"] * 3 + ["uchar"] * 3
    properties = [f"property {kind} {name}" for kind, name in zip(kinds, vertices.dtype.names, strict=True)]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertices)}",
        *properties,
        "end_header",
    ]
    out.write_bytes("\n".join(header).encode() + b"\n" + vertices.tobytes())
    return len(vertices)


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])), "points")
