"""Tiny wheels: what pip needs of vdepth and torch to install them, in a few hundred bytes."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

_MAIN = """
import json, sys
print(json.dumps({"vdepth": "VERSION", "python": sys.version.split()[0], "events": 1}))
"""


def fake_core(folder: Path, version: str) -> Path:
    """A vdepth that answers the handshake and wants torch, and for its extra a package that nobody has."""
    files = {"vdepth_core/__init__.py": "", "vdepth_core/__main__.py": _MAIN.replace("VERSION", version)}
    return write_wheel(folder, "vdepth", "0.1.0", files, ("torch>=2.5", "onnxruntime; extra == 'fast'"))


def fake_torch(folder: Path, version: str) -> Path:
    """A torch that is none."""
    return write_wheel(folder, "torch", version, {"torch/__init__.py": f"__version__ = {version!r}\n"})


def write_wheel(
    folder: Path, name: str, version: str, files: dict[str, str], requires: Sequence[str] = ()
) -> Path:
    """A wheel with ``files``."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {package}\n" for package in requires)
    if any("extra" in package for package in requires):
        needs = f"Provides-Extra: fast\n{needs}"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path
