# SPDX-License-Identifier: GPL-3.0-or-later
"""The clip as a material, for projection onto its own depth."""

from __future__ import annotations

from typing import Any

import bpy

from ..nodes.footage import build_unlit
from ..result.paths import file_number
from .follow import follow

MATERIAL = "Video Depth Footage"
CLIP_KEY = "vdepth_footage_of"


def footage_material(clip: Any) -> Any:
    """The material that shows a clip unlit, projected from its camera: made, or set to the clip as it is."""
    material = next((m for m in bpy.data.materials if m.get(CLIP_KEY) == clip), None)
    if material is None:
        material = bpy.data.materials.new(MATERIAL)
        material[CLIP_KEY] = clip
        build_unlit(material)
    for node in material.node_tree.nodes:
        if node.type == "TEX_IMAGE":
            node.image = footage_image(clip)
            time_as(node.image_user, clip)
    return material


def footage_image(clip: Any) -> Any:
    """The clip's file or files as an image, in the clip's colour space; loaded once."""
    path = bpy.path.abspath(clip.filepath)
    for image in bpy.data.images:
        if image.get(CLIP_KEY) == clip and bpy.path.abspath(image.filepath) == path:
            return image
    image = bpy.data.images.load(clip.filepath)
    image[CLIP_KEY] = clip
    if clip.source == "MOVIE" or clip.frame_duration > 1:  # else a still
        image.source = clip.source
    image.colorspace_settings.name = clip.colorspace_settings.name
    return image


def time_as(image_user: Any, clip: Any) -> None:
    """Has an image user show the frame that the clip shows, at every frame of the scene.

    Blender shows file ``clamp(frame - frame_start + 1, 1, frame_duration) + frame_offset``. Only the offset
    can be driven, so it makes up for whatever the clip is moved later.
    """
    # An image counts a movie's frames from 1, and a sequence's by the numbers of its files.
    first = 1 if clip.source == "MOVIE" else file_number(clip.filepath)
    begin, last = int(clip.frame_start), int(clip.frame_duration) - 1
    image_user.frame_duration = last + 1
    image_user.frame_start = begin
    image_user.frame_offset = clip.frame_offset + first - 1
    image_user.use_auto_refresh = True
    shown, counted = (f"min(max(frame - {moved}, 0), {last})" for moved in ("start + offset", begin))
    path = image_user.path_from_id("frame_offset")
    follow(image_user.id_data, path, clip, f"{shown} - {counted} + {first - 1}")
