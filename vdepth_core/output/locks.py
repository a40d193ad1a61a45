"""Who works in an output folder: locks in its work folder, released when their process ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import BusyError, ResourceError
from ..files import make_folder
from ..progress import Progress
from .journal import LOCK, WORK

_WAIT_S = 0.2


def lock_folder(out: Path, name: str = LOCK, what: str = "") -> FileLock:
    """Takes a lock of an output folder, whose work folder is made if it is not there.

    Args:
        out: The folder.
        name: The lock's file in its work folder.
        what: What is locked, for the sentence; empty: all of it.

    Raises:
        BusyError: another process holds it.
        ResourceError: it cannot be written.
    """
    try:
        (out / WORK).mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / WORK / name)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(
            f"Another vdepth process is working {f'on {what} ' if what else ''}in {out}.",
            "Wait for it, or choose another folder with -o.",
        ) from error
    except OSError as error:
        raise ResourceError(
            f"The output folder {out} cannot be written ({error.strerror or error}).",
            "Choose a folder you may write to with -o.",
        ) from error
    return lock


@contextmanager
def planning(out: Path, progress: Progress) -> Iterator[None]:
    """Holds the lock of whoever plans a job that several processes work on; waits for its turn.

    Args:
        out: The job's folder, made if it is not there.
        progress: May cancel the waiting.

    Raises:
        ResourceError: the folder cannot be written.
        Cancelled: the user asked to stop meanwhile.
    """
    make_folder(out / WORK)
    lock = FileLock(out / WORK / f"{LOCK}.plan")
    while True:
        progress.check()
        with suppress(Timeout):
            lock.acquire(timeout=_WAIT_S)
            break
    try:
        yield
    finally:
        lock.release()
