# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth sequences as image datablocks, shown at the right frame, and what is wrong with their files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import bpy

from .active import number_offset
from .exr import is_whole
from .result import Result, ResultError

_checked: dict[Path, tuple[tuple[float, ...], list[str]]] = {}


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
    first = next((p for n in _numbers(result) if (p := result.path(kind, n)).is_file()), None)
    if first is None:
        raise ResultError(f"All {kind} files are gone from {result.manifest.parent}: relink the result.")
    image = _existing(first)
    if image is None:
        image = bpy.data.images.load(str(first), check_existing=False)
        image.name = name or re.sub(r"[._]?####.*$", "", result.sequences[kind])
        if bpy.data.filepath:
            image.filepath = _relative(first)
    image.source = "SEQUENCE"
    image.colorspace_settings.name = "Non-Color"
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


def problems(result: Result) -> list[str]:
    """Sentences about missing or damaged files, from the last `check` or from a look at the folder."""
    folder = result.manifest.parent
    known = _checked.get(result.manifest)
    if known and known[0] == _stamp(folder, result.manifest):
        return known[1]
    return _remember(result, _missing(result))


def check(result: Result) -> list[str]:
    """As `problems`, but looks into every file."""
    found = _missing(result)
    for kind in result.sequences:
        files = [result.path(kind, number) for number in _numbers(result)]
        damaged = [path for path in files if path.is_file() and not is_whole(path)]
        if damaged:
            found.append(
                f"{len(damaged)} of {result.count} {kind} files are damaged, first {damaged[0].name}."
            )
    return _remember(result, found)


def _missing(result: Result) -> list[str]:
    try:
        there = {entry.name for entry in os.scandir(result.manifest.parent)}
    except OSError:
        return [f"{result.manifest.parent} is gone."]
    found = []
    for kind in result.sequences:
        lost = [path.name for n in _numbers(result) if (path := result.path(kind, n)).name not in there]
        if lost:
            found.append(f"{len(lost)} of {result.count} {kind} files are missing, first {lost[0]}.")
    return found


def _remember(result: Result, found: list[str]) -> list[str]:
    _checked[result.manifest] = (_stamp(result.manifest.parent, result.manifest), found)
    return found


def _stamp(*paths: Path) -> tuple[float, ...]:
    """Changes when files come or go; a panel may ask at every redraw."""
    try:
        return tuple(path.stat().st_mtime for path in paths)
    except OSError:
        return ()


def _numbers(result: Result) -> range:
    return range(result.first_number, result.last_number + 1)


def _existing(file: Path) -> Any | None:
    wanted = _pattern(str(file))
    for image in bpy.data.images:
        on_disk = image.source in {"FILE", "SEQUENCE"} and image.filepath
        if on_disk and _pattern(bpy.path.abspath(image.filepath)) == wanted:
            return image
    return None


def _pattern(path: str) -> str:
    return re.sub(r"\d+\.exr$", "#.exr", os.path.normcase(os.path.realpath(path)))


def _relative(path: Path) -> str:
    try:
        return str(bpy.path.relpath(str(path)))
    except ValueError:  # another drive
        return str(path)
