# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a built node tree among the user's own data: building a large one takes Blender seconds, as it goes
through the whole tree for every node and link; appending it takes none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy


def kept_tree(name: str, build: Callable[[], Any]) -> Any:
    """A tree as it was built by this very code in this Blender; built, and kept, where there is none.

    Args:
        name: Of the tree.
        build: Makes it.
    """
    path = _path(name)
    tree = _appended(path, name)
    if tree is None:
        tree = build()
        _keep(path, tree)
    return tree


def _path(name: str) -> Path:
    """Where it lies: another place for every Blender and every change of the code that builds it."""
    digest = hashlib.sha256(repr(bpy.app.version).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    folder = Path(bpy.utils.user_resource("DATAFILES")) / "vdepth"
    return folder / f"{name.lower().replace(' ', '_')}_{digest.hexdigest()[:16]}.blend"


def _appended(path: Path, name: str) -> Any:
    if not path.is_file():
        return None
    before = set(bpy.data.libraries)
    try:
        with bpy.data.libraries.load(str(path)) as (there, wanted):
            wanted.node_groups = [each for each in there.node_groups if each == name]
    except (OSError, RuntimeError):
        return None  # damaged: it is built, and written anew
    for library in set(bpy.data.libraries) - before:
        bpy.data.libraries.remove(library)  # nothing is linked to it: it would only stand in the user's file
    return wanted.node_groups[0] if wanted.node_groups else None


def _keep(path: Path, tree: Any) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp.blend")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.data.libraries.write(str(temporary), {tree}, compress=True)
        os.replace(temporary, path)
    except (OSError, RuntimeError):
        with contextlib.suppress(OSError):  # no room, or no right: it is built each time
            temporary.unlink()
