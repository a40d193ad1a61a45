"""Run in a Blender of its own: installs, uses and disables an extension, and prints what it saw as JSON."""

import json
import sys
import threading
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.vdepth"
TYPES = (
    *("Operator", "Panel", "Menu", "UIList", "PropertyGroup", "AddonPreferences", "Header"),
    *("Gizmo", "GizmoGroup", "KeyingSet", "NodeTree", "Node", "NodeSocket"),
)
ROOTS = ("Scene", "MovieClip", "WindowManager", "Object", "Image", "Camera", "Collection", "Material")


def snapshot() -> dict[str, list[str]]:
    """Everything an add-on can leave behind."""
    keyconfig = bpy.context.window_manager.keyconfigs.addon
    maps = keyconfig.keymaps if keyconfig else []
    lists = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    handlers = [f"{name}: {f}" for name, fs in lists.items() if isinstance(fs, list) for f in fs]
    kinds = [cls for base in TYPES for cls in getattr(bpy.types, base).__subclasses__()]
    properties = [f"{name}.{p}" for name in ROOTS for p in getattr(bpy.types, name).bl_rna.properties.keys()]  # noqa: SIM118
    return {
        "classes": sorted(cls.__name__ for cls in kinds if cls.is_registered),
        "types": sorted(dir(bpy.types)),
        "operators": sorted(dir(bpy.ops.vdepth)),
        "properties": sorted(properties),
        "keymaps": sorted(f"{m.name} {i.idname}" for m in maps for i in m.keymap_items),
        "handlers": sorted(handlers),
        "threads": sorted(t.name for t in threading.enumerate() if "vdepth" in t.name),
    }


def main() -> None:
    """Prints one JSON object as the last line."""
    archive = sys.argv[-1]
    before = snapshot()
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=archive, enable_on_install=True, overwrite=True
    )
    addon = bpy.context.preferences.addons[MODULE]
    package = sys.modules[MODULE]
    facts = {
        "panels": [name for name in dir(bpy.types) if "_PT_vdepth_" in name],
        "output": addon.preferences.output,
        "files": sorted(p.name for p in Path(package.__file__).parent.iterdir() if p.name != "__pycache__"),
    }
    preferences = sys.modules[f"{MODULE}.preferences"]
    install = sys.modules[f"{MODULE}.core_process.install"]
    environment = sys.modules[f"{MODULE}.operators.environment"]
    facts["managed"] = str(preferences.managed_folder())
    facts["wheel"] = install.wheel_in(Path(package.__file__).parent)[0].name
    facts["found"] = list(bpy.ops.vdepth.find_core())
    facts["core"] = str(preferences.FINDER.core.path)
    facts["details"] = environment.details()
    addon.preferences.core = "/nowhere/python"
    facts["preference"] = preferences.finder_arguments()[0]
    enabled = snapshot()
    bpy.ops.preferences.addon_disable(module=MODULE)
    for thread in threading.enumerate():  # what was being asked of the core is answered soon
        if "vdepth" in thread.name:
            thread.join(30)
    disabled = snapshot()
    facts["left"] = {kind: sorted(set(after) - set(before[kind])) for kind, after in disabled.items()}
    facts["gone"] = {kind: sorted(set(before[kind]) - set(after)) for kind, after in disabled.items()}
    facts["timer"] = bpy.app.timers.is_registered(environment._first_look)
    facts["added"] = {kind: len(set(names) - set(before[kind])) for kind, names in enabled.items()}
    bpy.ops.preferences.addon_enable(module=MODULE)
    again = snapshot()
    facts["again"] = all(
        set(again[kind]) >= set(enabled[kind]) for kind in ("classes", "operators", "properties")
    )
    print("\n" + json.dumps(facts))


main()
