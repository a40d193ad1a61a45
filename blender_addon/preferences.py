# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences, and where its core is.

As a plain package, in tests and batch scripts, the add-on has no preferences in Blender; `preferences` gives
the defaults then.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from .core_process.environment import Finder
from .core_process.install import managed_python

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
    addon = (context or bpy.context).preferences.addons.get(__package__)
    return addon.preferences if addon is not None and addon.preferences is not None else Defaults()


def managed_folder() -> Path:
    """Where Install Core puts the core; Blender removes it with the extension."""
    try:
        return Path(bpy.utils.extension_path_user(__package__, path="core"))
    except ValueError:  # not an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="vdepth")) / "core"


def finder_arguments(context: Any = None) -> tuple[str, Path | None]:
    """What the finder has to be asked: the interpreter of the preferences, and the managed environment."""
    named = preferences(context).core
    return bpy.path.abspath(named) if named else "", managed_python(managed_folder())


def _look_again(_self: Any, context: Any) -> None:
    FINDER.start(*finder_arguments(context))


class VDEPTH_Preferences(bpy.types.AddonPreferences):
    """Where the core is, how it is installed, where depth goes."""

    bl_idname = __package__

    core: StringProperty(  # type: ignore[valid-type]
        name="Core",
        subtype="FILE_PATH",
        update=_look_again,
        description="Python, virtual environment or vdepth script to use instead of the installed core",
    )
    torch: EnumProperty(  # type: ignore[valid-type]
        name="Torch",
        description="Build of torch that Install Core installs",
        default=TORCH,
        items=(
            ("CPU", "CPU", "Runs everywhere; about 200 MB to download"),
            ("CUDA", "CUDA", "For NVIDIA graphics cards, on Linux and Windows; about 3 GB to download"),
            (
                "PYPI",
                "Default",
                "What PyPI has for this system; on a Mac it uses the GPU",
            ),
        ),
    )
    wheelhouse: StringProperty(  # type: ignore[valid-type]
        name="Wheels",
        subtype="DIR_PATH",
        description="Folder with every wheel the core needs, to install it without a network",
    )
    output: StringProperty(  # type: ignore[valid-type]
        name="Output",  # no DIR_PATH: Blender 5 draws names in braces that are not its own in red
        default=OUTPUT,
        description="Folder for a clip's depth; // is the folder of the .blend file, {clip} the clip's name",
    )

    def draw(self, context: Any) -> None:
        """Draws the preferences."""
        from .panels.environment import draw_core

        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "core")
        layout.prop(self, "torch")
        layout.prop(self, "wheelhouse")
        layout.prop(self, "output")
        draw_core(layout.column(), context)


CLASSES = (VDEPTH_Preferences,)
