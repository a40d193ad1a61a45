"""Fetches one file from a plain address: resumed where it stopped, checked, and whole or not there.

Ranges and validators as RFC 9110 has them (14.2 ``Range``, 13.1.5 ``If-Range``): the unfinished file is
continued only while the server still calls it by the same name; see `part` for what is kept between runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import WeightsError
from ...progress import Progress
from ...version import __version__
from . import http
from .http import Hiccup, failure, persistently, refusal
from .partial_file import PartialFile

if TYPE_CHECKING:
    import httpx2

_REDIRECTS = 10
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


def download(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
    stage: str = "download",
    headers: Mapping[str, str] | None = None,
) -> str:
    """Fetches ``url`` into the file ``target``, which appears, or is replaced, when all is there and checked.

    Whatever stops it, a cut connection, a full disk, a killed process, leaves ``<target>.part``, and the same
    call goes on from there. One process at a time may fetch the same target.

    Args:
        url: An http or https address; redirects are followed, but never from https to http. Proxies are taken
            from the environment.
        target: The file to write; its folder is created.
        size: What the file must measure, bytes.
        sha256: What it must hash to, 64 hex digits.
        progress: Told the bytes on disk, those of an earlier run included; asked for cancellation.
        stage: The name of the progress stage.
        headers: Sent along to the first address, and ``Authorization`` to no other host.

    Returns:
        The file's SHA-256.

    Raises:
        WeightsError: the server cannot be reached, refuses (`http.ServerRefusal`), or has another file.
        ResourceError: the disk is full or the folder cannot be written.
        Cancelled: ``progress`` asked to stop.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise WeightsError(f"{url} is neither an http nor an https address.", "Check the address.")
    progress = progress or Progress()
    with _client() as client, PartialFile(target, url, known=sha256 is not None) as part:
        part.recall(progress, size)
        recalled = part.size > 0
        transfer = _Transfer(client, url, part, size, progress, stage, headers or {})
        persistently(transfer.run, progress, lambda: part.most)
        if recalled and sha256 is not None and part.sha256 != sha256.lower():
            part.restart()  # a crash may have spoilt what an earlier run left
            part.most = 0
            persistently(transfer.run, progress, lambda: part.most)
        if sha256 is not None and part.sha256 != sha256.lower():
            part.discard()
            raise WeightsError(
                f"{target.name} is not the expected file: its SHA-256 is {part.sha256}, not {sha256}.",
                "It was removed. Run the same command again; if that repeats, its publisher has changed it.",
            )
        part.finish()
        return part.sha256


class _Transfer:
    """What stays the same from one attempt to the next."""

    def __init__(
        self,
        client: httpx2.Client,
        url: str,
        part: PartialFile,
        size: int | None,
        progress: Progress,
        stage: str,
        headers: Mapping[str, str],
    ) -> None:
        self._client, self._url, self._part, self._size = client, url, part, size
        self._progress, self._stage, self._headers = progress, stage, headers
        self._host = ""
        self._told: int | None = None

    def run(self) -> None:
        """One attempt at the bytes that are missing.

        Raises:
            Hiccup: not all came; what came is in the part.
        """
        part = self._part
        if not part.resumable:
            part.restart()
        if part.size == self._size:  # the earlier run got them all
            self._tell(self._size)
            return
        with self._answer() as response:
            total = self._accept(response)
            self._tell(total)
            limit = total if self._size is None else self._size
            for chunk in response.iter_raw() if response.status_code != 416 else ():
                self._progress.check()
                part.append(chunk)
                self._tell(total)
                if limit is not None and part.size > limit:
                    part.discard()
                    raise self._unexpected(f"more than the expected {limit:,} bytes")
            if limit is not None and part.size < limit:
                sentence = f"{self._host} ended {part.target.name} after {part.size:,} of {limit:,} bytes."
                raise Hiccup(WeightsError(sentence, "Run the same command again to go on from there."))

    @contextmanager
    def _answer(self) -> Iterator[httpx2.Response]:
        """The response after all redirects, its body not yet read; network failures inside are translated."""
        import httpx2

        try:
            request = self._client.build_request("GET", self._url, headers=self._request_headers())
            for _ in range(_REDIRECTS + 1):
                self._host = request.url.host
                with closing(self._client.send(request, stream=True)) as response:
                    if response.next_request is None:
                        if response.status_code not in (200, 206, 416):
                            raise refusal(response, self._part.target.name)
                        yield response
                        return
                if request.url.scheme == "https" and response.next_request.url.scheme != "https":
                    raise WeightsError(
                        f"{self._host} sends {self._part.target.name} on to an address that is not secure.",
                        "Ask its publisher for an https address.",
                    )
                request = response.next_request
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise failure(error, self._host, self._part.target.name) from error
        raise WeightsError(
            f"{self._host} sends {self._part.target.name} round in circles.", "Check the address."
        )

    def _request_headers(self) -> httpx2.Headers:
        import httpx2

        headers = httpx2.Headers({"User-Agent": f"vdepth/{__version__}"})
        headers.update(self._headers)
        # Bytes are taken as they come: compressed ones could neither be counted nor continued.
        headers["Accept-Encoding"] = "identity"
        if self._part.size:
            headers["Range"] = f"bytes={self._part.size}-"
            if self._part.validator is not None:
                headers["If-Range"] = self._part.validator
        return headers

    def _accept(self, response: httpx2.Response) -> int | None:
        """Brings the part to where the response begins; returns the file's whole size where it is known."""
        part, validator = self._part, _validator(response)
        if response.status_code == 200:
            length = _number(response.headers.get("Content-Length"))
            self._check_size(length)
            part.restart()
            part.name(validator)
            return length
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        first, total = (_number(match[1]), _number(match[2])) if match else (None, None)
        changed = validator is not None and part.validator is not None and validator != part.validator
        ends_here = response.status_code == 416 and part.size > 0 and total == part.size
        if changed or not (ends_here or (response.status_code == 206 and first == part.size)):
            part.restart()
            sentence = f"{self._host} could not go on with {part.target.name} where it stopped."
            raise Hiccup(WeightsError(sentence, "Run the same command again to start it over."))
        self._check_size(total)
        return total

    def _check_size(self, offered: int | None) -> None:
        if self._size is not None and offered is not None and offered != self._size:
            raise self._unexpected(f"{offered:,} bytes, not the expected {self._size:,}")

    def _unexpected(self, what: str) -> WeightsError:
        return WeightsError(
            f"{self._host} sends {self._part.target.name} with {what}.",
            "Its publisher may have changed the file, or a login page of the network answers in its place.",
        )

    def _tell(self, total: int | None) -> None:
        """Reports bytes once each, also when the file is started over."""
        if self._told is None:
            self._progress.stage(self._stage, total if self._size is None else self._size)
            self._told = 0
        if self._part.size > self._told:
            self._progress.advance(self._stage, self._part.size - self._told)
            self._told = self._part.size


def _client() -> httpx2.Client:
    import httpx2

    timeout = httpx2.Timeout(http.READ_TIMEOUT_S, connect=http.CONNECT_TIMEOUT_S)
    with http.proxy_settings():
        return httpx2.Client(timeout=timeout)


def _validator(response: httpx2.Response) -> str | None:
    """A name of this version of the file that ``If-Range`` may carry; weak ETags may not."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
