"""Fetches files of a model repository from the Hugging Face hub or a mirror of it.

huggingface_hub says what there is (commit, names, sizes, hashes), where it lies and which token goes along;
the bytes come through `download`, since huggingface_hub itself throws an unfinished file away when it is
stopped, and checks no hashes. So no xet client is needed, nothing but the files asked for lies in the folder,
and no tqdm bar is drawn.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, NonNegativeInt
from pydantic.dataclasses import dataclass as checked_dataclass

from ...errors import WeightsError
from ...progress import Progress
from ...version import __version__
from ..reading import sha256_of
from . import http
from .download import download
from .http import ServerRefusal, failure, persistently, refusal

_HUB = "https://huggingface.co"
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})  # as huggingface_hub reads its switches


@dataclass(frozen=True)
class HubFetch:
    """What lies in the folder now.

    Attributes:
        commit: The commit the revision stood for, 40 hex digits.
        sizes: File name in the repository -> bytes.
        sha256: File name in the repository -> SHA-256 as 64 hex digits.
    """

    commit: str
    sizes: Mapping[str, int]
    sha256: Mapping[str, str]


@checked_dataclass(frozen=True)
class _Listed:
    """One file as the hub lists it; a field is None where it does not say."""

    name: str
    size: NonNegativeInt | None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None  # of large files
    blob: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None  # git's name of the content, of small files


def fetch_from_hub(
    repo: str,
    revision: str,
    files: Sequence[str],
    folder: Path,
    *,
    progress: Progress | None = None,
    stage: str = "download",
) -> HubFetch:
    """Fetches ``files`` of ``repo`` at ``revision`` into ``folder``, with the repository's subfolders.

    Files of an earlier run that are whole are kept, an unfinished one (``NAME.part``) is continued. Once all
    is done, ``folder`` has gained the files and nothing else. The address of the hub (``HF_ENDPOINT``), the
    token (``HF_TOKEN``, or the one huggingface_hub stored) and the offline switch (``HF_HUB_OFFLINE``) are
    read at each call.

    Args:
        repo: ``owner/name``.
        revision: A branch, tag or commit.
        files: Names in the repository, or patterns with ``*``, ``?`` and ``[]``, where ``*`` crosses folders;
            each must match something.
        folder: Where to put them; it is created.
        progress: Told the bytes on disk, those of an earlier run included; asked for cancellation.
        stage: The name of the progress stage.

    Raises:
        WeightsError: no such repository, revision or file; no access; no network; offline; wrong content.
        ResourceError: the disk is full or the folder cannot be written.
        Cancelled: ``progress`` asked to stop.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # no __all__ there

    progress = progress or Progress()
    endpoint = _endpoint()
    with _explained(repo, revision, endpoint):
        commit, wanted = _look_up(repo, revision, files, endpoint, progress)
        sizes = [file.size for file in wanted if file.size is not None]
        progress.stage(stage, sum(sizes) if len(sizes) == len(wanted) else None)
        hashes: dict[str, str] = {}
        for file in wanted:
            progress.check()
            target = folder / file.name
            if (earlier := _whole(target, file)) is not None:
                hashes[file.name] = earlier
                progress.advance(stage, target.stat().st_size)
                continue
            url = hf_hub_url(repo, file.name, revision=commit, endpoint=endpoint)
            hashes[file.name] = download(
                url,
                target,
                size=file.size,
                sha256=file.sha256,
                progress=_WithinStage(progress),
                stage=stage,
                headers=build_hf_headers(library_name="vdepth", library_version=__version__),
            )
            if file.blob is not None and _blob_of(target) != file.blob:
                target.unlink()
                raise WeightsError(
                    f"{file.name} of {repo} is not the file the hub lists: its git hash differs.",
                    "It was removed. Run the same command again.",
                )
    return HubFetch(commit, {name: (folder / name).stat().st_size for name in hashes}, hashes)


def hub_sizes(repo: str, revision: str, files: Sequence[str]) -> dict[str, int | None]:
    """What `fetch_from_hub` would fetch: file name in the repository -> bytes, None where the hub is silent.

    Args:
        repo: ``OWNER/NAME``.
        revision: Branch, tag or commit.
        files: Names or patterns in the repository.

    Raises:
        WeightsError: as `fetch_from_hub`.
    """
    endpoint = _endpoint()
    with _explained(repo, revision, endpoint):
        _, wanted = _look_up(repo, revision, files, endpoint, Progress())
    return {file.name: file.size for file in wanted}


class _WithinStage(Progress):
    """Counts one file's bytes into a stage that is announced already."""

    def __init__(self, outer: Progress) -> None:
        super().__init__()
        self._outer = outer

    def advance(self, name: str, done: int = 1) -> None:
        self._outer.advance(name, done)

    def warn(self, message: str) -> None:
        self._outer.warn(message)

    def check(self) -> None:
        self._outer.check()


def _endpoint() -> str:
    endpoint = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    if not endpoint.startswith(("http://", "https://")):
        raise WeightsError(
            f"HF_ENDPOINT is {endpoint}, which is no http or https address.", "Set it right, or unset it."
        )
    return endpoint


def _look_up(
    repo: str, revision: str, files: Sequence[str], endpoint: str, progress: Progress
) -> tuple[str, list[_Listed]]:
    """The commit of ``revision`` and the files that ``files`` means."""
    switch = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    if switch.upper() in _TRUE:
        raise _offline(repo)
    commit, listed = persistently(lambda: _list(repo, revision, endpoint), progress)
    wanted: dict[str, _Listed] = {}
    for pattern in files:
        found = [file for file in listed if file.name == pattern or fnmatchcase(file.name, pattern)]
        if not found:
            raise WeightsError(
                f"{repo} has no file {pattern} at revision {revision}.",
                f"See {endpoint}/{repo}/tree/{commit}.",
            )
        wanted |= {file.name: file for file in found}
    for name in wanted:
        if set(name.split("/")) & {"", ".", ".."} or set(name) & {"\\", ":"} or not name.isprintable():
            raise WeightsError(
                f"{repo} lists a file named {name!r}, which could be written outside its folder.",
                "Do not trust this repository; tell its publisher.",
            )
    return commit, list(wanted.values())


def _list(repo: str, revision: str, endpoint: str) -> tuple[str, list[_Listed]]:
    import httpx2
    from huggingface_hub import HfApi, get_session
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    host = urlsplit(endpoint).hostname or endpoint
    with http.proxy_settings():
        get_session()
    try:
        api = HfApi(endpoint=endpoint, library_name="vdepth", library_version=__version__)
        info = api.model_info(repo, revision=revision, files_metadata=True, timeout=http.READ_TIMEOUT_S)
        if not info.sha or info.siblings is None:
            raise ValueError("no commit or no files")
        return info.sha, [
            _Listed(file.rfilename, file.lfs.size, file.lfs.sha256, None)
            if file.lfs
            else _Listed(file.rfilename, file.size, None, file.blob_id)
            for file in info.siblings
        ]
    except OfflineModeIsEnabled as error:  # switched on when huggingface_hub was imported
        raise _offline(repo) from error
    except HFValidationError as error:
        raise WeightsError(f"{repo!r} is no name of a repository.", "Write it as owner/name.") from error
    except HfHubHTTPError as error:
        raise refusal(error.response, repo) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise failure(error, host, repo) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"{host} does not answer as a Hugging Face hub does.",
            "Check HF_ENDPOINT; a login page of the network may answer in its place, too.",
        ) from error


def _offline(repo: str) -> WeightsError:
    return WeightsError(
        f"{repo} cannot be fetched: the offline mode of huggingface_hub is on (HF_HUB_OFFLINE).",
        "Unset it, or get the files on another machine and install them with --from FOLDER.",
    )


def _whole(path: Path, file: _Listed) -> str | None:
    """The SHA-256 of what lies at ``path`` if an earlier run fetched ``file`` there, else None."""
    if not path.is_file() or path.stat().st_size != file.size:
        return None
    found = sha256_of(path)
    if file.sha256 is not None:
        return found if found == file.sha256 else None
    return found if file.blob is not None and _blob_of(path) == file.blob else None


def _blob_of(path: Path) -> str:
    """The name git gives a file of this content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: digest).hexdigest()


@contextmanager
def _explained(repo: str, revision: str, endpoint: str) -> Iterator[None]:
    """Says what the hub's refusals mean for the user."""
    try:
        yield
    except ServerRefusal as error:
        raise _explain(error, repo, revision, endpoint) from error


def _explain(error: ServerRefusal, repo: str, revision: str, endpoint: str) -> WeightsError:
    host = urlsplit(endpoint).hostname
    login = f"set HF_TOKEN to a token from {endpoint}/settings/tokens"
    told = f' The hub says: "{error.words}"' if error.words else ""
    if error.status == 401 and "credentials" in error.words:
        return WeightsError(f"{host} does not accept the token.", f"Unset HF_TOKEN, or {login}.")
    if error.reason == "GatedRepo":
        return WeightsError(
            f"{repo} is only for those who have accepted its licence.{told}",
            f"Log in on {endpoint}/{repo}, accept it there, and {login}.",
        )
    if error.reason == "RevisionNotFound":
        return WeightsError(f"{repo} has no revision {revision}.", f"See {endpoint}/{repo}.")
    if error.reason == "RepoNotFound":
        return WeightsError(
            f"{host} has no repository {repo}, or it is private.",
            f"Check the name; if it is private or asks to accept a licence, {login}.",
        )
    if error.status in (401, 403):
        return WeightsError(
            f"{host} refuses access to {repo} ({error.status}).{told}",
            f"Accept its licence on {endpoint}/{repo} if it asks for that, and {login}.",
        )
    if error.status == 429:
        return WeightsError(error.message, f"{error.hint} The hub allows more with a token: {login}.")
    return error
