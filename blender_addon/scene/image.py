# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth sequences as image datablocks, shown at the right frame."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import bpy

from ..result.manifest import Result, ResultError
from .active import number_offset


def load_sequence(result: Result, kind: str, name: str = "") -> Any:
    """The image datablock of a sequence: Non-Color, made once, refreshed when called again.

    Args:
        result: The clip's depth.
        kind: ``depth``, ``disparity`` or ``normal``.
        name: Of a new datablock; default: the clip's and the kind.

    Raises:
        ResultError: there is no such sequence, or none of its files.
    """
    if kind not in result.sequences:
        raise ResultError(f"{result.manifest.parent.name} holds no {kind}: estimate again with it enabled.")
    first = next((p for n in result.numbers if (p := result.path(kind, n)).is_file()), None)
    if first is None:
        raise ResultError(f"All {kind} files are gone from {result.manifest.parent}: relink the result.")
    return load_files(first, name or re.sub(r"[._]?####.*$", "", result.sequences[kind]))


def load_files(first: Path, name: str, colourspace: str = "Non-Color") -> Any:
    """The image datablock of numbered files, made once, refreshed when called again.

    Args:
        first: Path of the first.
        name: Of a new datablock.
        colourspace: Blender's name of theirs.
    """
    image = _existing(first, {"FILE", "SEQUENCE"}) or _new(first, name)
    image.source = "SEQUENCE"
    image.colorspace_settings.name = colourspace
    image.reload()
    return image


def load_film(path: Path) -> Any:
    """The image datablock of a job's preview, made once, read anew when called again.

    Args:
        path: The film.
    """
    image = _existing(path, {"MOVIE"}) or _new(path, f"{path.parent.name}_preview")
    image.reload()
    return image


def load_all(result: Result) -> list[Any]:
    """Image datablocks of all sequences of a result."""
    return [load_sequence(result, kind) for kind in result.sequences]


def set_image_user(user: Any, clip: Any, result: Result) -> None:
    """Makes an image user, or a compositor's image node, show each frame of the clip its file.

    Blender shows file ``clamp(scene_frame − frame_start + 1, 1, frame_duration) + frame_offset``.
    """
    user.frame_duration = result.count
    user.frame_start = result.first_number - number_offset(clip, result)
    user.frame_offset = result.first_number - 1
    user.use_cyclic = False
    user.use_auto_refresh = True


def _new(file: Path, name: str) -> Any:
    image = bpy.data.images.load(str(file), check_existing=False)
    image.name = name
    if bpy.data.filepath:
        image.filepath = _relative(file)
    return image


def _existing(file: Path, sources: set[str]) -> Any | None:
    wanted = _pattern(str(file))
    for image in bpy.data.images:
        on_disk = image.source in sources and image.filepath
        if on_disk and _pattern(bpy.path.abspath(image.filepath)) == wanted:
            return image
    return None


def _pattern(path: str) -> str:
    return re.sub(r"\d+(\.\w+)$", r"#\1", os.path.normcase(os.path.realpath(path)))


def _relative(path: Path) -> str:
    try:
        return str(bpy.path.relpath(str(path)))
    except ValueError:  # another drive
        return str(path)
