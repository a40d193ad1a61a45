# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences, as Blender keeps and draws them; `..preferences` reads them."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ..preferences import ADDON, FINDER, OUTPUT, TORCH, finder_arguments
from .environment import draw_core


def _look_again(_self: Any, context: Any) -> None:
    FINDER.start(*finder_arguments(context))


class VDEPTH_Preferences(bpy.types.AddonPreferences):
    """Where the core is, how it is installed, where depth goes."""

    bl_idname = ADDON

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
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "core")
        layout.prop(self, "torch")
        layout.prop(self, "wheelhouse")
        layout.prop(self, "output")
        draw_core(layout.column(), context)


CLASSES = (VDEPTH_Preferences,)
