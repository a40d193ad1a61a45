"""What servers, networks and proxies do to a download, and what becomes of it."""

from __future__ import annotations

import hashlib
import itertools
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from weights.download_files import BODY, SHA, SIZE, leftovers
from weights.file_server import Fault, FileServer, Page
from weights.listener import Listener

from vdepth_core.errors import WeightsError
from vdepth_core.weights.fetch import download as module
from vdepth_core.weights.fetch import http as network
from vdepth_core.weights.fetch.download import download


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
