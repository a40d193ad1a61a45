"""Where weights lie: the bundled ones inside the package, installed ones where the lock file says."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from ..errors import WeightsError
from .catalogue import find_entry
from .lock import LockedWeights, read_lock
from .reading import unreadable

_PACKAGE = Path(__file__).parent


def weights_folder() -> Path:
    """The folder of installed weights: ``VDEPTH_WEIGHTS``, or the user's data folder; it need not exist."""
    chosen = os.environ.get("VDEPTH_WEIGHTS")
    return (
        Path(chosen).expanduser()
        if chosen
        else Path(platformdirs.user_data_dir("vdepth", appauthor=False)) / "weights"
    )


def find_weights(name: str) -> Path:
    """The installed weights of the model ``name``: a file, or the folder of a repository or of several files.

    Reads no weights; ``vdepth weights verify`` does.

    Args:
        name: As the user wrote it.

    Raises:
        UsageError: the catalogue has no such name.
        WeightsError: they are not installed, a file is missing or has another size, or they may not be read.
    """
    entry = find_entry(name)
    if entry.bundled:
        path = _PACKAGE / f"{name}.safetensors"
        if path.is_file():
            return path
        raise WeightsError(f"The weights of {name} are missing from this installation.", "Reinstall vdepth.")
    folder = weights_folder()
    locked = read_lock(folder).get(name)
    if locked is None:
        raise WeightsError(f"The weights of {name} are not installed.", entry.how_to_install)
    home = folder / locked.folder
    for relative, file in locked.files.items():
        if size_of(home / relative) != file.size:
            raise WeightsError(
                f"The installed weights of {name} are damaged: {relative} is missing or has another size.",
                entry.how_to_install,
            )
    return main_path(home, locked, is_repository=entry.repo is not None)


def size_of(path: Path) -> int | None:
    """Bytes of a file; None where there is none.

    Args:
        path: Anything, or nothing.

    Raises:
        WeightsError: the system does not say.
    """
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise unreadable(path, error) from error


def main_path(home: Path, locked: LockedWeights, *, is_repository: bool) -> Path:
    """What a loader takes: the only file, or the folder ``home`` of a repository or of several files.

    Args:
        home: Folder of the installed weights.
        locked: What was installed there.
        is_repository: Whether the loader wants the folder even of a single file.
    """
    return home if is_repository or len(locked.files) > 1 else home / next(iter(locked.files))
