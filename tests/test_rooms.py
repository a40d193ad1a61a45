"""The house keeps its order: imports point only upwards, nothing heavy loads before it is needed."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

import pytest

import vdepth_core

ROOT = Path(vdepth_core.__file__).parent
ADDON = Path(__file__).parents[1] / "blender_addon"
ROOMS = [
    (
        "choices",
        "types",
        "protocols",
        "errors",
        "files",
        "checksums",
        "store",
        "progress",
        "version",
        "budget",
        "runs",
    ),
    ("options", "plugins", "seams"),
    ("clip",),
    ("geometry", "flow"),
    ("align",),
    ("networks",),
    ("weights",),
    ("scenes",),
    ("models",),
    ("methods",),
    ("refiners",),
    ("output",),
    ("evaluation", "demo"),
    ("views",),
    ("learning",),
    ("adaptation",),
    ("training", "plates"),
    ("jobs",),
    ("metric",),
    ("cli",),
]
FLOOR = {room: number for number, rooms in enumerate(ROOMS) for room in rooms}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _modules(path: Path) -> set[tuple[str, ...]]:
    """Modules of ours, and names in them, that a module imports, anywhere in it."""
    package = ["vdepth_core", *path.relative_to(ROOT).parts[:-1]]
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            found |= {(*module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
    return {name for name in found if name[0] == "vdepth_core"}


def _room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Rooms of ours that a module imports."""
    return {name[1] for name in _modules(path) if len(name) > 1}


@cache
def _file(name: tuple[str, ...]) -> Path | None:
    """The file behind an imported name: the module itself, or the one it is a name in."""
    for parts in (name[1:], name[1:-1]):
        module = ROOT.joinpath(*parts)
        for path in (module.with_suffix(".py"), module / "__init__.py"):
            if parts and path.is_file():
                return path
    return None


DOORS = ("__init__.py", "__main__.py")  # they lead into the house and are no rooms
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.name not in DOORS)


def test_imports_point_upwards():
    rooms = {path: _room(path) for path in MODULES}
    assert {room for room in rooms.values() if room not in FLOOR} == set(), "not a room of the house"
    assert [
        f"{path.relative_to(ROOT)} imports {other}, which is below {room}"
        for path, room in rooms.items()
        if room != "cli" and path.name != "main.py"
        for other in _imports(path) & FLOOR.keys()
        if FLOOR[other] > FLOOR[room]
    ] == []


def test_no_import_circle_between_files():
    graph = {path: {file for name in _modules(path) if (file := _file(name))} - {path} for path in MODULES}
    rooms: dict[str, set[str]] = {}
    for path, others in graph.items():
        room = _room(path)
        rooms.setdefault(room, set()).update(
            other.relative_to(ROOT).parts[0].removesuffix(".py") for other in others
        )
    for room in sorted(rooms, key=FLOOR.get):
        print(f"{room:12} -> {' '.join(sorted(rooms[room] - {room}, key=FLOOR.get))}")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(str(path.relative_to(ROOT)) for path in error.args[1]))


def test_nothing_imports_cli():
    users = [path for path in MODULES if "cli" not in path.parts and "cli" in _imports(path)]
    assert users == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["inspect", "--help"], ["estimate", "--help"]]
)
def test_help_never_imports_heavy_packages(arguments):
    code = (
        "import sys\nfrom vdepth_core.cli.main import app\n"
        f"sys.argv = ['vdepth', *{arguments!r}]\n"
        "try:\n    app()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'cv2', 'av', 'scenedetect', 'OpenEXR'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("tree", [ROOT, ADDON], ids=lambda tree: tree.name)
def test_files_stay_readable(tree):
    lines = {
        str(path.relative_to(tree)): len(path.read_text(encoding="utf-8").splitlines())
        for path in tree.rglob("*.py")
    }
    *_, p90 = quantiles(lines.values(), n=10)
    print(
        f"{tree.name}: {len(lines)} files, lines a file: median {median(lines.values()):.0f}, "
        f"p90 {p90:.0f}, max {max(lines.values())}"
    )
    assert {name: count for name, count in lines.items() if count > 500} == {}


def test_python_files_carry_no_stray_prints():
    users = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if path.relative_to(ROOT).parts[0] not in {"cli", "training"}
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert users == []
