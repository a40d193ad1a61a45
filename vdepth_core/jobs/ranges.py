"""Ranges of one long shot, predicted by several processes: where they lie, who has them, when they are all.

Each has a store of its own beside the shot's, so no two machines write into one file. Whoever finds that all
of a shot is predicted goes on with it as a whole: nothing waits, and whatever dies is done again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from ..files import write_error
from ..methods.ranges import RangedMethod
from ..output.journal import LOCK, WORK
from ..output.locks import lock_folder
from ..plugins import answering
from ..store import DepthStore, read_facts, remove_store
from ..types import Shot
from .parts import Piece
from .plan import Plan
from .shots import gather

_DONE = "predicted"
_NAME = re.compile(r"shot_\d{4,}_(\d+)-(\d+)")


def step_of(plan: Plan) -> int:
    """Multiples of how many frames a shot may be cut at; 0: its method does not allow it.

    Args:
        plan: The job.
    """
    if not isinstance(plan.method, RangedMethod):
        return 0
    with answering(*plan.plugins("method")):
        return plan.method.step(plan.spec, plan.device)


def lock_range(out: Path, piece: Piece) -> FileLock:
    """Takes a range; who plans the job must hold that lock.

    Args:
        out: The job's folder.
        piece: The range.

    Raises:
        BusyError: another process has it, its shot or the job.
        ResourceError: the folder cannot be written.
    """
    shot, first, last = piece.shot.index, piece.start, piece.stop - 1
    everything = lock_folder(out)
    try:
        lock_folder(out, f"{LOCK}.shot_{shot:04d}", f"shot {shot}").release()
        what = f"frames {first} to {last} of shot {shot}"
        return lock_folder(out, f"{LOCK}.{_name(piece)}", what)
    finally:
        everything.release()


def open_range(plan: Plan, out: Path, piece: Piece) -> DepthStore:
    """The store of a range, as large as the shot's; what it holds of other predictions is dropped.

    Args:
        plan: The job.
        out: Its folder.
        piece: The range.

    Raises:
        ResourceError: the folder cannot be written.
    """
    folder = out / WORK / _name(piece)
    return DepthStore(folder, len(piece.shot), *plan.size, **plan.record.made_of(piece.shot))


def is_predicted(plan: Plan, out: Path, piece: Piece) -> bool:
    """Whether a range is done, and of these predictions.

    Args:
        plan: The job.
        out: Its folder.
        piece: The range.
    """
    return read_facts(out / WORK / _name(piece)).get(_DONE) == _identity(plan, piece.shot)


def set_predicted(plan: Plan, store: DepthStore, piece: Piece) -> None:
    """Notes that a range is done.

    Args:
        plan: The job.
        store: Of the range.
        piece: The range.

    Raises:
        ResourceError: the disk is full.
    """
    store.save(_DONE, _identity(plan, piece.shot))


def all_predicted(plan: Plan, out: Path, shot: Shot) -> bool:
    """Whether ranges that are done make all of a shot, however it was cut.

    Args:
        plan: The job.
        out: Its folder.
        shot: Which one.
    """
    reached = 0
    for piece in _predicted(plan, out, shot):
        if piece.start > reached:
            return False
        reached = max(reached, piece.stop)
    return reached == len(shot)


def gather_ranges(plan: Plan, out: Path, shot: Shot, store: DepthStore) -> None:
    """Takes what was predicted of a shot in ranges into its own store.

    Args:
        plan: The job.
        out: Its folder.
        shot: Which one; nobody else works on it, or a range of it.
        store: Of the shot.
    """
    for piece in _predicted(plan, out, shot):
        with open_range(plan, out, piece) as part:
            gather(plan, store, part)


def drop_ranges(out: Path, shot: Shot) -> None:
    """Removes what was predicted of a shot in ranges.

    Args:
        out: The job's folder.
        shot: One that is finished, and that nobody else works on.

    Raises:
        ResourceError: something cannot be removed.
    """
    for piece in _pieces(out, shot):
        path = out / WORK / _name(piece)
        try:
            remove_store(path)
        except OSError as error:
            raise write_error(path, error) from error


def _predicted(plan: Plan, out: Path, shot: Shot) -> Iterator[Piece]:
    """The ranges of a shot that are done, by their first frames."""
    pieces = sorted(_pieces(out, shot), key=lambda piece: piece[1:])
    return (piece for piece in pieces if is_predicted(plan, out, piece))


def _pieces(out: Path, shot: Shot) -> list[Piece]:
    """The ranges of a shot that were begun."""
    names = (_NAME.fullmatch(path.name) for path in (out / WORK).glob(f"shot_{shot.index:04d}_*"))
    return [Piece(shot, int(parts[1]), int(parts[2])) for parts in names if parts]


def _name(piece: Piece) -> str:
    return f"shot_{piece.shot.index:04d}_{piece.start}-{piece.stop}"


def _identity(plan: Plan, shot: Shot) -> str:
    """What decides the predictions of a shot."""
    facts = json.dumps([plan.record.made_of(shot), plan.size], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()
