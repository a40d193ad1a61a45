# SPDX-License-Identifier: GPL-3.0-or-later
"""The clean plate behind a clip's mesh."""

from __future__ import annotations

from typing import Any

import bpy

from ..nodes.footage import build_unlit
from ..result.clean import read_clean
from ..result.manifest import Result, ResultError
from .image import load_files, set_image_user
from .mesh import set_input
from .relight import light_clean_plate

MATERIAL = "Video Depth Clean Plate"
CLIP_KEY = "vdepth_clean_plate_of"


def use_clean_plate(mesh: Any, clip: Any, result: Result) -> tuple[str, ...]:
    """Puts the result's clean plate behind a mesh; returns a sentence for each shot that has none.

    Raises:
        ResultError: there is none, or the mesh was built by an older version.
    """
    clean = read_clean(result)
    depth, color = (clean.first(pattern, result) for pattern in (clean.depth, clean.color))
    if depth is None or color is None:
        raise ResultError(" ".join(clean.still) or f"The files of {clean.folder} are gone: fuse again.")
    name = clean.depth.partition("_clean_")[0]
    image = load_files(depth, f"{name}_clean_depth")
    material = _material(clip)
    for node in material.node_tree.nodes:
        if node.type == "TEX_IMAGE":
            node.image = load_files(color, f"{name}_clean_color", clip.colorspace_settings.name)
            set_image_user(node.image_user, clip, result)
    values = {
        "Clean Depth": image,
        "Clean Footage": material,
        "Margin X": clean.margin_x,
        "Margin Y": clean.margin_y,
        "Clean Plate": True,
    }
    try:
        for socket, value in values.items():
            set_input(mesh, socket, value)
    except KeyError:
        raise ResultError(f"{mesh.name} is of an older version: delete it and build it again.") from None
    light_clean_plate(mesh)
    return clean.still


def _material(clip: Any) -> Any:
    material = next((m for m in bpy.data.materials if m.get(CLIP_KEY) == clip), None)
    if material is None:
        material = bpy.data.materials.new(MATERIAL)
        material[CLIP_KEY] = clip
        build_unlit(material)
    return material
