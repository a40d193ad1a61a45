"""Checksums follow the content, whatever names and dates say, and spare reading what did not change."""

import os
import time
from types import SimpleNamespace

import pytest

from vdepth_core import checksums as module
from vdepth_core.checksums import Checksums, sampled_sha256, sha256_of

LONG_AGO = time.time() - 1000


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that were read."""
    read = []
    real = module.sha256_of
    monkeypatch.setattr(module, "sha256_of", lambda path: read.append(path.name) or real(path))
    return read


def test_what_did_not_change_is_not_read_again(tmp_path, reads):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    first = Checksums(tmp_path / "memory.json")
    digest = first.of(path)
    first.save()
    again = Checksums(tmp_path / "memory.json")
    assert again.of(path) == digest == sha256_of(path)
    assert reads == ["a"]
    moved = path.rename(tmp_path / "b")
    assert again.of(moved) == digest


def test_an_edit_of_equal_size_with_its_date_set_back_is_seen(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, (LONG_AGO, LONG_AGO))
    known = Checksums()
    before = known.of(path)
    time.sleep(0.02)  # a tick of the file system's clock
    path.write_bytes(b"two")
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert known.of(path) != before


@pytest.mark.parametrize(("age", "trusted"), [(0.0, False), (1.0, False), (5.0, True)])
def test_a_clock_of_whole_seconds_proves_nothing_of_the_last_two(tmp_path, monkeypatch, reads, age, trusted):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    facts = path.stat()
    second = round(time.time() - age)
    coarse = SimpleNamespace(
        st_dev=facts.st_dev,
        st_ino=facts.st_ino,
        st_size=3,
        st_mtime_ns=second * 10**9,
        st_ctime_ns=second * 10**9,
    )
    monkeypatch.setattr(module.time, "time", lambda: second + age)
    monkeypatch.setattr(type(path), "stat", lambda self, **_: coarse)
    known = Checksums()
    known.of(path)
    known.of(path)
    assert reads == (["a"] if trusted else ["a", "a"])


@pytest.mark.parametrize("memory", [b"", b"{", b"[1, 2]", b"\xff\xfe", b'{"a": 1}', b"[" * 100_000])
def test_a_damaged_memory_only_costs_reading(tmp_path, memory):
    (tmp_path / "memory.json").write_bytes(memory)
    (tmp_path / "a").write_bytes(b"one")
    known = Checksums(tmp_path / "memory.json")
    assert known.of(tmp_path / "a") == sha256_of(tmp_path / "a")
    known.save()


def test_a_large_file_is_sampled_over_its_whole_length(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WHOLE", 4096)
    monkeypatch.setattr(module, "_SAMPLE", 64)
    path = tmp_path / "large"
    data = bytearray(os.urandom(40_000))
    path.write_bytes(data)
    before = sampled_sha256(path)
    assert before == sampled_sha256(path)
    stride = 40_000 // (4096 // 64 - 1) + 1
    for at in (0, 9_999, 20_000, 31_313, 40_000 - stride):
        changed = bytearray(data)
        changed[at : at + stride] = bytes(stride)
        path.write_bytes(changed)
        assert sampled_sha256(path) != before, at
    path.write_bytes(data + b"x")
    assert sampled_sha256(path) != before
