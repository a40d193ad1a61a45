"""The journal: what was written is known before it appears, whatever happened in between."""

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from vdepth_core.errors import ResourceError
from vdepth_core.output.journal import FileEntry, Journal, not_ours


def started(out):
    (out / ".vdepth").mkdir(exist_ok=True)
    journal = Journal(out)
    journal.open()
    return journal


def put(journal, name, content):
    with journal.place(journal.out / name) as temporary:
        temporary.write_bytes(content)


def lines(out):
    return (out / ".vdepth" / "journal.jsonl").read_bytes().splitlines()


def test_a_file_is_known_by_name_and_content(tmp_path):
    journal = started(tmp_path)
    put(journal, "a.exr", b"one")
    entry = FileEntry(sha256=hashlib.sha256(b"one").hexdigest(), size=3)
    assert journal.owned("a.exr") == entry
    assert Journal(tmp_path).owned("a.exr") == entry
    (tmp_path / "a.exr").write_bytes(b"two")
    assert journal.owned("a.exr") is None
    assert Journal(tmp_path).owned("b.exr") is None


def test_it_is_noted_on_disk_before_it_appears(tmp_path, monkeypatch):
    journal, order = started(tmp_path), []
    flush, link = os.fsync, os.link
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("flush"), flush(handle)))
    monkeypatch.setattr(os, "link", lambda *a, **k: (order.append("appear"), link(*a, **k)))
    put(journal, "a.exr", b"one")
    assert order == ["flush", "flush", "appear"]  # its content, the line, its name


@pytest.mark.parametrize("moment", ["noted", "placed"])
def test_a_kill_between_line_and_rename_leaves_both_contents_ours(tmp_path, moment):
    journal = started(tmp_path)
    put(journal, "a.exr", b"one")
    draft = journal.place(tmp_path / "a.exr")
    draft.temporary.write_bytes(b"other")
    journal.note("a.exr", FileEntry.of(draft.temporary))
    if moment == "placed":
        journal.install(draft.temporary, draft.path)
    journal.close()
    again = started(tmp_path)
    assert again.owned("a.exr").size == (3 if moment == "noted" else 5)
    assert list((tmp_path / ".vdepth" / "tmp").iterdir()) == []


@pytest.mark.parametrize("tail", [b'{"name": "b.exr", "sha', b"\0" * 40])
def test_a_torn_last_line_is_cut_off(tmp_path, tail):
    put(started(tmp_path), "a.exr", b"one")
    with (tmp_path / ".vdepth" / "journal.jsonl").open("ab") as file:
        file.write(tail)
    journal = started(tmp_path)
    put(journal, "b.exr", b"two")
    assert all(json.loads(line) for line in lines(tmp_path))
    assert Journal(tmp_path).names == ["a.exr", "b.exr"]


def test_a_line_nested_without_end_says_nothing(tmp_path):
    journal = started(tmp_path)
    put(journal, "a.exr", b"one")
    journal.close()
    with (tmp_path / ".vdepth" / "journal.jsonl").open("ab") as file:
        file.write(b"[" * 100_000 + b"\n")
    assert Journal(tmp_path).owned("a.exr") is not None


def test_a_damaged_line_costs_its_own_file_only(tmp_path):
    journal = started(tmp_path)
    for name in "abc":
        put(journal, name, name.encode())
    data = lines(tmp_path)
    data[2] = b"\xff\0" + data[2][2:]
    data.insert(1, b'{"name": "../x", "sha256": "%s", "size": 0}' % (b"0" * 64))
    data.insert(1, b'["name"]')
    (tmp_path / ".vdepth" / "journal.jsonl").write_bytes(b"\n".join(data) + b"\n")
    again = Journal(tmp_path)
    assert again.names == ["a", "c"]


@pytest.mark.parametrize("content", [b"", b'{"vdepth": "jou'])
def test_a_journal_killed_at_its_making_is_made_again(tmp_path, content):
    (tmp_path / ".vdepth").mkdir()
    (tmp_path / ".vdepth" / "journal.jsonl").write_bytes(content)
    assert Journal(tmp_path).exists
    put(started(tmp_path), "a", b"a")
    assert Journal(tmp_path).owned("a") is not None


def test_another_file_of_that_name_is_no_journal(tmp_path):
    (tmp_path / ".vdepth").mkdir()
    (tmp_path / ".vdepth" / "journal.jsonl").write_bytes(b'{"mine": 1}\n')
    assert not Journal(tmp_path).exists


def test_lines_of_many_threads_are_whole_and_share_flushes(tmp_path, monkeypatch):
    journal, flushes = started(tmp_path), []
    flush = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (flushes.append(handle), flush(handle)))
    entry = FileEntry(sha256="0" * 64, size=1)
    threads = [
        threading.Thread(target=lambda k=k: [journal.note(f"{k}-{n}", entry) for n in range(20)])
        for k in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Journal(tmp_path).names) == 160
    assert len(flushes) <= 160


def test_a_full_disk_leaves_a_whole_journal_and_no_file(tmp_path, monkeypatch):
    journal = started(tmp_path)
    put(journal, "a", b"a")
    real = os.write

    def full(handle, data):
        if len(data) > 5:
            return real(handle, bytes(data)[:5])
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ResourceError, match="No space"):
            put(journal, "b", b"b")
    assert not (tmp_path / "b").exists()
    put(journal, "c", b"c")
    assert all(json.loads(line) for line in lines(tmp_path))
    assert {"a", "c"} <= set(Journal(tmp_path).names)


def test_what_is_concluded_knows_the_files_as_they_are(tmp_path):
    journal = started(tmp_path)
    journal.begin("job")
    put(journal, "a", b"one")
    put(journal, "a", b"two")
    put(journal, "old", b"old")
    journal.remove("old")
    journal.conclude(["a"])
    again = Journal(tmp_path)
    assert (again.names, again.job) == (["a"], "job")
    assert again.owned("a") == FileEntry.of(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"one")  # the old content is nobody's but the user's now
    assert Journal(tmp_path).owned("a") is None


def test_only_what_is_ours_is_removed(tmp_path):
    journal = started(tmp_path)
    put(journal, "a", b"one")
    (tmp_path / "a").unlink()
    (tmp_path / "theirs").write_bytes(b"one")
    (tmp_path / "a").symlink_to("theirs")
    journal.remove("a")
    journal.remove("theirs")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "theirs").exists()


@pytest.mark.parametrize(
    ("count", "said"), [(1, "0 was not"), (3, "2 were not"), (4, "2 and 1 more were not")]
)
def test_the_refusal_names_three_files_and_counts_the_others(count, said):
    message = not_ours(Path(str(index)) for index in range(count)).message
    assert f"{said} written by vdepth" in message
    assert message.endswith("replace it." if count == 1 else "replace them.")
