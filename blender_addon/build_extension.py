# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the extension: ``python -m blender_addon.build_extension OUT``, from the repository. No bpy in here.

OUT gets ``vdepth-<version>.zip`` (the add-on, the core's wheel and the licence; the same bytes each time) and
``index.json``, so that the folder can be served as an extension repository as it is; where there is a
Blender, ``nodes/`` too, the node groups as an asset library (`build_library`).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ADDON = Path(__file__).parent
LIBRARY = ADDON / "build_library.py"
MANIFEST = "blender_manifest.toml"
_REQUIRED = (
    *("schema_version", "id", "version", "name", "tagline", "maintainer", "type"),
    *("license", "blender_version_min"),
)
_LISTED = (*_REQUIRED, "blender_version_max", "website", "copyright", "permissions", "tags", "platforms")
_SHIPPED = {".py", ".toml", ".json"}
# https://docs.blender.org/manual/en/latest/advanced/extensions/tags.html
_TAGS = frozenset(
    (
        *("3D View", "Add Curve", "Add Mesh", "Animation", "Bake", "Camera", "Compositing", "Development"),
        *("Game Engine", "Geometry Nodes", "Grease Pencil", "Import-Export", "Lighting", "Material"),
        *("Modeling", "Mesh", "Node", "Object", "Paint", "Pipeline", "Physics", "Render", "Rigging", "Scene"),
        *("Sculpt", "Sequencer", "System", "Text Editor", "Tracking", "User Interface", "UV"),
    )
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """The extension cannot be built; the message is one sentence."""


def build(out: Path) -> Path:
    """Builds the extension and the repository's index into ``out`` and returns the archive.

    Raises:
        BuildError: the manifest is wrong, the wheel cannot be built, or Blender refuses the result.
    """
    manifest = check_manifest(ADDON / MANIFEST, core_version())
    out.mkdir(parents=True, exist_ok=True)
    archive = out / f"{manifest['id']}-{manifest['version']}.zip"
    with tempfile.TemporaryDirectory() as folder:
        files = contents(build_wheel(Path(folder)))
        part = archive.with_suffix(".part")
        write_archive(part, files)
        os.replace(part, archive)
    validate_with_blender(archive)
    index = json.dumps(repository_index(out), indent=2) + "\n"
    (out / "index.json").write_text(index, encoding="utf-8")
    return archive


def core_version() -> str:
    """The version in the core's sources."""
    source = (ROOT / "vdepth_core" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    if found is None:
        raise BuildError("vdepth_core/version.py has no __version__.")
    return found.group(1)


def check_manifest(path: Path, version: str) -> dict[str, Any]:
    """Reads the manifest and checks it as far as that needs no Blender.

    Raises:
        BuildError: it lacks a key, has an unknown tag, or is not of ``version``.
    """
    manifest = tomllib.loads(path.read_text(encoding="utf-8"))
    if missing := [key for key in _REQUIRED if not manifest.get(key)]:
        raise BuildError(f"{path.name} lacks {', '.join(missing)}.")
    if unknown := sorted(set(manifest.get("tags", ())) - _TAGS):
        raise BuildError(f"{path.name} has tags that Blender does not know: {', '.join(unknown)}.")
    if manifest["version"] != version:
        raise BuildError(
            f"{path.name} has version {manifest['version']}, the core {version}: make them equal."
        )
    if manifest.get("wheels"):
        raise BuildError(f"{path.name} lists wheels: the core must not go into Blender's own Python.")
    return manifest


def build_wheel(folder: Path) -> Path:
    """The core's wheel, built with pip.

    Raises:
        BuildError: pip failed.
    """
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("vdepth-*.whl"))
    if done.returncode or not wheels:
        raise BuildError(f"pip could not build the core's wheel: {done.stderr.strip()[-500:]}")
    return wheels[0]


def contents(wheel: Path) -> dict[str, bytes]:
    """What goes into the archive, by name."""
    files = {
        path.relative_to(ADDON).as_posix(): path.read_bytes()
        for path in ADDON.rglob("*")
        if path.suffix in _SHIPPED and path.is_file() and path not in {Path(__file__), LIBRARY}
    }
    files["LICENSE"] = (ADDON / "LICENSE").read_bytes()
    files[f"wheels_core/{wheel.name}"] = wheel.read_bytes()
    files["wheels_core/constraints.txt"] = (ROOT / "constraints.txt").read_bytes()
    return files


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    """Writes a zip that depends on nothing but its contents."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # the same on every system
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])


def blender_validator() -> list[str]:
    """Command that validates an archive with Blender's own code, or [] where there is none."""
    if blender := shutil.which("blender"):
        return [blender, "--command", "extension", "validate"]
    if (bpy := importlib.util.find_spec("bpy")) is not None and bpy.origin:
        for tool in Path(bpy.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return [sys.executable, str(tool), "validate"]
    return []


def build_library(out: Path) -> Path | None:
    """Has a Blender write the node groups into ``out/nodes``; None where there is no Blender.

    Raises:
        BuildError: it failed.
    """
    script = ["--", str(out.absolute() / "nodes")]
    if blender := shutil.which("blender"):
        command = [blender, "--background", "--factory-startup", "--python", str(LIBRARY), *script]
    elif importlib.util.find_spec("bpy") is not None:
        command = [sys.executable, str(LIBRARY), *script]
    else:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    files = sorted((out / "nodes").glob("*.blend"))
    if done.returncode or not files:
        raise BuildError(f"Blender wrote no node groups: {(done.stderr or done.stdout).strip()[-500:]}")
    return files[0]


def validate_with_blender(archive: Path) -> None:
    """Asks Blender, where there is one.

    Raises:
        BuildError: Blender refuses the archive.
    """
    if not (command := blender_validator()):
        return
    done = subprocess.run([*command, str(archive)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"Blender refuses {archive.name}: {(done.stderr or done.stdout).strip()[-500:]}")


def repository_index(folder: Path) -> dict[str, Any]:
    """The listing of all extensions in a folder, as ``extension server-generate`` writes it."""
    listing = []
    for archive in sorted(folder.glob("*.zip")):
        data = archive.read_bytes()
        with zipfile.ZipFile(archive) as file:
            manifest = tomllib.loads(file.read(MANIFEST).decode("utf-8"))
        entry = {key: manifest[key] for key in _LISTED if key in manifest}
        listing.append(
            entry
            | {
                "archive_url": f"./{archive.name}",
                "archive_size": len(data),
                "archive_hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
            }
        )
    return {"version": "v1", "blocklist": [], "data": listing}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the Blender extension and a repository index for it.")
    parser.add_argument("out", type=Path, help="folder for the archive and index.json")
    try:
        out = parser.parse_args().out
        archive, library = build(out), build_library(out)
    except BuildError as error:
        raise SystemExit(f"build_extension: {error}") from None
    checked = "validated by Blender" if blender_validator() else "not validated by Blender, which is not here"
    print(library or "no node groups: there is no Blender here")
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB, {checked}")


if __name__ == "__main__":
    main()
