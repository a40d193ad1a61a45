# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the node groups of `nodes.library` as an asset library; run it in the oldest Blender to support.

blender --background --factory-startup --python blender_addon/build_library.py -- OUT
python blender_addon/build_library.py -- OUT            # where bpy is a module

OUT gets ``video_depth_nodes.blend`` and ``blender_assets.cats.txt``: add the folder under *Preferences > File
Paths > Asset Libraries*, or append from the file.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import bpy

BLEND, CATALOGUES = "video_depth_nodes.blend", "blender_assets.cats.txt"
CATALOGUE = "7e0f4a1c-5f57-4c6f-9d0e-3b8f0c1d2a64"
"""Of the groups; the same in every version, so that a studio's own sorting stays."""


def build(out: Path) -> Path:
    """Writes the library into a folder and returns the .blend.

    Args:
        out: The folder.
    """
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here.parent))
    library = importlib.import_module(f"{here.name}.nodes.library")
    groups = library.build_all()
    for group in groups:
        group.asset_data.catalog_id = CATALOGUE
    out.mkdir(parents=True, exist_ok=True)
    bpy.data.libraries.write(str(out / BLEND), set(groups), fake_user=True, compress=True)
    text = f"# Blender's list of catalogues.\nVERSION 1\n\n{CATALOGUE}:{library.PREFIX}:{library.PREFIX}\n"
    (out / CATALOGUES).write_text(text, encoding="utf-8")
    return out / BLEND


if __name__ == "__main__":
    bpy.ops.wm.read_factory_settings(use_empty=True)
    print(build(Path(sys.argv[sys.argv.index("--") + 1]).absolute()))
