"""The job folder belongs to one job and one process, and is only emptied of our own files."""

import os

import pytest

from vdepth_core.errors import JobConflictError, ResourceError
from vdepth_core.jobs.folder import JobFolder


def test_second_process_is_refused(tmp_path):
    with (
        JobFolder(tmp_path, "shot"),
        pytest.raises(JobConflictError, match="Another vdepth process"),
        JobFolder(tmp_path, "shot"),
    ):
        pass


def test_same_job_resumes_and_another_is_refused(tmp_path):
    with JobFolder(tmp_path, "shot") as folder:
        assert folder.claim("a", {"config": {"near": 1.0}}, overwrite=False) is False
    with JobFolder(tmp_path, "shot") as folder:
        assert folder.claim("a", {"config": {"near": 1.0}}, overwrite=False) is True
        with pytest.raises(JobConflictError, match=r"near.*--overwrite"):
            folder.claim("b", {"config": {"near": 2.0}}, overwrite=False)
        assert folder.load("job.json")["job"] == "a"


def test_overwrite_deletes_only_ours(tmp_path):
    mine = ["notes.txt", "shot_v2_depth.1001.exr", "shot_depth.1001.exr.bak", "other_depth.1001.exr"]
    ours = ["shot_depth.1001.exr", "shot_disparity.12345.exr", "manifest.json", "report.html", "preview.mp4"]
    with JobFolder(tmp_path, "shot") as folder:
        folder.claim("a", {}, overwrite=False)
        for name in mine + ours:
            (tmp_path / name).touch()
        folder.store(0).mkdir()
        folder.claim("b", {}, overwrite=True)
        assert folder.load("job.json")["job"] == "b"
        assert not folder.store(0).exists()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != ".vdepth") == sorted(mine)


def test_overwrite_knows_the_names_files_really_have(tmp_path):
    frame = tmp_path / "shot_take_1_depth.1001.exr"
    with JobFolder(tmp_path, "shot:take*1") as folder:
        frame.touch()
        folder.clear()
    assert not frame.exists()


def test_half_written_files_of_a_killed_run_are_swept(tmp_path):
    stale = tmp_path / ".shot_depth.1001.exr.123-456.tmp"
    with JobFolder(tmp_path, "shot") as folder:
        stale.touch()
        folder.sweep()
    assert not stale.exists()


@pytest.mark.skipif(os.name == "nt", reason="a path below a file is refused differently on Windows")
def test_unwritable_output_is_a_resource_error(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ResourceError, match="cannot be written"),
        JobFolder(tmp_path / "file" / "out", "shot"),
    ):
        pass


def test_impossible_size_is_refused_before_work(tmp_path):
    with JobFolder(tmp_path, "shot") as folder, pytest.raises(ResourceError, match="GB free"):
        folder.need(10**18)
