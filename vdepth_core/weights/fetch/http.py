"""How a server may fail, in words, and how often it is asked again.

What may pass by itself (a cut connection, a timeout, statuses 408, 425, 429 and 5xx) is a `Hiccup` and tried
again with exponential backoff and jitter, or after the time the server names in ``Retry-After`` (RFC 9110,
10.2.3). All else is an error at once.
"""

from __future__ import annotations

import logging
import math
import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from ...errors import WeightsError
from ...progress import Progress

if TYPE_CHECKING:
    import httpx2

ATTEMPTS = 5  # in a row without a new byte
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0
LONGEST_ASKED_S = 120.0  # a longer pause is an error: nobody watches a still bar for an hour
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 30.0

_PASSING = frozenset({408, 425, 429})  # and all of 5xx
_NOTICE_S = 5.0  # pauses the user should know of
_SLICE_S = 0.1  # how soon a pause notices the wish to cancel
_NETWORK_HINT = (
    "Check the network and the proxy settings (HTTPS_PROXY), then run the same command again, or get the "
    "files on another machine and install them with --from FOLDER."
)
_log = logging.getLogger(__name__)
_T = TypeVar("_T")
sleep = time.sleep


class ServerRefusal(WeightsError):
    """A server answered with an error status.

    Attributes:
        status: The HTTP status.
        reason: The ``X-Error-Code`` header, a word of the Hugging Face hub's; empty where there is none.
        words: What the server says about it; may be empty.
    """

    def __init__(self, message: str, hint: str, status: int, reason: str = "", words: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.reason = reason
        self.words = words


class Hiccup(Exception):
    """A failure that may pass: ``error`` is raised if it does not, ``pause`` is what the server asks for."""

    def __init__(self, error: WeightsError, pause: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.pause = pause


def persistently(action: Callable[[], _T], progress: Progress, mark: Callable[[], int] = lambda: 0) -> _T:
    """Calls ``action`` until it raises no `Hiccup`, or ``mark()`` has not risen for `ATTEMPTS` calls.

    Args:
        action: Called again from where it stood.
        progress: Told of the pauses; may cancel.
        mark: How far the action has come, such as bytes on the disk.

    Raises:
        WeightsError: the last hiccup's error.
        Cancelled: ``progress`` asks to stop, also during a pause.
    """
    best, failures = mark(), 0
    while True:
        progress.check()
        try:
            return action()
        except Hiccup as hiccup:
            if mark() > best:
                best, failures = mark(), 0
            failures += 1
            if failures >= ATTEMPTS or (hiccup.pause or 0) > LONGEST_ASKED_S:
                raise hiccup.error from hiccup
            pause = hiccup.pause
            if pause is None:
                pause = min(FIRST_WAIT_S * 2 ** (failures - 1), LONGEST_WAIT_S) * random.uniform(0.5, 1)
            _log.info("%s Trying again in %.1f s.", hiccup.error.message, pause)
            if pause >= _NOTICE_S:
                progress.warn(f"{hiccup.error.message} Trying again in {pause:.0f} s.")
        _wait(pause, progress)


def refusal(response: httpx2.Response, what: str) -> Hiccup | ServerRefusal:
    """What an error status means for the one who wanted ``what``; to be raised.

    Args:
        response: With a status of 400 or above.
        what: Name of the file or thing, for the sentence.
    """
    status, host = response.status_code, response.request.url.host
    told = f"{status} {response.reason_phrase}".strip()
    pause = _retry_after(response.headers.get("Retry-After"))
    hint = "Check the address; the publisher may have moved the file."
    if status in (401, 403):
        sentence = f"{host} refuses access to {what} ({told})."
        hint = "Check whether its publisher asks for a login."
    elif status in (404, 410):
        sentence = f"{host} has no {what} ({told})."
    elif status == 429:
        sentence = f"{host} asks to slow down and does not send {what} now ({told})."
        minutes = math.ceil((pause or 0) / 60)
        hint = f"Try again in {minutes} minutes." if minutes > 1 else "Try again later."
    elif status >= 500:
        sentence = f"{host} has trouble and does not send {what} now ({told})."
        hint = "Try again later."
    else:
        sentence = f"{host} does not send {what} ({told})."
    words = "".join(c for c in response.headers.get("X-Error-Message", "") if c.isprintable())[:200]
    error = ServerRefusal(sentence, hint, status, response.headers.get("X-Error-Code", ""), words)
    return Hiccup(error, pause) if status in _PASSING or status >= 500 else error


def failure(error: httpx2.HTTPError | httpx2.InvalidURL, host: str, what: str) -> Hiccup | WeightsError:
    """What a connection that broke, or never was, means for the one who wanted ``what``; to be raised.

    Args:
        error: What httpx raised.
        host: The server's name, for the sentence.
        what: Name of the file or thing, likewise.
    """
    import httpx2

    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return WeightsError(
            f"The certificate of {host} cannot be verified: {_line(error)}.",
            "Behind a company proxy set SSL_CERT_FILE to its certificates; check this machine's date, too.",
        )
    if isinstance(error, httpx2.ProxyError):
        sentence = f"The proxy does not let {what} through: {_line(error)}."
    elif isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        sentence = f"{host} cannot be reached to fetch {what}: {_line(error)}."
    elif isinstance(error, httpx2.TimeoutException):
        sentence = f"{host} stopped answering while sending {what}."
    elif isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError | httpx2.DecodingError):
        sentence = f"The connection to {host} broke while fetching {what}: {_line(error)}."
    else:
        return WeightsError(f"{what} cannot be fetched from {host}: {_line(error)}.", _NETWORK_HINT)
    return Hiccup(WeightsError(sentence, _NETWORK_HINT))


@contextmanager
def proxy_settings() -> Iterator[None]:
    """Surrounds the making of a client, which reads the proxies of the environment.

    Raises:
        WeightsError: they name one it cannot use.
    """
    try:
        yield
    except (ImportError, ValueError) as error:
        raise WeightsError(
            f"The proxy settings of the environment cannot be used: {_line(error)}.",
            "Set HTTPS_PROXY and ALL_PROXY to an http or https address, or unset them.",
        ) from error


def _wait(seconds: float, progress: Progress) -> None:
    while seconds > 0:
        progress.check()
        sleep(min(seconds, _SLICE_S))
        seconds -= _SLICE_S


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a number or an HTTP date; None where it says nothing usable."""
    if not value:
        return None
    try:
        if value.strip().isdecimal():
            return float(value)
        until = parsedate_to_datetime(value)
        return max((until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, OverflowError):
        return None


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
