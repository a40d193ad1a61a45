"""Installs, checks and removes weights: fetched, verified, converted, and switched to in one rename.

Every version lies in a folder of its own, ``NAME/DIGEST``. The lock file names the one in use; until it is
replaced the old version can be loaded, and whatever stops an installation leaves nothing that can be.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from ..errors import UsageError, WeightsError
from ..files import take_place
from ..progress import Progress
from .catalogue import CatalogueEntry, catalogue, find_entry
from .convert import convert
from .loading import check_safetensors
from .location import find_weights, main_path, size_of, weights_folder
from .lock import LOCK_FILE, WORK, LockedFile, LockedWeights, SeenFile, claim, read_lock, write_lock
from .prepare import prepare
from .reading import UnreadableError, check_readable, sha256_of
from .staging import Fetched, Staging, copy_into, download_into, writing

_log = logging.getLogger(__name__)

Problem = Literal["missing", "changed", "unreadable", "stray", "unfinished"]
_VERSION = re.compile(r"[0-9a-f]{12}(-\d+)?")  # how folders of versions are named


@dataclass(frozen=True)
class Installed:
    """Weights that are there.

    Attributes:
        name: Their name in the catalogue.
        path: The file or folder a loader takes.
        license: The licence they were installed under.
        revision: Commit of the repository; empty for other sources.
        size: Bytes on disk.
        installed: The day, UTC; None for bundled ones.
        fresh: False when `install` found them in place.
    """

    name: str
    path: Path
    license: str
    revision: str
    size: int
    installed: date | None
    fresh: bool = False


@dataclass(frozen=True)
class Finding:
    """Something `verify` found about ``path``; it belongs to ``name``, or to nothing when that is empty."""

    name: str
    path: Path
    problem: Problem


def install(
    name: str,
    *,
    source: Path | None = None,
    accept: Collection[str] = (),
    progress: Progress | None = None,
    force: bool = False,
) -> Installed:
    """Installs the weights ``name``; does nothing when they are installed and whole.

    Args:
        name: A name of the catalogue.
        source: A folder, or the one file, to install from instead of the network.
        accept: Names whose licence the user agrees to; needed where commercial use is forbidden.
        progress: Told the bytes and files done; asked for cancellation.
        force: Fetch them again even so.

    Raises:
        UsageError: the catalogue has no such name.
        WeightsError: the licence is not accepted; no network; wrong, damaged or dangerous files.
        ResourceError: not enough space, or the weights folder cannot be written.
        Cancelled: ``progress`` asked to stop; a download goes on with the next call.
    """
    progress = progress or Progress()
    entry = find_entry(name)
    if entry.bundled:
        return Installed(name, find_weights(name), entry.license, "", entry.size, None)
    folder = weights_folder()
    accepted = _consent(entry, accept, read_lock(folder).get(name))
    with claim(folder, name, progress):
        before = read_lock(folder).get(name)
        if before is not None and _is_current(entry, before) and not force:
            findings = list(_damage(folder, name, before, progress))
            for finding in findings:
                if finding.problem == "unreadable":
                    check_readable(finding.path)
            if not findings:
                return _installed(folder, name, before)
            progress.warn(f"The installed weights of {name} are damaged; they are installed again.")
        if entry.notice:
            progress.warn(f"{entry.title} is under {entry.license} ({entry.license_url}): {entry.notice}.")
        staging = Staging(folder, name)
        fetched = _fetch(staging, entry, source, progress)
        try:
            if before is not None:
                _check_unchanged(entry, before, fetched)
            facts = _build(staging, entry, fetched, progress)
            home = _switch(folder, entry, staging, fetched, facts, accepted)
        except WeightsError:
            staging.clear()  # these files are of no use, nor would they be the next time
            raise
        except BaseException:
            staging.drop_ready()
            raise
        staging.clear()
        _sweep(folder / name, keep=home)
        return _installed(folder, name, read_lock(folder)[name], fresh=True)


def installed() -> dict[str, Installed]:
    """What the lock file names, by name; the files are not looked at.

    Raises:
        WeightsError: the lock file is damaged.
    """
    folder = weights_folder()
    return {name: _installed(folder, name, locked) for name, locked in read_lock(folder).items()}


def verify(names: Iterable[str] | None = None, *, progress: Progress | None = None) -> list[Finding]:
    """Reads all files of installed weights again and compares them with the lock file.

    Args:
        names: What to look at; default: everything, also what lies in the weights folder and belongs to
            nothing.
        progress: Told the bytes read; asked for cancellation.

    Returns:
        What is wrong; empty when all is well.

    Raises:
        UsageError: the catalogue has no such name.
        WeightsError: one of ``names`` is not installed, or the lock file is damaged.
    """
    folder, progress = weights_folder(), progress or Progress()
    lock = read_lock(folder)
    chosen = list(lock) if names is None else list(names)
    for name in chosen:
        if name not in lock and not find_entry(name).bundled:
            raise WeightsError(f"The weights of {name} are not installed.", find_entry(name).how_to_install)
    findings: list[Finding] = []
    for name in chosen:
        if name in lock:
            findings += _damage(folder, name, lock[name], progress)
            findings += _strays(folder, name, lock[name])
    if names is None and folder.is_dir():
        ours = {LOCK_FILE, WORK, *lock}
        findings += [Finding("", path, "stray") for path in sorted(folder.iterdir()) if path.name not in ours]
        work = sorted((folder / WORK).iterdir()) if (folder / WORK).is_dir() else []
        findings += [Finding(path.name, path, "unfinished") for path in work if path.is_dir()]
    return findings


def remove(name: str) -> None:
    """Removes the weights ``name``, and what an unfinished installation of them left.

    Args:
        name: As the catalogue or the lock has it.

    Raises:
        UsageError: there is no such name, or they are a part of the package.
        WeightsError: they are not installed.
        ResourceError: the weights folder cannot be written.
    """
    folder = weights_folder()
    known = name in read_lock(folder)
    if not known and find_entry(name).bundled:
        raise UsageError(f"The weights of {name} are a part of vdepth.", "Name others.")
    staging = Staging(folder, name)
    if not known and not staging.root.is_dir():
        raise WeightsError(f"The weights of {name} are not installed.", "See vdepth weights list.")
    with claim(folder, name, Progress()):
        write_lock(folder, name, None)
        staging.clear()
        _sweep(folder / name, keep=None)


def _consent(entry: CatalogueEntry, accept: Collection[str], before: LockedWeights | None) -> date | None:
    """The day the licence was agreed to; None where that is not needed."""
    if entry.commercial:
        return None
    if before is not None and before.accepted is not None and before.license == entry.license:
        return before.accepted
    if entry.name in accept:
        return _today()
    raise WeightsError(
        f"{entry.title} may not be used commercially: its licence is {entry.license} ({entry.license_url}).",
        f"Read it; if it covers your use, agree to it. {entry.how_to_install}",
    )


def _is_current(entry: CatalogueEntry, before: LockedWeights) -> bool:
    """Whether what is installed is what the catalogue means today."""
    known = {file.path: file.sha256 for file in entry.files}
    if before.original.keys() != known.keys():
        return False
    if any(sha256 not in (None, before.original[path]) for path, sha256 in known.items()):
        return False
    pinned = entry.revision is not None and re.fullmatch(r"[0-9a-f]{40}", entry.revision)
    return not pinned or before.revision in ("", entry.revision)


def _fetch(staging: Staging, entry: CatalogueEntry, source: Path | None, progress: Progress) -> Fetched:
    if source is None and entry.obtain:
        raise WeightsError(
            f"{entry.title} has no address that a program can fetch it from.", entry.how_to_install
        )
    if source is not None and not source.exists():
        raise WeightsError(f"{source} does not exist.", "Check the path given with --from.")
    staging.begin(f"{entry.source} {entry.revision}" if source is None else str(source))
    try:
        if source is None:
            return download_into(staging, entry, progress)
        return copy_into(staging, entry, source, progress)
    except BaseException:
        staging.drop_ready() if source is None else staging.clear()
        raise


def _check_unchanged(entry: CatalogueEntry, before: LockedWeights, fetched: Fetched) -> None:
    """The same address and commit must hold the same files as the last time."""
    if not (before.source, before.revision) == (fetched.source, fetched.revision) != (entry.source, ""):
        return
    for path, sha256 in fetched.sha256.items():
        if before.original.get(path, sha256) != sha256:
            raise WeightsError(
                f"{path} of {entry.name} has changed at its source although its version has not.",
                "The installed one stays. If you trust the new one, remove it first: "
                f"vdepth weights remove {entry.name}",
            )


def _build(
    staging: Staging, entry: CatalogueEntry, fetched: Fetched, progress: Progress
) -> tuple[dict[str, LockedFile], str]:
    """Fills ``staging.ready``; returns its files and their digest."""
    checkpoints = sum(file.is_checkpoint for file in entry.files)
    if checkpoints:
        progress.stage("convert", checkpoints)
    hashes: dict[str, str] = {}
    for file in entry.files:
        path = staging.fetched / file.path
        if file.is_checkpoint:
            with progress.step("convert"):
                facts = {
                    "source": file.path,
                    "sha256": fetched.sha256[file.path],
                    "license": entry.license,
                    "commercial": str(entry.commercial).lower(),
                }
                hashes |= dict.fromkeys(convert(path, staging.ready, file.stored_as, facts), "")
        else:
            _check_content(path)
            staging.take(file.path, file.stored_as)
            hashes[file.stored_as] = fetched.sha256[file.path]
    hashes = {name: sha256 or sha256_of(staging.ready / name) for name, sha256 in hashes.items()}
    digest = hashlib.sha256(json.dumps(sorted(hashes.items())).encode()).hexdigest()
    progress.check()
    prepare(entry.family, staging.ready)
    files = {}
    for path in sorted(staging.ready.rglob("*")):
        if path.is_file():
            name = path.relative_to(staging.ready).as_posix()
            files[name] = LockedFile(sha256=hashes.get(name) or sha256_of(path), size=path.stat().st_size)
    return files, digest


def _check_content(path: Path) -> None:
    """What is stored as it is must be readable: a login page in place of a file is not."""
    if path.suffix == ".safetensors":
        check_safetensors(path)
    elif path.suffix == ".json":
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path.name} is no JSON.", "Get it again from its publisher.") from error


def _switch(
    folder: Path,
    entry: CatalogueEntry,
    staging: Staging,
    fetched: Fetched,
    facts: tuple[dict[str, LockedFile], str],
    accepted: date | None,
) -> Path:
    """Gives ``staging.ready`` its final name and makes the lock file name it."""
    files, digest = facts
    staging.flush()
    home, number = folder / entry.name / digest[:12], 1
    with writing(home):
        home.parent.mkdir(exist_ok=True)
        while home.exists():  # a damaged version of the same content may be in use
            number += 1
            home = home.with_name(f"{digest[:12]}-{number}")
        take_place(staging.ready, home)
    try:
        write_lock(
            folder,
            entry.name,
            LockedWeights(
                source=fetched.source,
                revision=fetched.revision,
                installed=_today(),
                license=entry.license,
                accepted=accepted,
                folder=f"{entry.name}/{home.name}",
                digest=digest,
                files=files,
                original=dict(fetched.sha256),
                seen={name: SeenFile.of(home / name) for name in files},
            ),
        )
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return home


def _sweep(versions: Path, keep: Path | None) -> None:
    """Deletes the versions of one name that are not in use; nobody else's files."""
    if not versions.is_dir():
        return
    for path in versions.iterdir():
        if path != keep and _VERSION.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)  # where a program still reads it, the next sweep does
    if not any(versions.iterdir()):
        versions.rmdir()


def _damage(folder: Path, name: str, locked: LockedWeights, progress: Progress) -> Iterable[Finding]:
    progress.stage(f"check {name}", sum(file.size for file in locked.files.values()))
    for path, file in locked.files.items():
        progress.check()
        there = folder / locked.folder / path
        try:
            if (size := size_of(there)) is None:
                yield Finding(name, there, "missing")
            elif size != file.size or sha256_of(there) != file.sha256:
                yield Finding(name, there, "changed")
        except UnreadableError:
            yield Finding(name, there, "unreadable")
        progress.advance(f"check {name}", file.size)


def _strays(folder: Path, name: str, locked: LockedWeights) -> list[Finding]:
    home = folder / locked.folder
    files = {home / path for path in locked.files}
    inside = [path for path in sorted(home.rglob("*")) if path.is_file() and path not in files]
    beside = [path for path in sorted(home.parent.iterdir()) if path != home] if home.parent.is_dir() else []
    return [Finding(name, path, "stray") for path in inside + beside]


def _installed(folder: Path, name: str, locked: LockedWeights, fresh: bool = False) -> Installed:
    entry = catalogue().get(name)
    path = main_path(
        folder / locked.folder, locked, is_repository=entry is not None and entry.repo is not None
    )
    size = sum(file.size for file in locked.files.values())
    return Installed(name, path, locked.license, locked.revision, size, locked.installed, fresh)


def _today() -> date:
    return datetime.now(UTC).date()
