"""One file comes whole, unchanged and with as few bytes as possible: resuming, checking, the disk."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from weights.download_files import BODY, DATE, OTHER, SHA, SIZE, leave, leftovers
from weights.file_server import Fault, Page
from weights.listener import Listener

from vdepth_core.errors import Cancelled, ResourceError, WeightsError
from vdepth_core.weights.fetch import http as network
from vdepth_core.weights.fetch.download import download
from vdepth_core.weights.fetch.partial_file import PartialFile


def test_a_file_arrives_with_its_hash_and_nothing_beside_it(server, target):
    listener = Listener()
    url = server.add("/w.bin", Page(BODY))
    assert download(url, target, size=SIZE, sha256=SHA, progress=listener, stage="fetch") == SHA
    assert target.read_bytes() == BODY
    assert leftovers(target) == []
    assert listener.stages == [("fetch", SIZE)]
    assert listener.done == SIZE
    assert download(url, target) == SHA  # replaces the file that is there


def test_an_empty_file(server, target):
    assert download(server.add("/w.bin", Page(b"")), target) == hashlib.sha256(b"").hexdigest()
    assert target.read_bytes() == b""
    assert leftovers(target) == []


@pytest.mark.parametrize("size", [None, SIZE])
def test_a_server_that_does_not_say_how_long_the_file_is(server, target, size):
    listener = Listener()
    assert (
        download(server.add("/w.bin", Page(BODY, sized=False)), target, size=size, progress=listener) == SHA
    )
    assert listener.stages == [("download", size)]


@pytest.mark.parametrize("url", ["ftp://host/w.bin", "file:///etc/passwd", "w.bin", "", "data:,x"])
def test_other_schemes_are_refused(target, url):
    with pytest.raises(WeightsError, match="http"):
        download(url, target)
    assert not target.parent.exists()


# Resuming


def test_a_stopped_download_goes_on_where_it_stopped(server, target):
    url = leave(server, target, 100_000)
    listener = Listener()
    assert download(url, target, progress=listener) == SHA
    (asked,) = server.asked
    assert asked.headers["range"] == "bytes=100000-"
    assert asked.headers["if-range"] == '"v1"'
    assert (asked.status, asked.sent) == (206, SIZE - 100_000)
    assert target.read_bytes() == BODY
    assert leftovers(target) == []
    assert (listener.stages, listener.done) == ([("download", SIZE)], SIZE)


def test_a_killed_process_leaves_what_the_next_one_goes_on_with(server, target):
    url = server.add("/w.bin", Page(BODY, faults=[Fault(stall=120_000)]))
    code = "import sys, pathlib\nfrom vdepth_core.weights.fetch.download import download\n"
    code += "download(sys.argv[1], pathlib.Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", code, url, str(target)])
    part = target.with_name("w.bin.part")
    deadline = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size == 120_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not target.exists()
    assert download(url, target, sha256=SHA) == SHA
    assert [asked.sent for asked in server.asked] == [120_000, SIZE - 120_000]
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    ("page", "validator"),
    [
        (Page(BODY, etag=None, modified=DATE), DATE),
        (Page(BODY, etag='W/"v1"', modified=DATE), DATE),
        (Page(BODY, etag='W/"v1"'), None),
        (Page(BODY, etag=None), None),
    ],
    ids=["date", "weak tag and date", "weak tag", "nothing"],
)
@pytest.mark.parametrize("sha256", [None, SHA], ids=["unknown", "known"])
def test_bytes_are_kept_only_where_they_can_be_told_from_another_files(
    server, target, page, validator, sha256
):
    url = leave(server, target, 100_000, page, sha256=sha256)
    assert download(url, target, sha256=sha256) == SHA
    (asked,) = server.asked
    assert asked.headers.get("if-range") == validator
    assert asked.sent == (SIZE - 100_000 if validator or sha256 else SIZE)


@pytest.mark.parametrize("if_range", [True, False], ids=["honours If-Range", "ignores If-Range"])
def test_a_file_that_changed_on_the_server_starts_over(server, target, if_range):
    url = leave(server, target, 100_000)
    server.add("/w.bin", Page(OTHER, etag='"v2"', if_range=if_range))
    listener = Listener()
    assert download(url, target, progress=listener) == hashlib.sha256(OTHER).hexdigest()
    assert target.read_bytes() == OTHER
    assert listener.done == len(OTHER)


def test_a_file_that_changed_between_two_attempts_starts_over(server, target, monkeypatch):
    page = Page(BODY, faults=[Fault(cut=100_000)])
    url = server.add("/w.bin", page)
    monkeypatch.setattr(network, "sleep", lambda _: server.add("/w.bin", Page(OTHER, etag='"v2"')))
    assert download(url, target) == hashlib.sha256(OTHER).hexdigest()
    assert target.read_bytes() == OTHER


def test_a_server_without_ranges_sends_all_again(server, target):
    url = leave(server, target, 100_000)
    server.pages["/w.bin"].ranges = False
    listener = Listener()
    assert download(url, target, sha256=SHA, progress=listener) == SHA
    assert [(asked.status, asked.sent) for asked in server.asked] == [(200, SIZE)]
    assert listener.done == SIZE  # the first 100 000 bytes are not counted twice


def test_another_address_does_not_go_on_with_these_bytes(server, target):
    leave(server, target, 100_000)
    assert download(server.add("/else.bin", Page(OTHER)), target) == hashlib.sha256(OTHER).hexdigest()
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize("notes", ["", "no json", "[]", '{"validator": 7}', None])
def test_a_part_of_unknown_origin_is_not_used(server, target, notes):
    url = leave(server, target, 100_000)
    sidecar = target.with_name("w.bin.part.json")
    sidecar.write_text(notes) if notes is not None else sidecar.unlink()
    assert download(url, target) == SHA
    assert "range" not in server.asked[0].headers


def test_the_note_beside_the_part_holds_no_secret(server, target):
    url = server.add("/w.bin", Page(BODY, faults=[Fault(cut=1000)])) + "?token=secret"
    with pytest.raises(Cancelled):
        download(url, target, progress=Listener(1000), headers={"Authorization": "Bearer secret"})
    text = target.with_name("w.bin.part.json").read_text()
    assert json.loads(text)["validator"] == '"v1"'
    assert "secret" not in text


def test_a_part_that_is_complete_needs_no_more_bytes(server, target):
    """A process may be killed between the last byte and the rename."""
    for size in (None, SIZE):
        url = leave(server, target, 100_000)
        target.with_name("w.bin.part").write_bytes(BODY)
        assert download(url, target, size=size, sha256=SHA) == SHA
        assert [(asked.status, asked.sent) for asked in server.asked] == ([(416, 0)] if size is None else [])


def test_a_part_longer_than_the_file_starts_over(server, target):
    for size in (None, SIZE):
        url = leave(server, target, 100_000)
        target.with_name("w.bin.part").write_bytes(BODY + b"more")
        assert download(url, target, size=size) == SHA
        assert server.asked[-1].status == 200


def test_a_part_that_went_bad_on_disk_is_fetched_again(server, target):
    url = leave(server, target, 100_000, sha256=SHA)
    target.with_name("w.bin.part").write_bytes(bytes(100_000))
    assert download(url, target, sha256=SHA) == SHA
    assert [asked.sent for asked in server.asked] == [SIZE - 100_000, SIZE]


# Trouble that passes


# The wrong file


@pytest.mark.parametrize("old", [None, b"what was there before"])
def test_wrong_content_never_gets_the_name(server, target, old):
    if old is not None:
        target.parent.mkdir()
        target.write_bytes(old)
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    url = server.add("/w.bin", Page(BODY, faults=[Fault(body=wrong)]))
    with pytest.raises(WeightsError, match=rf"w\.bin is not the expected file.*{SHA}"):
        download(url, target, size=SIZE, sha256=SHA)
    assert (target.read_bytes() if target.exists() else None) == old
    assert leftovers(target) == []
    assert download(url, target, size=SIZE, sha256=SHA.upper()) == SHA  # the next call starts afresh


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1])
def test_wrong_sizes(server, target, sized, size):
    url = server.add("/w.bin", Page(BODY, sized=sized))
    with pytest.raises(WeightsError, match=rf"{size:,}"):
        download(url, target, size=size)
    assert not target.exists()


def test_a_login_page_does_not_cost_what_is_on_disk(server, target):
    url = leave(server, target, 100_000, size=SIZE)
    server.add("/w.bin", Page(b"<html>Welcome to our hotel", etag=None))
    with pytest.raises(WeightsError, match="login page"):
        download(url, target, size=SIZE)
    server.add("/w.bin", Page(BODY))
    assert download(url, target, size=SIZE) == SHA
    assert server.asked[-1].sent == SIZE - 100_000


# Redirects and proxies


# Disk and user


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_keeps_what_is_there(server, target, monkeypatch):
    room = 100_000
    append = PartialFile.append

    def run_full(part, chunk):
        if part.size + len(chunk) > room:
            append(part, chunk[: room - part.size])
            part._file.close()
            part._file = io.FileIO("/dev/full", "w")
        append(part, chunk)

    monkeypatch.setattr(PartialFile, "append", run_full)
    url = server.add("/w.bin", Page(BODY))
    with pytest.raises(ResourceError, match=r"No space left.*command again.*0\.1 MB kept in w\.bin\.part"):
        download(url, target)
    monkeypatch.setattr(PartialFile, "append", append)
    assert not target.exists()
    assert download(url, target, sha256=SHA) == SHA
    assert server.asked[-1].sent == SIZE - room


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ResourceError, match="cannot be written"):
        download(server.add("/w.bin", Page(BODY)), tmp_path / "file" / "w.bin")


def test_cancelling_stops_at_once_also_during_a_pause(server, target, monkeypatch):
    url = server.add("/w.bin", Page(BODY, faults=[Fault(status=503, headers={"Retry-After": "100"})]))
    listener = Listener()
    slices = []

    def sleep(seconds):
        slices.append(seconds)
        if len(slices) == 3:
            listener.cancel()

    monkeypatch.setattr(network, "sleep", sleep)
    with pytest.raises(Cancelled):
        download(url, target, progress=listener)
    assert sum(slices) < 1
    assert len(server.asked) == 1
