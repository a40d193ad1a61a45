# SPDX-License-Identifier: GPL-3.0-or-later
"""Furniture, people, animals and cars from Sweet Home 3D catalogues (``.sh3f``), at their true sizes.

A catalogue is an archive of Wavefront models with a table of names and sizes. The libraries Debian packages
as ``sweethome3d-furniture`` are CC BY 3.0 and CC0.
"""

from __future__ import annotations

import random
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

LARGEST = 5e6  # bytes of a model file; larger ones take too long to load
UPRIGHT = Matrix(((1, 0, 0), (0, 0, -1), (0, 1, 0)))  # their y is up, Blender's z is


@dataclass(frozen=True)
class Entry:
    """One model: its file, and how wide, deep and high it is in metres."""

    path: Path
    name: str
    category: str
    size: tuple[float, float, float]
    rotation: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)


@dataclass
class Catalogue:
    """All models of some catalogues; meshes are loaded when first used, and kept."""

    entries: list[Entry]
    _meshes: dict[Path, Any] = field(default_factory=dict)

    def find(self, words: str, low: float = 0, high: float = 50) -> list[Entry]:
        """Entries whose name or category contains one of ``words`` (a pattern), and whose largest side is in
        [low, high] metres.
        """
        pattern = re.compile(rf"\b({words})", re.IGNORECASE)
        return [
            e for e in self.entries if pattern.search(f"{e.category}/{e.name}") and low <= max(e.size) <= high
        ]

    def place(self, entry: Entry, at: tuple[float, float, float], turn: float = 0, scale: float = 1) -> Any:
        """An object standing at ``at``, turned by ``turn`` radians; None for a model without faces."""
        mesh = self._mesh(entry)
        if mesh is None:
            return None
        thing = bpy.data.objects.new(entry.name, mesh)
        thing.location, thing.rotation_euler, thing.scale = at, (0, 0, turn), (scale,) * 3
        bpy.context.scene.collection.objects.link(thing)
        return thing

    def _mesh(self, entry: Entry) -> Any:
        if entry.path not in self._meshes:
            self._meshes[entry.path] = _load(entry)
        return self._meshes[entry.path]


def read_catalogues(archives: list[Path], cache: Path) -> Catalogue:
    """Unpacks the archives into ``cache`` once, and lists what is in them."""
    entries: list[Entry] = []
    for archive in archives:
        folder = cache / archive.stem
        if not folder.is_dir():
            with zipfile.ZipFile(archive) as file:
                file.extractall(folder)
        entries += _entries(folder)
    return Catalogue(sorted(entries, key=lambda entry: str(entry.path)))


def _entries(folder: Path) -> list[Entry]:
    text = (folder / "PluginFurnitureCatalog.properties").read_text("latin-1")
    rows: dict[str, dict[str, str]] = {}
    for key, number, value in re.findall(r"^(\w+)#(\d+)=(.*?)\r?$", text, re.MULTILINE):
        rows.setdefault(number, {})[key] = value.strip()
    found = []
    for row in rows.values():
        path = folder / row.get("model", "/").lstrip("/")
        if path.suffix != ".obj" or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        size = tuple(float(row[side]) / 100 for side in ("width", "depth", "height"))
        turn = tuple(float(v) for v in row.get("modelRotation", "1 0 0 0 1 0 0 0 1").split())
        found.append(Entry(path, row["name"], row.get("category", ""), size, turn))  # type: ignore[arg-type]
    return found


def _load(entry: Entry) -> Any:
    """One mesh of the whole model, standing on the origin, at its size."""
    before = set(bpy.data.objects)
    bpy.ops.wm.obj_import(filepath=str(entry.path), forward_axis="Y", up_axis="Z", use_split_objects=False)
    things = [thing for thing in bpy.data.objects if thing not in before]
    meshes = [thing for thing in things if thing.type == "MESH" and len(thing.data.polygons)]
    mesh = meshes[0].data if meshes else None
    for thing in things:
        bpy.data.objects.remove(thing)
    if mesh is None:
        return None
    mesh.use_fake_user = True
    rows = entry.rotation
    mesh.transform((UPRIGHT @ Matrix((rows[:3], rows[3:6], rows[6:9]))).to_4x4())
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    low, high = points.reshape(-1, 3).min(0).tolist(), points.reshape(-1, 3).max(0).tolist()
    extent = [b - a for a, b in zip(low, high, strict=True)]
    middle = Vector(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]))
    scale = [size / side if side > 1e-6 else 1.0 for size, side in zip(entry.size, extent, strict=True)]
    mesh.transform(Matrix.Diagonal((*scale, 1)) @ Matrix.Translation(-middle))
    for material in mesh.materials:
        if material:
            material.use_fake_user = True
            _drop_missing_pictures(material)
    return mesh


def _drop_missing_pictures(material: Any) -> None:
    """Removes textures whose file is not in the archive: they would be rendered magenta."""
    nodes = material.node_tree.nodes
    for node in [node for node in nodes if node.type == "TEX_IMAGE"]:
        if node.image is None or not node.image.size[0]:
            nodes.remove(node)


def pick(rng: random.Random, entries: list[Entry]) -> Entry:
    """One at random.

    Raises:
        IndexError: there is none.
    """
    return entries[rng.randrange(len(entries))]
