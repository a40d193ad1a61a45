"""Coloured points, or a mesh textured with the plate: a binary PLY file a frame, which nearly all read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...files import write_bytes
from ...progress import Progress
from ..naming import safe_name
from ..sequence import DepthSequence
from .options import PlyOptions
from .rig import Rig
from .surface import Surface, surfaces

_BEGIN = """ply
format binary_little_endian 1.0
comment x right, y up, z to the camera; the plate's colours
"""
_POINTS = """element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
"""
_MESH = """property float s
property float t
element face {faces}
property list uchar int vertex_indices
"""
_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
_CORNER = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3), ("st", "<f4", 2)])
_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 4)])


class Ply:
    """``<clip>_points.<frame:04d>.ply``, or ``<clip>_mesh.<frame:04d>.ply`` and ``.png``."""

    name = "ply"
    Options = PlyOptions

    def __init__(self, options: PlyOptions) -> None:
        self.options = options

    def export(self, sequence: DepthSequence, out: Path, progress: Progress) -> list[Path]:
        """Writes the sequence; see `Exporter.export`.

        Raises:
            UsageError: the sequence has none of the frames.
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable.
        """
        files = []
        kind = "mesh" if self.options.mesh else "points"
        stem = f"{safe_name(sequence.manifest.clip.name)}_{kind}"
        rig = Rig.read(sequence, self.options, progress)
        for surface in surfaces(rig, self.options, progress, mesh=self.options.mesh):
            path = out / f"{stem}.{surface.number:04d}.ply"
            texture = path.with_suffix(".png") if self.options.mesh and surface.plate is not None else None
            write_bytes(path, _mesh(surface, texture) if self.options.mesh else _points(surface))
            files.append(path)
            if texture is not None:
                write_bytes(texture, surface.texture())
                files.append(texture)
        return files


def _points(surface: Surface) -> bytes:
    vertices = np.empty(len(surface.points), _VERTEX)
    vertices["xyz"], vertices["rgb"] = surface.placed, surface.colours
    head = f"{_BEGIN}{_POINTS.format(count=len(vertices))}end_header\n"
    return head.encode() + vertices.tobytes()


def _mesh(surface: Surface, texture: Path | None) -> bytes:
    """With places in the texture as MeshLab and Blender read them, from its lower left corner."""
    vertices, faces = np.empty(len(surface.points), _CORNER), np.empty(len(surface.faces), _FACE)
    vertices["xyz"], vertices["rgb"] = surface.placed, surface.colours
    vertices["st"] = surface.uv * (1, -1) + (0, 1)
    faces["count"], faces["corners"] = 4, surface.faces
    named = f"comment TextureFile {texture.name}\n" if texture is not None else ""
    counts = _POINTS.format(count=len(vertices)) + _MESH.format(faces=len(faces))
    return f"{_BEGIN}{named}{counts}end_header\n".encode() + vertices.tobytes() + faces.tobytes()
