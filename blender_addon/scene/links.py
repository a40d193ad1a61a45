# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths that the add-on keeps in a .blend: they stay right when it is saved in another folder.

Blender does this for its own data-blocks' paths, not for those in properties.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import bpy

_moved: list[tuple[Any, str, str]] = []
"""Of the saving under way: owner, property and former value of every path that was written anew."""


def before_save(file: str) -> None:
    """Writes paths that begin with // anew for the folder the .blend is about to be saved in.

    Args:
        file: Path of the .blend that will be written.
    """
    _moved.clear()
    if not file or not bpy.data.filepath or _same_folder(file, bpy.data.filepath):
        return
    for owner, name in _paths():
        value = getattr(owner, name)
        if value.startswith("//"):
            _moved.append((owner, name, value))
            setattr(owner, name, _relative(bpy.path.abspath(value), os.path.dirname(file)))


def after_save(file: str) -> None:
    """Gives back what was, where it was a copy that was saved, or nothing at all.

    Args:
        file: As for `before_save`.
    """
    if not _same_folder(file, bpy.data.filepath):
        for owner, name, value in _moved:
            setattr(owner, name, value)
    _moved.clear()


def _paths() -> Iterator[tuple[Any, str]]:
    for clip in bpy.data.movieclips:
        if clip.is_editable:
            yield from ((clip.vdepth, name) for name in ("manifest", "folder"))
    yield from ((scene.vdepth, "filepath") for scene in bpy.data.scenes if scene.is_editable)


def _relative(path: str, folder: str) -> str:
    try:
        return str(bpy.path.relpath(path, start=folder))
    except ValueError:  # another drive
        return os.path.normpath(path)


def _same_folder(one: str, other: str) -> bool:
    folders = (os.path.normcase(os.path.realpath(os.path.dirname(path))) for path in (one, other))
    return len(set(folders)) == 1
