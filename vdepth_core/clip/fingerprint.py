"""A clip's identity for manifests and resuming: cheap to compute, changed by any ordinary edit."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .naming import find_sequence, is_sequence

_END = 1 << 20  # bytes hashed at either end


def fingerprint(path: Path | str) -> str:
    """SHA-256 over the size and the first and last MiB of a file.

    For an image sequence: over every file's name and size, and the ends of the first and last file.

    Raises:
        InputError: a sequence is not there or has a gap.
        OSError: a file cannot be read.
    """
    path = Path(path).expanduser()
    digest = hashlib.sha256()
    if not is_sequence(path):
        _add_file(digest, path)
        return digest.hexdigest()
    files = find_sequence(path).files
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\n".encode())
    _add_file(digest, files[0])
    _add_file(digest, files[-1])
    return digest.hexdigest()


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        digest.update(f"{size}\n".encode())
        digest.update(file.read(_END))
        file.seek(max(0, size - _END))
        digest.update(file.read(_END))
