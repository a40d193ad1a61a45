"""The job folder belongs to one job and one process; what vdepth did not write there is never touched."""

import os
import shutil

import numpy as np
import pytest

from vdepth_core import checksums
from vdepth_core.errors import JobConflictError, ResourceError
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.folder import JobFolder
from vdepth_core.jobs.record import ClipRecord, JobRecord, read_record
from vdepth_core.output.naming import JobNames
from vdepth_core.store import DepthStore

NAMES = JobNames("shot", ("depth", "disparity"), 1001, 1003)


def opened(out, names=NAMES, sources=()):
    return JobFolder(out, names, sources)


def record(job, near=1.0, digest="clip"):
    """A job's record; jobs of one ``near`` and digest are the same."""
    config = EstimateConfig(near=near)
    clip = ClipRecord(name="shot", file="shot.mp4", digest=digest)
    return JobRecord(
        job=job, vdepth="1", given=config, chosen=config, identity={"near": near}, clip=clip, threads=None
    )


def write(folder, *names, content=b"ours"):
    for name in names:
        with folder.place(folder.out / name) as temporary:
            temporary.write_bytes(content)


def made(out, *names, job="a"):
    with opened(out) as folder:
        folder.claim(record(job), overwrite=False)
        write(folder, *names)


def state(out):
    """All that is in a folder but our own work: content, time of change, or where a link leads."""
    return {
        str(path.relative_to(out)): os.readlink(path) if path.is_symlink() else
        (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in sorted(out.rglob("*")) if ".vdepth" not in path.parts
    }  # fmt: skip


def test_second_process_is_refused(tmp_path):
    with opened(tmp_path), pytest.raises(JobConflictError, match="Another vdepth process"), opened(tmp_path):
        pass


def test_same_job_resumes_and_another_is_refused(tmp_path):
    made(tmp_path, "shot_depth.1001.exr")
    with opened(tmp_path) as folder:
        assert folder.claim(record("a"), overwrite=False) is True
        with pytest.raises(JobConflictError, match=r"near.*--overwrite"):
            folder.claim(record("b", near=2.0), overwrite=False)
        assert read_record(tmp_path).job == "a"


@pytest.mark.parametrize(
    "name", ["manifest.json", "report.html", "preview.mp4", "shot_depth.1002.exr", "shot_disparity.1001.exr"]
)
@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
def test_a_name_taken_by_the_user_is_refused_before_anything_is_touched(tmp_path, name, kind):
    taken = tmp_path / name
    (tmp_path / "else").write_bytes(b"theirs")
    {
        "file": lambda: taken.write_bytes(b"theirs"),
        "link": lambda: taken.symlink_to("else"),
        "dangling link": lambda: taken.symlink_to("nowhere"),
        "folder": taken.mkdir,
    }[kind]()
    before = state(tmp_path)
    with pytest.raises(JobConflictError, match=name), opened(tmp_path):
        pass
    assert state(tmp_path) == before
    assert not (tmp_path / ".vdepth").exists()


def test_only_names_the_job_will_write_are_in_its_way(tmp_path):
    for name in (
        "notes.txt", "shot_v2_depth.1001.exr", "shot_depth.1001.exr.bak", "shot_depth.1003.exr",
        "shot_depth.01001.exr", "shot_normal.1001.exr", ".shot_depth.1001.exr.123-456.tmp",
    ):  # fmt: skip
        (tmp_path / name).write_bytes(b"theirs")
    before = state(tmp_path)
    made(tmp_path)
    assert state(tmp_path) == before


def test_of_a_movie_of_unknown_length_every_frame_counts(tmp_path):
    (tmp_path / "shot_depth.20000.exr").touch()
    with (
        pytest.raises(JobConflictError, match=r"shot_depth\.20000\.exr"),
        opened(tmp_path, JobNames("shot", ("depth",), 1001)),
    ):
        pass


def test_names_are_those_files_really_have(tmp_path):
    (tmp_path / "shot_take_1_depth.1001.exr").touch()
    with (
        pytest.raises(JobConflictError, match="take"),
        opened(tmp_path, JobNames("shot:take*1", ("depth",), 1001)),
    ):
        pass


@pytest.mark.parametrize("through", ["name", "link to the file", "link to the folder"])
def test_the_clips_own_folder_is_refused(tmp_path, through):
    plates, out = tmp_path / "plates", tmp_path / "plates"
    plates.mkdir()
    clip = plates / "clip.mp4"
    clip.write_bytes(b"theirs")
    if through == "link to the file":
        clip = tmp_path / "link.mp4"
        clip.symlink_to(plates / "clip.mp4")
    elif through == "link to the folder":
        out = tmp_path / "out"
        out.symlink_to(plates, target_is_directory=True)
    with pytest.raises(JobConflictError, match="holds the clip itself"), opened(out, sources=[clip]):
        pass
    assert [path.name for path in plates.iterdir()] == ["clip.mp4"]


def test_overwrite_replaces_one_by_one_and_keeps_the_rest_until_the_end(tmp_path):
    frames = ["shot_depth.1001.exr", "shot_depth.1002.exr", "other_depth.0001.exr"]
    made(tmp_path, *frames, "manifest.json")
    with opened(tmp_path) as folder:
        assert folder.claim(record("b", near=2.0), overwrite=True) is False
        assert all((tmp_path / name).read_bytes() == b"ours" for name in [*frames, "manifest.json"])
        write(folder, frames[0], content=b"new")
        folder.retire([frames[0], "manifest.json"])
        write(folder, "manifest.json", content=b"new")
        folder.conclude([frames[0], "manifest.json"])
    assert {name: content for name, (_, content) in state(tmp_path).items()} == {
        frames[0]: b"new",
        "manifest.json": b"new",
    }


def test_what_was_changed_by_hand_is_the_users(tmp_path):
    made(tmp_path, "shot_depth.1001.exr", "other_depth.1001.exr", "old_depth.1001.exr")
    facts = (tmp_path / "other_depth.1001.exr").stat()
    (tmp_path / "other_depth.1001.exr").write_bytes(b"mine")  # as long, and as old by its date
    os.utime(tmp_path / "other_depth.1001.exr", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with opened(tmp_path) as folder:
        folder.claim(record("b", near=2.0), overwrite=True)
        folder.retire([])
    assert {name: content for name, (_, content) in state(tmp_path).items()} == {
        "other_depth.1001.exr": b"mine"
    }
    made(tmp_path, "shot_depth.1001.exr", job="b")
    (tmp_path / "shot_depth.1001.exr").write_bytes(b"mine")
    with pytest.raises(JobConflictError, match="changed since"), opened(tmp_path):
        pass


def test_a_large_result_is_read_once(tmp_path, monkeypatch):
    made(tmp_path, "shot_depth.1001.exr", "shot_depth.1002.exr")
    read, real = [], checksums.sha256_of
    monkeypatch.setattr(checksums, "sha256_of", lambda path: (read.append(path.name), real(path))[1])
    with opened(tmp_path) as folder:
        assert folder.journal.owned("shot_depth.1001.exr")
    assert read == []  # who wrote them knows them
    (tmp_path / ".vdepth" / "seen.json").unlink()
    with opened(tmp_path) as folder:
        assert folder.journal.owned("shot_depth.1001.exr")
    assert sorted(read) == ["shot_depth.1001.exr", "shot_depth.1002.exr"]


def test_a_file_that_appears_while_the_job_runs_stays(tmp_path):
    with opened(tmp_path) as folder:
        folder.claim(record("a", near=2.0), overwrite=False)
        (tmp_path / "shot_depth.1001.exr").write_bytes(b"theirs")
        with pytest.raises(JobConflictError, match=r"1001"):
            write(folder, "shot_depth.1001.exr")
    assert (tmp_path / "shot_depth.1001.exr").read_bytes() == b"theirs"
    assert list((tmp_path / ".vdepth" / "tmp").iterdir()) == []


def test_a_damaged_configuration_still_resumes_the_same_job_and_refuses_another(tmp_path):
    made(tmp_path, "shot_depth.1001.exr")
    (tmp_path / ".vdepth" / "job.json").write_text("{ torn")
    with opened(tmp_path) as folder:
        with pytest.raises(JobConflictError):
            folder.claim(record("b", near=2.0), overwrite=False)
        assert folder.claim(record("a"), overwrite=False) is True
        assert read_record(tmp_path) == record("a")


def test_a_job_without_work_gives_way(tmp_path):
    made(tmp_path)
    with opened(tmp_path) as folder:
        assert folder.claim(record("b", near=2.0), overwrite=False) is False
        with DepthStore(folder.store(0), 2, 3, 4) as store:
            assert folder.claim(record("c", near=3.0), overwrite=False) is False
        with DepthStore(folder.store(0), 2, 3, 4) as store:
            store.raw.write(0, np.zeros((1, 3, 4)))
            with pytest.raises(JobConflictError, match="near"):
                folder.claim(record("d", near=4.0), overwrite=False)


def test_results_without_their_journal_are_the_users(tmp_path):
    made(tmp_path, "shot_depth.1001.exr")
    shutil.rmtree(tmp_path / ".vdepth")
    before = state(tmp_path)
    with pytest.raises(JobConflictError), opened(tmp_path):
        pass
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    "place", [".", "shot_0000", "shot_0000/raw.f32", "lock", "tmp", "journal.jsonl", "job.json"]
)
def test_links_in_the_work_folder_are_refused(tmp_path, place):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    made(out, "shot_depth.1001.exr")
    (out / ".vdepth" / "shot_0000").mkdir()
    elsewhere.mkdir()
    (elsewhere / "precious").write_bytes(b"theirs")
    link = out / ".vdepth" / place
    target = elsewhere
    if link.is_dir():
        shutil.rmtree(link)
    else:
        link.unlink(missing_ok=True)
        target = elsewhere / "precious"
    link.symlink_to(target)
    before = state(tmp_path)
    with pytest.raises(ResourceError, match="is a link"), opened(out):
        pass
    assert state(tmp_path) == before


def test_a_store_that_shares_its_file_with_another_name_is_refused(tmp_path):
    made(tmp_path)
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / ".vdepth" / "shot_0000").mkdir()
    os.link(tmp_path / "theirs", tmp_path / ".vdepth" / "shot_0000" / "raw.f32")
    with pytest.raises(ResourceError, match="hard link"), opened(tmp_path):
        pass


def test_a_work_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / ".vdepth").mkdir()
    (tmp_path / ".vdepth" / "job.json").write_text("mine")
    with pytest.raises(JobConflictError, match="no journal"), opened(tmp_path):
        pass
    assert [path.name for path in (tmp_path / ".vdepth").iterdir()] == ["job.json"]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / ".vdepth").write_text("mine")
    with pytest.raises(ResourceError, match="is a file"), opened(tmp_path / "two"):
        pass


def test_what_lies_in_the_work_folder_and_is_not_ours_outlives_it(tmp_path):
    made(tmp_path)
    work = tmp_path / ".vdepth"
    (work / "shot_0000").mkdir()
    theirs = [work / "notes.txt", work / "tmp" / "notes.tmp", work / "shot_0000" / "notes.txt"]
    ours = [work / "shot_0000" / name for name in ("raw.f32", "raw.f32.crc", "store.json")]
    for path in theirs + ours:
        path.write_bytes(b"x")
    (work / "tmp" / "0123456789abcdef.tmp").write_bytes(b"half")
    other = record("b").model_copy(update={"identity": {"near": 1.0, "seed": 1}})
    with opened(tmp_path) as folder:
        folder.claim(other, overwrite=True)
    assert all(path.exists() for path in theirs)
    assert not any(path.exists() for path in ours)
    assert not (work / "tmp" / "0123456789abcdef.tmp").exists()


@pytest.mark.skipif(os.name == "nt", reason="a path below a file is refused differently on Windows")
def test_unwritable_output_is_a_resource_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="cannot be written"), opened(tmp_path / "file" / "out"):
        pass


def test_impossible_size_is_refused_before_work(tmp_path):
    with opened(tmp_path) as folder, pytest.raises(ResourceError, match="GB free"):
        folder.need(10**18)
