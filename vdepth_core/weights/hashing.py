"""SHA-256 of weights, read once: five gigabytes cost twelve seconds, at every start.

What is installed the lock file knows; every other file's hash is kept in the user's cache. Either holds as
long as the file system says that the file is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import platformdirs

from ..checksums import Checksums
from ..errors import WeightsError
from .catalogue import published_models
from .folders import model_files
from .location import find_weights, weights_folder
from .lock import read_lock
from .reading import unreadable

_KEPT = 1000  # files whose hashes are remembered


def remembered_sha256(name_or_path: str | Path) -> str | None:
    """What `ModelSpec.weights_sha256` of a model is, without loading it; None: its weights are not there.

    Args:
        name_or_path: As `load_model` takes it; of a plug-in's name nothing is known.

    Raises:
        WeightsError: the weights are there and cannot be read.
    """
    entry = published_models().get(name_or_path) if isinstance(name_or_path, str) else None
    path = Path(name_or_path).expanduser()
    if entry is not None:
        try:
            path = find_weights(entry.name)
        except WeightsError:
            return None
    if path.is_dir():
        return folder_sha256(path)
    return file_sha256(path) if path.is_file() else None


def folder_sha256(folder: Path) -> str:
    """`files_sha256` of all files that decide what the folder's model says; see `model_files`.

    The same files give the same hash wherever they lie.

    Args:
        folder: Of a model, of either layout.

    Raises:
        WeightsError: the folder holds no such files, or one cannot be read.
    """
    return files_sha256(folder, model_files(folder))


def files_sha256(folder: Path, files: Iterable[Path]) -> str:
    """One SHA-256 for a model of several files: that of the lines ``SUM  NAME``, in the order of the names.

    It is what ``sha256sum NAMES | sha256sum`` prints in the folder.

    Args:
        folder: What the names are relative to.
        files: Paths below it, in any order.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    lines = (f"{file_sha256(folder / name)}  {name}\n" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a weights file as 64 hex digits, read unless it is remembered.

    Args:
        path: The file.

    Raises:
        WeightsError: the file cannot be read.
    """
    if (locked := _locked(path)) is not None:
        return locked
    memory = Path(platformdirs.user_cache_dir("vdepth")) / "weights.json"
    known = Checksums(memory, keep=_KEPT)
    try:
        digest = known.of(path)
    except OSError as error:
        raise unreadable(path, error) from error
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        known.save()
    return digest


def _locked(path: Path) -> str | None:
    """What the lock file says, if ``path`` is what was installed."""
    folder = weights_folder().absolute()
    if not path.absolute().is_relative_to(folder):
        return None
    with suppress(OSError, WeightsError):
        for weights in read_lock(folder).values():
            home = folder / weights.folder
            if path.absolute().is_relative_to(home):
                return weights.sha256_of(path.absolute().relative_to(home).as_posix(), path)
    return None
