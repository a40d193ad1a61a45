"""Files are whole or not there."""

import os

import pytest

from vdepth_core.errors import ResourceError
from vdepth_core.files import (
    atomic_path,
    make_folder,
    remove_leftovers,
    temporary_beside,
    write_bytes,
)


def test_a_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def fail():
        with atomic_path(path) as temporary:
            assert temporary.parent == path.parent
            temporary.write_bytes(b"half")
            assert path.read_bytes() == b"old"
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_rename_is_a_sentence(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ResourceError, match="Permission denied") as caught:
        write_bytes(tmp_path / "a", b"new")
    assert "writable" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ResourceError, match="file"):
        make_folder(tmp_path / "file" / "sub")
    with pytest.raises(ResourceError, match="file"):
        write_bytes(tmp_path / "file" / "x", b"")


def test_leftovers_of_a_killed_process_go_and_nothing_else(tmp_path):
    temporary_beside(tmp_path / "c_depth.1001.exr").write_bytes(b"half")
    others = [tmp_path / name for name in ("c.tmp", ".hidden.tmp", "c_depth.1001.exr", ".vdepth")]
    for path in others:
        path.write_bytes(b"x")
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(others)
