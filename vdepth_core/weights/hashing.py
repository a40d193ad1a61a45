"""One SHA-256 for a model that is a folder of weights and configurations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ..errors import WeightsError
from .loading import sha256_of

SUFFIXES = (".safetensors", ".bin", ".json")
DERIVED = ("empty_prompt.safetensors",)  # computed from the other files, on this machine


def folder_sha256(folder: Path) -> str:
    """`files_sha256` of all weights and configurations of the folder.

    Hidden files and folders (a download's notes) and what was computed from the other files do not count, so
    the same files give the same hash wherever they lie.

    Raises:
        WeightsError: the folder holds no such files, or one cannot be read.
    """
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES
        and path.name not in DERIVED
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise WeightsError(f"The folder {folder} holds no weights.", "Check the path given with --model.")
    return files_sha256(folder, files)


def files_sha256(folder: Path, files: Iterable[Path]) -> str:
    """One SHA-256 for a model of several files: that of the lines ``SUM  NAME``, in the order of the names.

    It is what ``sha256sum NAMES | sha256sum`` prints in the folder.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    lines = (f"{sha256_of(folder / name)}  {name}\n" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
