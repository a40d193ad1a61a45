"""The unfinished installation of one name: what was fetched so far, and the folder that is being made of it.

It lies below the weights folder, so that finishing is a rename, and outlives a kill, so that a download goes
on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import ResourceError, WeightsError
from ..files import require_space
from ..progress import Progress
from .catalogue import CatalogueEntry, CatalogueFile
from .lock import WORK
from .reading import sha256_of, unreadable

_OLD_S = 30 * 86400.0  # after this a half-fetched file is of no use to anyone
_SPARE = 50_000_000  # bytes left to the disk
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """What lies in `Staging.fetched`, complete and checked.

    Attributes:
        source: Where from: an address, or the folder given with ``--from``.
        revision: The repository's commit; empty for other sources.
        sha256: Published path -> SHA-256.
    """

    source: str
    revision: str
    sha256: Mapping[str, str]


class Staging:
    """The folder of an unfinished installation; whoever uses it holds the claim on the name.

    Attributes:
        fetched: The files as published.
        ready: The files as they will be installed; emptied by `begin`.
    """

    def __init__(self, weights: Path, name: str) -> None:
        self.root = weights / WORK / name
        self.fetched, self.ready = self.root / "fetched", self.root / "ready"

    def begin(self, source: str) -> None:
        """Makes the folders; what an earlier run left stays if it is of the same source and not too old.

        Args:
            source: Where the files come from, as one string.
        """
        note = self.root / "source"
        try:
            with suppress(OSError):
                if note.read_text(encoding="utf-8") != source or time.time() - note.stat().st_mtime > _OLD_S:
                    note.unlink()
            if not note.is_file():
                self.clear()
            self.drop_ready()
            self.fetched.mkdir(parents=True, exist_ok=True)
            self.ready.mkdir()
            note.write_text(source, encoding="utf-8")
        except OSError as error:
            raise write_error(self.root, error) from error

    def drop_ready(self) -> None:
        """Removes what was made and keeps what was fetched, if anything was."""
        shutil.rmtree(self.ready, ignore_errors=True)
        names = [path for path in self.fetched.rglob("*") if not path.name.endswith(".part.json")]
        if not any(path.is_file() and path.stat().st_size for path in names):
            self.clear()

    def clear(self) -> None:
        """Removes everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    def take(self, path: str, name: str) -> None:
        """Puts the fetched file ``path`` into `ready` as it is; both names share it where the disk allows.

        Args:
            path: Below `fetched`.
            name: It gets below `ready`.
        """
        target = self.ready / name
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(self.fetched / path, target)
            except OSError:
                shutil.copyfile(self.fetched / path, target)

    def flush(self) -> None:
        """Forces `ready` to disk: the lock file must not survive a power cut that its files do not."""
        for path in self.ready.rglob("*"):
            if path.is_file():
                with writing(path), path.open("rb+") as file:
                    os.fsync(file.fileno())


def download_into(staging: Staging, entry: CatalogueEntry, progress: Progress) -> Fetched:
    """Fetches the files of ``entry`` from where it says they are.

    Args:
        staging: Where the files go.
        entry: What to fetch.
        progress: Told of the bytes; may cancel.

    Raises:
        WeightsError: no network, no such file, other content than the catalogue says.
        ResourceError: not enough space.
    """
    from .fetch.download import download
    from .fetch.hub import fetch_from_hub, hub_sizes

    if entry.repo is not None and entry.revision is not None:
        names = [file.path for file in entry.files]
        sizes = hub_sizes(entry.repo, entry.revision, names)
        _need(staging, entry, [sizes.get(name) for name in names])
        got = fetch_from_hub(entry.repo, entry.revision, names, staging.fetched, progress=progress)
        for file in entry.files:
            check_file(file, staging.fetched / file.path, got.sha256[file.path])
        return Fetched(entry.source, got.commit, dict(got.sha256))
    _need(staging, entry, [file.size for file in entry.files])
    hashes = {}
    for file in entry.files:
        target = staging.fetched / file.path
        if file.sha256 is not None and target.is_file() and sha256_of(target) == file.sha256:
            hashes[file.path] = file.sha256  # whole since a run that was killed later on
            continue
        assert file.url is not None, "the catalogue sees to it"
        stage = "download" if len(entry.files) == 1 else f"download {file.path}"
        hashes[file.path] = download(
            file.url, target, size=file.size, sha256=file.sha256, progress=progress, stage=stage
        )
        check_file(file, target, hashes[file.path])
    return Fetched(entry.source, "", hashes)


def copy_into(staging: Staging, entry: CatalogueEntry, source: Path, progress: Progress) -> Fetched:
    """Copies the files of ``entry`` from a folder, where they have a published name, or the one it needs.

    Symbolic links are followed; ``source`` is only read.

    Args:
        staging: Where the files go.
        entry: What to copy.
        source: The folder; of an entry of one file also that file.
        progress: Told of the bytes; may cancel.

    Raises:
        WeightsError: a file is missing, cannot be read, or is not what the catalogue says.
        ResourceError: not enough space.
    """
    try:
        found = {file.path: _find(file, source, len(entry.files) == 1) for file in entry.files}
    except OSError as error:
        raise unreadable(source, error) from error
    missing = [" or ".join((file.path, *file.aliases)) for file in entry.files if found[file.path] is None]
    if missing:
        some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise WeightsError(f"{source} has no {some}.", f"They are published at {entry.source}.")
    paths = {name: path for name, path in found.items() if path is not None}
    sizes = [path.stat().st_size for path in paths.values()]
    _need(staging, entry, list(sizes))
    progress.stage("copy", sum(sizes))
    hashes = {}
    for file in entry.files:
        hashes[file.path] = _copy(paths[file.path], staging.fetched / file.path, progress)
        check_file(file, staging.fetched / file.path, hashes[file.path])
    return Fetched(str(source.absolute()), "", hashes)


def check_file(file: CatalogueFile, path: Path, sha256: str) -> None:
    """Compares a fetched file with the catalogue; one that is wrong is removed.

    Args:
        file: What the catalogue says.
        path: Where the fetched one lies.
        sha256: Of the fetched one.

    Raises:
        WeightsError: it is not the file the catalogue means.
    """
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        what = f"it has {size:,} bytes, not {file.size:,}"
    elif file.sha256 is not None and sha256 != file.sha256:
        what = f"its SHA-256 is {sha256}, not {file.sha256}"
    elif file.md5 is not None and (md5 := _md5(path)) != file.md5:
        what = f"its MD5 is {md5}, not {file.md5}"
    else:
        return
    path.unlink()
    raise WeightsError(
        f"{file.path} is not the published file: {what}.",
        "Get it again; if that repeats, its publisher has changed it or somebody else has.",
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a failure to write ``path`` into a sentence.

    Args:
        path: File or folder.
    """
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> ResourceError:
    """The sentence for a failure to write ``path``.

    Args:
        path: File or folder.
        error: What writing raised.
    """
    return ResourceError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Free some space, or set VDEPTH_WEIGHTS to a folder you may write to.",
    )


def _need(staging: Staging, entry: CatalogueEntry, sizes: list[int | None]) -> None:
    """Refuses to begin what cannot fit: the files, and the checkpoints among them once more, converted."""
    checkpoints = [size or 0 for size, file in zip(sizes, entry.files, strict=True) if file.is_checkpoint]
    total = entry.size if None in sizes else sum(size or 0 for size in sizes)
    there = sum(path.stat().st_size for path in staging.fetched.rglob("*") if path.is_file())
    needed = max(total - there, 0) + sum(checkpoints) + _SPARE
    require_space(
        staging.root.parents[1],
        needed,
        f"{entry.name} needs",
        "Free some space, or set VDEPTH_WEIGHTS to a folder on another disk.",
    )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _find(file: CatalogueFile, source: Path, only: bool) -> Path | None:
    if source.is_file():
        return source if only else None
    names = [file.path, *file.aliases]
    return next((source / PurePosixPath(name) for name in names if (source / name).is_file()), None)


def _copy(source: Path, target: Path, progress: Progress) -> str:
    digest = hashlib.sha256()
    try:
        file = source.open("rb")
    except OSError as error:
        raise unreadable(source, error) from error
    with file, writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            while chunk := file.read(_CHUNK):
                progress.check()
                digest.update(chunk)
                out.write(chunk)
                progress.advance("copy", len(chunk))
    return digest.hexdigest()
