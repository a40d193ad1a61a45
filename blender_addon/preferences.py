# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preferences say, and where the core is; `panels.preferences` draws them.

As a plain package, in tests and batch scripts, the add-on has no preferences in Blender; `preferences` gives
the defaults then.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .core_process.environment import Finder
from .core_process.install import managed_python

ADDON = __package__
"""What Blender knows the add-on by."""
OUTPUT = "//depth/{clip}/"
TORCH = "PYPI" if sys.platform == "darwin" else "CPU"
FINDER = Finder()
"""Knows the core; `finder_arguments` are its arguments."""


@dataclass(frozen=True)
class Defaults:
    """The preferences of an add-on that has none."""

    core: str = ""
    torch: str = TORCH
    wheelhouse: str = ""
    output: str = OUTPUT


def preferences(context: Any = None) -> Any:
    """The add-on's preferences, or `Defaults` where it is not an enabled add-on."""
    addon = (context or bpy.context).preferences.addons.get(ADDON)
    return addon.preferences if addon is not None and addon.preferences is not None else Defaults()


def managed_folder() -> Path:
    """Where Install Core puts the core; Blender removes it with the extension."""
    try:
        return Path(bpy.utils.extension_path_user(ADDON, path="core"))
    except ValueError:  # not an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="vdepth")) / "core"


def finder_arguments(context: Any = None) -> tuple[str, Path | None]:
    """What the finder has to be asked: the interpreter of the preferences, and the managed environment."""
    named = preferences(context).core
    return bpy.path.abspath(named) if named else "", managed_python(managed_folder())
