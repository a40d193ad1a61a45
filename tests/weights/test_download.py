"""One file comes whole, unchanged and with as few bytes as possible, whatever the server does."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import random
import socket
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx2
import pytest
from weights.file_server import Fault, FileServer, Page
from weights.listener import Listener

from vdepth_core.errors import Cancelled, ResourceError, WeightsError
from vdepth_core.weights import download as module
from vdepth_core.weights import network
from vdepth_core.weights.download import download
from vdepth_core.weights.part import PartialFile

BODY = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(310_000)
SHA = hashlib.sha256(BODY).hexdigest()
SIZE = len(BODY)
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "weights" / "w.bin"


def leftovers(target):
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def leave(server, target, count, page=None, **kwargs):
    """An earlier run that was stopped when ``count`` bytes were on disk."""
    page = page or Page(BODY)
    page.faults = iter([Fault(cut=count)])
    url = server.add("/w.bin", page)
    with pytest.raises(Cancelled):
        download(url, target, progress=Listener(count), **kwargs)
    assert target.with_name("w.bin.part").stat().st_size == count
    server.asked.clear()
    return url


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
    code = "import sys, pathlib\nfrom vdepth_core.weights.download import download\n"
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


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("sized", [False, True])
def test_a_cut_connection_is_taken_up_again(server, target, reset, sized):
    page = Page(BODY, sized=sized, faults=[Fault(cut=n, reset=reset) for n in (90_000, 0, 110_000)])
    assert download(server.add("/w.bin", page), target, sha256=SHA) == SHA
    assert target.read_bytes() == BODY
    if not reset:  # a reset may take sent bytes along
        assert [asked.sent for asked in server.asked] == [90_000, 0, 110_000, SIZE - 200_000]


def test_any_number_of_cuts_is_fine_while_bytes_come(server, target):
    page = Page(BODY, faults=itertools.repeat(Fault(cut=20_000)))
    assert download(server.add("/w.bin", page), target, sha256=SHA) == SHA
    assert len(server.asked) == 15 > network.ATTEMPTS
    assert sum(asked.sent for asked in server.asked) == SIZE


def test_cuts_without_a_new_byte_come_to_an_end(server, target):
    page = Page(BODY, faults=[Fault(cut=50_000), *[Fault(cut=0)] * 99])
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1 broke.*w\.bin.*run the same command"):
        download(server.add("/w.bin", page), target)
    assert len(server.asked) == 1 + network.ATTEMPTS - 1
    assert not target.exists()
    assert target.with_name("w.bin.part").stat().st_size == 50_000


def test_a_server_that_always_cuts_at_the_same_place_and_knows_no_ranges_comes_to_an_end(server, target):
    page = Page(BODY, ranges=False, faults=itertools.repeat(Fault(cut=50_000)))
    with pytest.raises(WeightsError):
        download(server.add("/w.bin", page), target)
    assert len(server.asked) == network.ATTEMPTS


def test_a_stalled_server_is_asked_again(server, target, monkeypatch):
    monkeypatch.setattr(network, "READ_TIMEOUT_S", 0.1)
    url = server.add("/w.bin", Page(BODY, faults=[Fault(stall=60_000)]))
    assert download(url, target) == SHA
    assert (server.asked[0].sent, server.asked[-1].sent) == (60_000, SIZE - 60_000)


def test_a_server_that_always_stalls_is_named(server, target, monkeypatch):
    monkeypatch.setattr(network, "READ_TIMEOUT_S", 0.03)
    url = server.add("/w.bin", Page(BODY, faults=itertools.repeat(Fault(stall=0))))
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1 stopped answering"):
        download(url, target)


def test_a_slow_server_is_fine_while_it_sends(server, target, monkeypatch):
    monkeypatch.setattr(network, "READ_TIMEOUT_S", 0.25)
    url = server.add("/w.bin", Page(BODY[:1000], slice=70, pause=0.02))  # longer than the timeout in all
    assert download(url, target) == hashlib.sha256(BODY[:1000]).hexdigest()
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_statuses_are_tried_again(server, target, status):
    url = server.add("/w.bin", Page(BODY, faults=[Fault(status=status)] * (network.ATTEMPTS - 1)))
    assert download(url, target) == SHA
    server.add("/w.bin", Page(BODY, faults=[Fault(status=status)] * network.ATTEMPTS))
    with pytest.raises(WeightsError, match=str(status)):
        download(url, target)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
def test_other_statuses_are_an_error_at_once(server, target, status):
    url = server.add("/w.bin", Page(BODY, faults=[Fault(status=status)]))
    with pytest.raises(network.ServerRefusal, match=rf"127\.0\.0\.1 .*w\.bin \({status}") as error:
        download(url, target)
    assert error.value.status == status
    assert error.value.hint
    assert len(server.asked) == 1
    assert leftovers(target) == []


def test_pauses_grow_and_are_not_all_alike(server, target, pauses, monkeypatch):
    monkeypatch.setattr(network, "FIRST_WAIT_S", 0.08)
    monkeypatch.setattr(network, "_SLICE_S", 10.0)
    with pytest.raises(WeightsError):
        download(server.add("/w.bin", Page(BODY, faults=[Fault(status=500)] * 99)), target)
    assert [0.04 * 2**n <= pause <= 0.08 * 2**n for n, pause in enumerate(pauses)] == [True] * 4
    assert len({pause / 2**n for n, pause in enumerate(pauses)}) > 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_says_when_to_come_back_is_obeyed(server, target, pauses, status):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    faults = [Fault(status=status, headers={"Retry-After": value}) for value in ("7", later, "soon")]
    listener = Listener()
    assert download(server.add("/w.bin", Page(BODY, faults=faults)), target, progress=listener) == SHA
    assert 7 + 38 <= sum(pauses) <= 7 + 41
    assert len(listener.warnings) == 2
    assert "Trying again in 7 s" in listener.warnings[0]


def test_a_server_that_says_come_back_tomorrow_is_an_error(server, target, pauses):
    url = server.add("/w.bin", Page(BODY, faults=[Fault(status=429, headers={"Retry-After": "86400"})]))
    with pytest.raises(WeightsError, match="1440 minutes"):
        download(url, target)
    assert pauses == []


def test_nobody_there(target, quiet_network):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/w.bin"
        with pytest.raises(WeightsError, match=r"127\.0\.0\.1 cannot be reached.*--from FOLDER"):
            download(url, target)
    assert leftovers(target) == []


def test_a_name_that_does_not_exist(target, quiet_network):
    with pytest.raises(WeightsError, match=r"weights\.invalid cannot be reached"):
        download("http://weights.invalid/w.bin", target)


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


def test_redirects_are_followed_and_resumed_through(server, target):
    for n in range(5):
        server.add(f"/{n}", Page(b"", location=f"/{n + 1}" if n % 2 else f"{server.url}/{n + 1}"))
    server.add("/5", Page(BODY, faults=[Fault(cut=10_000)]))
    assert download(f"{server.url}/0", target, sha256=SHA) == SHA
    assert [(asked.status, asked.sent) for asked in server.of("/5")] == [(200, 10_000), (206, SIZE - 10_000)]


def test_redirects_in_a_circle(server, target):
    server.add("/a", Page(b"", location="/b"))
    server.add("/b", Page(b"", location="/a"))
    with pytest.raises(WeightsError, match="circles"):
        download(f"{server.url}/a", target)


@pytest.mark.parametrize(
    "location", ["http://plain.example/w.bin", "ftp://plain.example/w.bin", "file:///etc/passwd"]
)
def test_https_is_never_left(target, quiet_network, monkeypatch, location):
    asked = []

    def answer(request):
        asked.append(request.url.scheme)
        return httpx2.Response(302, headers={"Location": location})

    client = httpx2.Client(transport=httpx2.MockTransport(answer))
    monkeypatch.setattr(module, "_client", lambda: client)
    with pytest.raises(WeightsError, match="not secure"):
        download("https://safe.example/w.bin", target)
    assert asked == ["https"]


def test_a_redirect_to_another_scheme(server, target):
    server.add("/w.bin", Page(b"", location="ftp://127.0.0.1/w.bin"))
    with pytest.raises(WeightsError, match="ftp"):
        download(f"{server.url}/w.bin", target)


def test_a_certificate_that_cannot_be_verified_is_not_tried_again(target, quiet_network, monkeypatch):
    asked = []

    def answer(request):
        asked.append(request)
        error = httpx2.ConnectError("certificate verify failed")
        raise error from ssl.SSLCertVerificationError("self-signed certificate")

    client = httpx2.Client(transport=httpx2.MockTransport(answer))
    monkeypatch.setattr(module, "_client", lambda: client)
    with pytest.raises(WeightsError, match=r"certificate of safe\.example.*SSL_CERT_FILE"):
        download("https://safe.example/w.bin", target)
    assert len(asked) == 1


def test_a_token_stays_with_its_host(server, target):
    with FileServer() as other:
        other.add("/w.bin", Page(BODY))
        url = server.add("/here", Page(b"", location=server.url + "/there"))
        server.add("/there", Page(b"", location=other.url + "/w.bin"))
        assert download(url, target, headers={"Authorization": "Bearer secret"}) == SHA
        assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer secret"] * 2
        assert "authorization" not in other.asked[0].headers


def test_proxies_of_the_environment_are_used(server, target, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.add("/far/w.bin", Page(BODY))
    assert download("http://far.invalid/far/w.bin", target) == SHA
    assert server.asked[0].path == "http://far.invalid/far/w.bin"


def test_a_proxy_that_refuses(server, target, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    with pytest.raises(WeightsError, match=r"proxy does not let w\.bin through: 501"):
        download("https://far.invalid/w.bin", target)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x"])
def test_proxies_that_cannot_be_used(target, quiet_network, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(WeightsError, match="proxy settings"):
        download("http://far.invalid/w.bin", target)


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
