"""A file that cannot be opened is not a damaged one: how it is said of weights and what lies beside them."""

from __future__ import annotations

from pathlib import Path

from .. import checksums
from ..errors import WeightsError

AGAIN = "Get the folder again from its publisher."


class UnreadableError(WeightsError):
    """A file is there, and the user may not read it."""


def unreadable(path: Path, error: OSError) -> WeightsError:
    """The sentence for ``path``, which the system did not let us read.

    Args:
        path: The file.
        error: What reading it raised.
    """
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return WeightsError(f"The file {path} does not exist.", "Check the path, or get it again.")
    if isinstance(error, PermissionError):
        return UnreadableError(
            f"{path} may not be read by you.",
            "Make it and its folders readable, or ask whoever put it there to.",
        )
    return WeightsError(f"{path} cannot be read: {error.strerror or error}.", "Check the disk it lies on.")


def check_readable(path: Path) -> None:
    """Opens ``path`` once: the libraries that read weights call every failure damage.

    Args:
        path: The file.

    Raises:
        UnreadableError: it may not be read.
        WeightsError: it is missing, or cannot be read for another reason.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise unreadable(path, error) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, read now; `hashing.file_sha256` remembers.

    Args:
        path: The file.

    Raises:
        WeightsError: the file cannot be read.
    """
    try:
        return checksums.sha256_of(path)
    except OSError as error:
        raise unreadable(path, error) from error
