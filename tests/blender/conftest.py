"""Tests in Blender as a module: run in an environment of bpy's own, with VDEPTH_PYTHON naming the core's.

python -m venv .venv-bpy && .venv-bpy/bin/pip install 'bpy==5.0.1' 'numpy<2' pytest pytest-xdist
VDEPTH_PYTHON=.venv-test/bin/python .venv-bpy/bin/pytest -n 2 --dist loadfile tests/blender
"""

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest

if importlib.util.find_spec("bpy") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    if "PYTEST_XDIST_WORKER" in os.environ or "BLENDER_USER_RESOURCES" not in os.environ:  # each its own
        os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="vdepth-blender-")
    ROOT = Path(__file__).parents[2]
    sys.path.insert(0, str(ROOT))

    @pytest.fixture(scope="session")
    def addon():
        """The add-on, registered in this Blender for the whole session."""
        import bpy

        bpy.ops.wm.read_factory_settings(use_empty=True)
        import blender_addon

        blender_addon.register()
        yield blender_addon
        blender_addon.unregister()

    @pytest.fixture
    def blender(addon):
        """bpy with an empty file and the add-on registered."""
        import bpy

        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        return bpy

    @pytest.fixture(scope="session")
    def core_python() -> str:
        """The interpreter the core is installed in."""
        path = os.environ.get("VDEPTH_PYTHON", "")
        if not path:
            pytest.skip("VDEPTH_PYTHON names no interpreter with vdepth_core")
        return path

    @pytest.fixture
    def settings(blender, core_python, tmp_path):
        """Settings for three small frames of the demo clip."""
        settings = blender.context.scene.vdepth
        settings.clip = blender.data.movieclips.load(str(ROOT / "vdepth_core" / "demo" / "clip.mp4"))
        settings.folder = str(tmp_path / "out" / "{clip}")
        settings.preset, settings.size = "draft", 64
        settings.range, settings.frame_start, settings.frame_end = "CUSTOM", 6, 8
        return settings

    @pytest.fixture(scope="session")
    def demo_job(core_python, tmp_path_factory) -> Path:
        """Folder of a finished job on the bundled clip: depth, disparity, normals, numbers from 1."""
        import subprocess

        out = tmp_path_factory.mktemp("demo") / "job"
        clip = ROOT / "vdepth_core" / "demo" / "clip.mp4"
        subprocess.run(
            [core_python, "-m", "vdepth_core", "estimate", str(clip), "-o", str(out), "--start-frame", "1",
             "--frames", "0-11", "--normals", "--preset", "draft", "--size", "96",
             "--near", "1", "--far", "8", "--fov", "63.6549"],
            check=True, capture_output=True, cwd=tmp_path_factory.getbasetemp(),
        )  # fmt: skip
        return out
