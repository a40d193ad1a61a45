"""The extension in Blender: valid, installed, used, and gone without a trace."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from blender_addon import build_extension


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """The real extension, with the real core in it; Blender validates it while it is built."""
    assert build_extension.blender_validator()
    return build_extension.build(tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def seen(archive, core_python, tmp_path_factory) -> dict:
    """What a Blender with nothing else in it saw."""
    import os

    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("extension_host.py")), str(archive)],
        env=os.environ | {"BLENDER_USER_RESOURCES": str(home), "VDEPTH_PYTHON": core_python},
        capture_output=True, text=True, cwd=home, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1]) | {"home": str(home)}


def test_blender_writes_the_same_index(archive, tmp_path):
    (tmp_path / archive.name).write_bytes(archive.read_bytes())
    *tool, _ = build_extension.blender_validator()
    subprocess.run([*tool, "server-generate", "--repo-dir", str(tmp_path)], check=True, capture_output=True)
    theirs = json.loads((tmp_path / "index.json").read_text())
    assert theirs == json.loads((archive.parent / "index.json").read_text())


def test_it_is_installed_with_all_its_panels(seen):
    for editor in ("VIEW3D", "CLIP"):
        for name in ("estimate", "environment"):
            assert f"{editor}_PT_vdepth_{name}" in seen["panels"]
    assert {"LICENSE", "blender_manifest.toml", "wheels_core"} <= set(seen["files"])
    assert seen["output"] == "//depth/{clip}/"


def test_it_finds_the_core_and_carries_one(seen, core_python):
    assert (seen["found"], seen["core"]) == (["FINISHED"], core_python)
    assert seen["preference"] == "/nowhere/python"
    assert seen["wheel"] == "vdepth-0.1.0-py3-none-any.whl"
    assert Path(seen["managed"]).is_relative_to(seen["home"])
    assert seen["managed"].endswith(str(Path("user_default", "vdepth", "core")))
    assert "Video Depth: 0.1.0 as bl_ext.user_default.vdepth\n" in seen["details"]


def test_disabling_leaves_nothing_behind(seen):
    assert all(seen["added"][kind] for kind in ("classes", "operators", "properties", "handlers"))
    assert not any(seen["left"].values()), seen["left"]
    assert not any(seen["gone"].values()), seen["gone"]
    assert not seen["timer"]


def test_enabling_it_again_brings_all_back(seen):
    assert seen["again"]
