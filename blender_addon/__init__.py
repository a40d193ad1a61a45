# SPDX-License-Identifier: GPL-3.0-or-later
"""Video Depth: drives the `vdepth` command on movie clips and builds scenes from its depth.

The package uses bpy and the standard library alone. Nothing imports bpy before `register`, so that the parts
that need no Blender (`core_process`, `result`) can be used and tested without it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MODULES = (
    "panels.preferences",
    "properties",
    "operators.environment",
    "operators.estimate",
    "operators.opening",
    "operators.preview",
    "operators.bake_beside",
    "operators.export",
    "operators.saving",
    "operators.watching",
    "operators.compositor",
    "operators.mesh",
    "operators.camera",
    "operators.floor",
    "operators.pick",
    "operators.shot",
    "operators.relight",
    "operators.view",
    "operators.clean",
    "panels.estimate",
    "panels.compositor",
    "panels.mesh",
    "panels.camera",
    "panels.relight",
    "panels.view",
    "panels.environment",
)
"""In order of registration. Each has ``CLASSES``, and ``register`` and ``unregister`` where it needs more."""


def _modules() -> list[ModuleType]:
    return [import_module(f".{name}", __package__) for name in MODULES]


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    import bpy

    for module in _modules():
        for cls in module.CLASSES:
            bpy.utils.register_class(cls)
        if hasattr(module, "register"):
            module.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled; leaves nothing behind."""
    import bpy

    for module in reversed(_modules()):
        if hasattr(module, "unregister"):
            module.unregister()
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)
