# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by *Bake Range* in a Blender of its own: opens a copy of the file and writes a mesh's frame range.

blender --background --python bake_worker.py -- COPY.blend OBJECT FILE full|viewport

Says ``vdepth-frame N`` at every frame, ``vdepth-error SENTENCE`` when it cannot.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import bpy


def main(copy: str, name: str, path: str, stride: str) -> int:
    """Writes the file; the exit code.

    Args:
        copy: The .blend.
        name: Of the object, in the file's scene.
        path: The file to write.
        stride: ``full`` for that of renders.
    """
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here.parent))
    bake = importlib.import_module(f"{here.name}.scene.bake")
    bpy.ops.wm.open_mainfile(filepath=copy)
    obj = bpy.context.scene.objects.get(name)
    try:
        bake.bake_range(bpy.context, obj, path, full=stride == "full", step=_say)
    except bake.ResultError as error:
        print(f"vdepth-error {error}", flush=True)
        return 1
    return 0


def _say(frame: int) -> None:
    print(f"vdepth-frame {frame}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[sys.argv.index("--") + 1 :]))
