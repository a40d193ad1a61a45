"""What `verify` finds in a finished job, in one that is not, and where there is none."""

import json

import pytest

from vdepth_core.errors import InputError
from vdepth_core.output.damage import damaged
from vdepth_core.output.journal import WORK, Fault, FileEntry, Journal
from vdepth_core.output.manifest import read_manifest, write_manifest
from vdepth_core.output.naming import manifest_path
from vdepth_core.output.verify import verify
from vdepth_core.progress import Progress


@pytest.fixture
def known(job):
    """A finished job whose manifest says what its files hold."""
    made = read_manifest(manifest_path(job))
    files = {name: FileEntry.of(job / name) for name in made.names}
    write_manifest(made.model_copy(update={"files": files}), manifest_path(job))
    return job


class Stages(Progress):
    def __init__(self):
        super().__init__()
        self.said = []

    def stage(self, name, total):
        self.said.append((name, total))


def test_every_file_of_a_finished_job_is_read(known):
    progress = Stages()
    found = verify(known, progress)
    assert (found.out, found.job, found.finished, found.files, found.faults) == (known, "f00d", True, 11, ())
    assert progress.said == [("verify", 10)]
    frames = sorted(path for path in known.iterdir() if path.suffix == ".exr")
    data = bytearray(frames[3].read_bytes())
    data[len(data) // 2] ^= 1
    frames[3].write_bytes(data)
    frames[7].unlink()
    found = verify(known)
    assert found.faults == (Fault(frames[3].name, "damaged"), Fault(frames[7].name, "missing"))
    assert found.files == 11


def test_a_job_without_checksums_or_none_at_all_is_refused(job, tmp_path):
    with pytest.raises(InputError, match="kept no checksums"):
        verify(job)
    with pytest.raises(InputError, match="manifest"):
        verify(tmp_path / "nothing")


def begun(out, *names):
    (out / WORK).mkdir(parents=True, exist_ok=True)
    journal = Journal(out)
    journal.open()
    journal.begin("a job")
    for name in names:
        with journal.place(out / name) as temporary:
            temporary.write_bytes(name.encode())
    return journal


def test_an_unfinished_job_is_what_its_journal_says(tmp_path):
    begun(tmp_path, "a", "b", "c").close()
    found = verify(tmp_path)
    assert (found.job, found.finished, found.files, found.faults) == ("a job", False, 3, ())
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").unlink()
    found = verify(tmp_path)
    assert found.faults == (Fault("a", "damaged"), Fault("b", "missing"))


def test_a_manifest_is_the_journals_too(known):
    journal = begun(known)
    assert not verify(known).finished  # the folder's next job has begun
    journal.begin("f00d")
    journal.close()
    assert verify(known).faults == (Fault("manifest.json", "damaged"),)  # nobody noted it
    path = manifest_path(known)
    journal = Journal(known)
    journal.open()
    journal.note(path.name, FileEntry.of(path))
    journal.close()
    assert verify(known).faults == ()
    path.write_text(path.read_text() + "\n")
    assert verify(known).faults == (Fault("manifest.json", "damaged"),)
    path.unlink()
    assert not verify(known).finished


@pytest.mark.parametrize("lost", ["everything", "the manifest's line"])
def test_a_journal_that_lost_lines_is_filled_from_the_second_manifest(known, lost):
    journal = begun(known)
    journal.begin("f00d")
    for path in known.iterdir():
        if path.is_file():
            journal.note(path.name, FileEntry.of(path))
    journal.close()
    write_manifest(read_manifest(manifest_path(known)), manifest_path(known / WORK))
    lines = (known / WORK / "journal.jsonl").read_bytes().splitlines(keepends=True)
    kept = [] if lost == "everything" else [line for line in lines if b"manifest.json" not in line]
    (known / WORK / "journal.jsonl").write_bytes(b"".join(kept))
    assert verify(known).faults == ()
    manifest_path(known).write_text(manifest_path(known).read_text() + "\n")
    assert verify(known).faults == (Fault("manifest.json", "damaged"),)


@pytest.mark.parametrize(
    ("name", "whole", "spoiled", "theirs"),
    [
        ("a.json", b'{"a": 1}', [b'{"a": 1', b"{\xff}"], [b'{"b": 2}', b"[1, 2", b"words"]),
        ("a.html", b"<!doctype html></html>\n", [b"<!doctype html></htm"], [b"<!x></html> \n", b"<p>"]),
    ],
)
def test_text_is_ours_by_its_beginning_and_damaged_by_its_end(tmp_path, name, whole, spoiled, theirs):
    path = tmp_path / name
    for content, wanted in [
        (whole, False),
        (b"", True),
        *((s, True) for s in spoiled),
        *((t, False) for t in theirs),
    ]:
        path.write_bytes(content)
        assert damaged(path, {len(whole)}) is wanted, content
    assert not damaged(tmp_path / "gone.json", {1})
    other = tmp_path / "a.txt"
    other.write_bytes(b"{")
    assert not damaged(other, {1})


def test_a_film_is_told_by_its_length_or_by_what_plays(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(50))
    assert damaged(path, {62})
    assert damaged(path, {61})  # nothing in it plays
    path.write_bytes(b"not a film" + bytes(50))
    assert not damaged(path, {60})


def test_deep_nonsense_is_no_manifest_and_numbers_of_frames_must_agree(job, manifest):
    path = manifest_path(job)
    values = json.loads(path.read_text())
    for name in ("pts", "times"):
        for count, fits in ((5, True), (0, True), (4, False), (6, False)):
            clip = values["clip"] | {name: (values["clip"][name] * 2)[:count]}
            path.write_text(json.dumps(values | {"clip": clip}))
            if fits:
                assert read_manifest(path).count == 5
            else:
                with pytest.raises(InputError, match=f"one of clip.{name} a frame"):
                    read_manifest(path)
    path.write_text(json.dumps(values | {"shots": []}))
    with pytest.raises(InputError, match="no shots"):
        read_manifest(path)
    schema = values["schema_version"]
    path.write_text(json.dumps(values | {"schema_version": schema + 1}))
    with pytest.raises(InputError, match="later version"):
        read_manifest(path)
    path.write_text(json.dumps(values))
    assert read_manifest(path).schema_version == schema
