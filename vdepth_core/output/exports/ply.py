"""Coloured points, a binary PLY file a frame: what nearly every 3D program reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...files import write_bytes
from ...progress import Progress
from ..naming import safe_name
from ..sequence import DepthSequence
from .options import SurfaceOptions
from .surface import surfaces

_HEADER = """ply
format binary_little_endian 1.0
comment x right, y up, z to the camera; the plate's colours
element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
end_header
"""
_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])


class Ply:
    """``<clip>_points.<frame:04d>.ply``."""

    name = "ply"
    Options = SurfaceOptions

    def __init__(self, options: SurfaceOptions) -> None:
        self.options = options

    def export(self, sequence: DepthSequence, out: Path, progress: Progress) -> list[Path]:
        """Writes the sequence; see `Exporter.export`.

        Raises:
            UsageError: the sequence has none of the frames.
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable.
        """
        files = []
        stem = safe_name(sequence.manifest.clip.name)
        for surface in surfaces(sequence, self.options, progress):
            vertices = np.empty(len(surface.points), _VERTEX)
            vertices["xyz"], vertices["rgb"] = surface.points, surface.colours
            path = out / f"{stem}_points.{surface.number:04d}.ply"
            write_bytes(path, _HEADER.format(count=len(vertices)).encode() + vertices.tobytes())
            files.append(path)
        return files
