"""Files are whole or not there."""

import os
import re

import OpenImageIO as oiio
import pytest

from vdepth_core.errors import InputError, ResourceError
from vdepth_core.files import (
    Draft,
    atomic_path,
    make_folder,
    plain_files,
    require_file,
    require_folder,
    said_by_oiio,
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


def test_a_temporary_file_is_never_somebody_elses(tmp_path):
    path = tmp_path / "a"
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / ".a.tmp").symlink_to("theirs")
    with pytest.raises(ResourceError, match="exists"):
        Draft(path, tmp_path / ".a.tmp")
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_work_folder_with_a_link_is_refused(tmp_path):
    work = tmp_path / "work"
    assert plain_files(work) == {}
    (work / "sub").mkdir(parents=True)
    (work / "sub" / "file").write_bytes(b"x")
    assert list(plain_files(work)) == [work / "sub" / "file"]
    (work / "sub" / "link").symlink_to(tmp_path)
    with pytest.raises(ResourceError, match="link"):
        plain_files(work)
    (work / "sub" / "link").unlink()
    os.mkfifo(work / "pipe")
    with pytest.raises(ResourceError, match="neither"):
        plain_files(work)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_refused_before_it_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png is a pipe"):
        require_file(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="is a folder"):
        require_file(tmp_path)
    (tmp_path / "a.png").touch()
    require_file(tmp_path / "a.png")
    require_file(tmp_path / "gone.png")  # for whoever opens it to say


def test_what_openimageio_says_need_not_be_text(tmp_path):
    class Damaged:
        def geterror(self):
            return b"no such layer \xff".decode()

    assert said_by_oiio(Damaged()) == ""
    assert oiio.ImageInput.open(str(tmp_path / "gone.exr")) is None
    assert "gone.exr" in said_by_oiio(oiio)
    assert said_by_oiio(oiio) == ""


def test_a_file_where_a_folder_is_to_be_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    for path, words in (
        (tmp_path / "a", "it is a file"),
        (tmp_path / "a" / "b" / "c", f"{tmp_path / 'a'} is a file"),
    ):
        with pytest.raises(ResourceError, match=re.escape(f"{path} cannot be a folder: {words}")) as caught:
            require_folder(path)
        assert caught.value.exit_code == 5
        assert "-o" in caught.value.hint
    require_folder(tmp_path)
    require_folder(tmp_path / "new" / "newer")
