"""A file host and a model hub on this machine that misbehave on demand, and write down what they were asked.

Only what the tests of downloads need: plain pages with ranges and validators, a list of faults per page, and
of the Hugging Face hub the listing of a repository, ``resolve`` and the redirect of large files to a second
host.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request; several may go wrong at once."""

    status: int | None = None  # answer with this and no file
    headers: Mapping[str, str] = field(default_factory=dict)  # said in addition
    cut: int | None = None  # break the connection after this many bytes of the body
    reset: bool = False  # ... with a TCP reset instead of an orderly close
    stall: int | None = None  # fall silent after this many bytes of the body
    body: bytes | None = None  # send this in place of the file


@dataclass
class Page:
    """One file of the host.

    Attributes:
        faults: Taken one per request; when they run out all goes well.
        ranges: Honours ``Range``; if_range: and ``If-Range``.
        sized: Says ``Content-Length``; else the body comes in chunks.
        slice: Bytes sent at a time, ``pause`` seconds apart.
    """

    body: bytes
    etag: str | None = '"v1"'
    modified: str | None = None
    faults: Iterable[Fault] = ()
    location: str | None = None
    ranges: bool = True
    if_range: bool = True
    sized: bool = True
    slice: int = 1 << 16
    pause: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.faults = iter(self.faults)


@dataclass
class Asked:
    """One request and what was sent in return."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    status: int = 0
    sent: int = 0


class FileServer:
    """Serves ``pages`` (path -> `Page`) on a free port; ``asked`` lists the requests in their order."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        outer = self

        class Handler(_Handler):
            host = outer

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, path: str, page: Page) -> str:
        """Puts a page at ``path``; returns its address."""
        self.pages[path] = page
        return self.url + path

    def find(self, asked: Asked) -> Page | Fault:
        """The answer to a request; a hub overrides it."""
        return self.pages.get(urlsplit(asked.path).path) or Fault(status=404)

    def of(self, path: str) -> list[Asked]:
        """The requests for the pages whose path contains ``path``."""
        return [one for one in self.asked if path in one.path]


@dataclass
class Repository:
    """One repository of the fake hub; files of 1 kB and more are large and come from the second host."""

    files: dict[str, bytes]
    revisions: tuple[str, ...] = ("main",)
    token: str | None = None  # private: without this it does not exist
    gated: bool = False  # listed for all, but files only for who sends ``token``
    sizes: bool = True  # the listing says sizes and hashes

    @property
    def commit(self) -> str:
        parts = sorted((name, hashlib.sha1(data).hexdigest()) for name, data in self.files.items())
        return hashlib.sha1(repr(parts).encode()).hexdigest()


class FakeHub(FileServer):
    """Answers as huggingface.co does, as far as listing and fetching models go."""

    LARGE = 1000

    def __init__(self, cdn: FileServer) -> None:
        super().__init__()
        self.cdn = cdn
        self.repos: dict[str, Repository] = {}
        self.faults: Iterator[Fault] = iter(())  # of the listing

    def add_repo(self, name: str, repo: Repository) -> Repository:
        self.repos[name] = repo
        for data in repo.files.values():
            sha = hashlib.sha256(data).hexdigest()
            self.cdn.add(f"/lfs/{sha}", Page(data, etag=f'"{sha[:32]}-2"'))  # as of multipart uploads
        return repo

    def large(self, data: bytes) -> Page:
        """The page on the second host that holds ``data``."""
        return self.cdn.pages[f"/lfs/{hashlib.sha256(data).hexdigest()}"]

    def find(self, asked: Asked) -> Page | Fault:
        path = unquote(urlsplit(asked.path).path)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if match := re.fullmatch(r"/api/models/(.+)/revision/(.+)", path):
            return next(self.faults, None) or self._listing(match[1], match[2], token)
        if match := re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path):
            return self._resolve(match[1], match[2], match[3], token)
        return super().find(asked)

    def _listing(self, name: str, revision: str, token: str) -> Page | Fault:
        refused = self._refused(name, revision, token)
        if refused:
            return refused
        repo = self.repos[name]
        listing = {
            "id": name,
            "sha": repo.commit,
            "siblings": [
                {"rfilename": file, **(_facts(data, self.LARGE) if repo.sizes else {})}
                for file, data in repo.files.items()
            ],
        }
        return Page(json.dumps(listing).encode(), headers={"Content-Type": "application/json"})

    def _resolve(self, name: str, revision: str, file: str, token: str) -> Page | Fault:
        refused = self._refused(name, revision, token)
        if refused:
            return refused
        repo = self.repos[name]
        if repo.gated and token != repo.token:
            said = f"Access to model {name} is restricted. You must have access to it and be authenticated."
            headers = {"X-Error-Code": "GatedRepo", "X-Error-Message": said}
            return Fault(status=403 if token else 401, headers=headers)
        if file not in repo.files:
            return Fault(status=404, headers={"X-Error-Code": "EntryNotFound"})
        data = repo.files[file]
        headers = {"X-Repo-Commit": repo.commit}
        if f"/{file}" in self.pages:
            return self.pages[f"/{file}"]
        if len(data) < self.LARGE:
            return Page(data, etag=f'"{_facts(data, self.LARGE)["blobId"]}"', headers=headers)
        sha = hashlib.sha256(data).hexdigest()
        headers |= {"X-Linked-Etag": f'"{sha}"', "X-Linked-Size": str(len(data))}
        return Page(b"", etag=None, location=f"{self.cdn.url}/lfs/{sha}?Signature=abc", headers=headers)

    def _refused(self, name: str, revision: str, token: str) -> Fault | None:
        if token == "wrong":
            return Fault(
                status=401, headers={"X-Error-Message": "Invalid credentials in Authorization header"}
            )
        repo = self.repos.get(name)
        if repo is None or (repo.token and not repo.gated and token != repo.token):
            return Fault(status=404 if token else 401, headers={"X-Error-Code": "RepoNotFound"})
        if revision not in (*repo.revisions, repo.commit):
            return Fault(status=404, headers={"X-Error-Code": "RevisionNotFound"})
        return None


def _facts(data: bytes, large: int) -> dict[str, object]:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    facts: dict[str, object] = {"size": len(data), "blobId": blob}
    if len(data) >= large:
        sha = hashlib.sha256(data).hexdigest()
        facts["lfs"] = {"sha256": sha, "size": len(data), "pointerSize": 134}
    return facts


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for every request, so that none outlives its test

    def handle_error(self, *_: object) -> None:
        """Clients of these tests hang up when they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: FileServer

    def do_GET(self) -> None:
        headers = {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers}
        asked = Asked(self.command, self.path, headers)
        self.host.asked.append(asked)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self._answer(asked, self.host.find(asked))

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, asked: Asked, found: Page | Fault) -> None:
        fault = found if isinstance(found, Fault) else next(found.faults, Fault())
        if fault.status is not None or isinstance(found, Fault):
            self._head(asked, fault.status or 500, {"Content-Length": "0", **fault.headers})
        elif found.location is not None:
            headers = {"Location": found.location, "Content-Length": "0", **found.headers}
            self._head(asked, 302, headers)
        else:
            self._file(asked, found, fault)

    def _file(self, asked: Asked, page: Page, fault: Fault) -> None:
        body = page.body if fault.body is None else fault.body
        headers = {"ETag": page.etag, "Last-Modified": page.modified, **page.headers, **fault.headers}
        status, start = 200, self._start(asked, page)
        if start >= len(body) > 0 and start:
            self._head(asked, 416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
            return
        if start:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        body = body[start:]
        headers |= {"Content-Length": str(len(body))} if page.sized else {"Transfer-Encoding": "chunked"}
        self._head(asked, status, {name: value for name, value in headers.items() if value is not None})
        if asked.method == "HEAD":
            return
        for at in range(0, len(body), page.slice):
            piece = body[at : at + page.slice]
            limit = min(x for x in (fault.cut, fault.stall, len(body)) if x is not None)
            piece = piece[: max(limit - at, 0)]
            if piece:
                asked.sent += len(piece)  # before: who has the bytes may look at once
                self.wfile.write(piece if page.sized else b"%x\r\n%s\r\n" % (len(piece), piece))
            if asked.sent >= limit < len(body):
                if fault.stall == limit:
                    self.host.closing.wait(20)
                self._hang_up(fault.reset)
                return
            if page.pause:
                self.host.closing.wait(page.pause)
        if not page.sized:
            self.wfile.write(b"0\r\n\r\n")

    def _start(self, asked: Asked, page: Page) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        named = asked.headers.get("if-range")
        if not match or not page.ranges:
            return 0
        if page.if_range and named is not None and named not in (page.etag, page.modified):
            return 0
        return int(match[1])

    def _head(self, asked: Asked, status: int, headers: Mapping[str, str]) -> None:
        asked.status = status
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _hang_up(self, reset: bool) -> None:
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
