"""The add-on's house: no circle between files, imports point one way, only what needs Blender knows bpy."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "blender_addon"
FLOORS = (
    {"core_process", "result"},
    {"compat", "preferences", "options", "menus"},
    {"nodes"},
    {"scene"},
    {"properties", "settings", "presets", "operators"},
    {"panels"},
    {"", "batch", "bake_worker", "build_extension", "build_library"},
)
"""Rooms and single files; a file imports from its own floor and those above it in this list."""
WITHOUT_BPY = {"core_process", "result", "menus", "options", "build_extension"}
FOREIGN = {"torch", "vdepth_core"}


def name_of(path: Path) -> str:
    """``scene.mesh`` of ``scene/mesh.py``; "" of the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it; ours by their name in the add-on, after a dot."""
    package = list(path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            whole = ".".join(part for part in base if part)
            for alias in node.names:
                inner = f"{whole}.{alias.name}".lstrip(".")
                found.add("." + (inner if inner in MODULES else whole))
    return found


GRAPH = {name: imports(path) for name, path in MODULES.items()}
OURS = {name: {other[1:] for other in known if other.startswith(".")} for name, known in GRAPH.items()}
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room(name: str) -> str:
    return name.partition(".")[0]


def test_every_import_is_a_file_of_ours():
    assert set().union(*OURS.values()) <= MODULES.keys()
    assert OURS["operators.estimate"] >= {
        "operators.clip_operator",
        "result.manifest",
        "scene.source",
    }  # it sees them


def test_no_circle_between_files():
    try:
        TopologicalSorter(OURS).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(name or "the package" for name in error.args[1]))


def test_imports_point_one_way():
    assert {name for name in MODULES if room(name) not in FLOOR} == set(), "in no room of the house"
    assert [
        f"{name} imports {other}, further down in the house"
        for name in MODULES
        for other in OURS[name]
        if FLOOR[room(other)] > FLOOR[room(name)]
    ] == []


def test_only_what_needs_blender_knows_bpy():
    blender = {"bpy", "mathutils", "bmesh", "bl_ui", "bpy_extras", "bl_operators"}
    for name, known in GRAPH.items():
        tops = {other.partition(".")[0] for other in known if not other.startswith(".")}
        assert not tops & FOREIGN, f"{name} imports {tops & FOREIGN}"
        if room(name) in WITHOUT_BPY:
            assert not tops & blender, f"{name} imports {tops & blender}"


def test_result_and_core_process_load_without_blender():
    """Also what they import: a helper that needs bpy must not slip in."""
    names = [f"blender_addon.{name}" for name in MODULES if room(name) in WITHOUT_BPY]
    code = f"import importlib, sys\n[importlib.import_module(name) for name in {names}]\n"
    code += "assert not {'bpy', 'torch', 'vdepth_core'} & sys.modules.keys()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_files_stay_readable():
    assert not {name: n for name, path in MODULES.items() if (n := len(path.read_text().splitlines())) > 320}
