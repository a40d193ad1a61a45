"""The extension's archive, as far as it can be judged without Blender."""

import hashlib
import json
import zipfile

import pytest
from wheels import fake_core

import vdepth_core
from blender_addon import build_extension
from blender_addon.build_extension import (
    ADDON,
    MANIFEST,
    BuildError,
    check_manifest,
    contents,
    core_version,
    repository_index,
    write_archive,
)


@pytest.fixture
def archive(tmp_path):
    """Built with a tiny wheel in the core's place."""
    path = tmp_path / "out" / "vdepth-0.1.0.zip"
    path.parent.mkdir()
    write_archive(path, contents(fake_core(tmp_path, "0.1.0")))
    return path


def test_versions_are_one():
    assert core_version() == vdepth_core.__version__
    assert check_manifest(ADDON / MANIFEST, vdepth_core.__version__)["id"] == "vdepth"


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('version = "0.1.0"', 'version = "0.1.1"', r"has version 0\.1\.1, the core 0\.1\.0"),
        ('id = "vdepth"', "", "lacks id"),
        ('"Tracking"', '"Depth"', "tags that Blender does not know: Depth"),
        ("[permissions]", 'wheels = ["./a.whl"]\n[permissions]', "must not go into Blender's own Python"),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path, before, after, sentence):
    text = (ADDON / MANIFEST).read_text(encoding="utf-8")
    assert before in text
    path = tmp_path / MANIFEST
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(BuildError, match=sentence):
        check_manifest(path, "0.1.0")


def test_the_archive_has_all_it_needs_and_nothing_else(archive):
    names = zipfile.ZipFile(archive).namelist()
    assert names == sorted(names)
    wanted = {MANIFEST, "__init__.py", "LICENSE", "wheels_core/constraints.txt", "core_process/client.py"}
    assert wanted <= set(names)
    assert "wheels_core/vdepth-0.1.0-py3-none-any.whl" in names
    assert not [name for name in names if "__pycache__" in name or "build_extension" in name]
    modules = {path.relative_to(ADDON).as_posix() for path in ADDON.rglob("*.py")}
    assert modules - set(names) == {"build_extension.py", "build_library.py"}


def test_the_same_sources_give_the_same_bytes(archive, tmp_path):
    again = tmp_path / "again.zip"
    files = contents(fake_core(tmp_path, "0.1.0"))
    wheel = "wheels_core/vdepth-0.1.0-py3-none-any.whl"
    files[wheel] = zipfile.ZipFile(archive).read(wheel)  # the test's own wheel bears its time
    write_archive(again, dict(reversed(files.items())))
    assert again.read_bytes() == archive.read_bytes()


def test_every_file_bears_its_licence(archive):
    with zipfile.ZipFile(archive) as files:
        assert b"GNU GENERAL PUBLIC LICENSE" in files.read("LICENSE")[:200]
        for name in files.namelist():
            if name.endswith(".py"):
                assert files.read(name).startswith(b"# SPDX-License-Identifier: GPL-3.0-or-later\n"), name


def test_the_index_points_at_the_archive(archive):
    index = repository_index(archive.parent)
    assert (index["version"], index["blocklist"]) == ("v1", [])
    (entry,) = index["data"]
    data = archive.read_bytes()
    assert entry["archive_url"] == "./vdepth-0.1.0.zip"
    assert entry["archive_size"] == len(data)
    assert entry["archive_hash"] == "sha256:" + hashlib.sha256(data).hexdigest()
    assert (entry["id"], entry["type"], entry["blender_version_min"]) == ("vdepth", "add-on", "4.2.0")
    json.dumps(index)


def test_build_writes_both_and_leaves_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(build_extension, "build_wheel", lambda folder: fake_core(folder, "0.1.0"))
    monkeypatch.setattr(build_extension, "blender_validator", list)
    build_extension.build(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["index.json", "vdepth-0.1.0.zip"]
