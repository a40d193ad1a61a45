"""glTF: a torn mesh with the plate as its texture, and the camera; one ``.glb`` a frame (Khronos glTF 2.0).

The plate already holds its light, so the material is unlit (KHR_materials_unlit). A principal point beside
the middle has no word in glTF: the camera is then a little off, the mesh is not.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ...files import write_bytes
from ...geometry.camera import Intrinsics
from ...progress import Progress
from ..naming import safe_name
from ..sequence import DepthSequence
from .options import SurfaceOptions
from .rig import Rig
from .surface import Surface, surfaces

_FLOAT, _UINT = 5126, 5125  # component types
_VERTICES, _INDICES = 34962, 34963  # targets of buffer views
_GREY = 0.21586  # linear light of sRGB 128: of a mesh whose plate is gone


class Glb:
    """``<clip>_mesh.<frame:04d>.glb``."""

    name = "glb"
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
        rig, files = Rig.read(sequence, self.options, progress), []
        stem = safe_name(sequence.manifest.clip.name)
        for surface in surfaces(rig, self.options, progress, mesh=True):
            path = out / f"{stem}_mesh.{surface.number:04d}.glb"
            if not len(surface.faces):  # glTF has no empty mesh
                if not len(surface.points):
                    progress.warn(
                        f"Frame {surface.number} shows nothing that has depth: there is no file of it."
                    )
                continue
            write_bytes(path, _file(surface, rig.lens(surface.number), sequence.near_far))
            files.append(path)
        return files


def _file(surface: Surface, lens: Intrinsics, near_far: tuple[float, float]) -> bytes:
    """One file: a chunk of JSON, and one of numbers and the picture that it points into."""
    a, b, c, d = surface.faces.T
    triangles = np.stack((a, b, c, a, c, d), 1).reshape(-1).astype("<u4")
    parts = [
        (surface.points.astype("<f4").tobytes(), _VERTICES),
        (surface.uv.astype("<f4").tobytes(), _VERTICES),
        (triangles.tobytes(), _INDICES),
    ]
    if surface.plate is not None:
        parts.append((surface.texture(), 0))
    binary, views = b"", []
    for data, target in parts:
        view = {"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)}
        views.append({**view, "target": target} if target else view)
        binary += data + bytes(-len(data) % 4)
    count = len(surface.points)
    ends = {"min": surface.points.min(0).tolist(), "max": surface.points.max(0).tolist()}
    told = {
        "asset": {"version": "2.0", "generator": "vdepth"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0, 1]}],
        "nodes": [
            {"name": "Depth", "mesh": 0, **_placed(surface)},
            {"name": "Camera", "camera": 0, **_placed(surface)},
        ],
        "cameras": [_camera(surface.z.shape, lens, near_far)],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]}
        ],
        "accessors": [
            {"bufferView": 0, "componentType": _FLOAT, "count": count, "type": "VEC3", **ends},
            {"bufferView": 1, "componentType": _FLOAT, "count": count, "type": "VEC2"},
            {"bufferView": 2, "componentType": _UINT, "count": len(triangles), "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
        **_material(surface.plate is not None),
    }
    text = json.dumps(told, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _placed(surface: Surface) -> dict[str, Any]:
    """Of a node: by columns, as glTF has it."""
    if np.array_equal(surface.world, np.eye(4)):
        return {}
    return {"matrix": surface.world.T.ravel().tolist()}


def _camera(shape: tuple[int, ...], lens: Intrinsics, near_far: tuple[float, float]) -> dict[str, Any]:
    height, width = shape
    seen = {
        "yfov": 2 * math.atan(height / 2 / lens.fy),
        "aspectRatio": width / height * lens.fy / lens.fx,
        "znear": min(0.1, near_far[0] / 2),
        "zfar": 10 * near_far[1],
    }
    return {"type": "perspective", "perspective": seen}


def _material(textured: bool) -> dict[str, Any]:
    rough: dict[str, Any] = {"metallicFactor": 0, "roughnessFactor": 1}
    rough |= {"baseColorTexture": {"index": 0}} if textured else {"baseColorFactor": [_GREY] * 3 + [1]}
    unlit = {
        "pbrMetallicRoughness": rough,
        "doubleSided": True,
        "extensions": {"KHR_materials_unlit": {}},
    }
    if not textured:
        return {"materials": [unlit]}
    return {
        "materials": [unlit],
        "textures": [{"sampler": 0, "source": 0}],
        "samplers": [{"magFilter": 9729, "minFilter": 9729, "wrapS": 33071, "wrapT": 33071}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
    }
