"""Which worker does what next, and what a failure means: no clocks, processes or files of its own.

* Finishing comes first, then the largest piece, be it a clip, some shots of one, or a range of a shot worth
  more than a worker's share of everything, where the method allows it: the tail stays short. When a shot's
  ranges are done, the rest of it is one more task. What
  is left at the end goes to idle workers only: behind another piece it would wait.
* A task whose worker died is done again, alone on a worker, so that it is known which one it was; what takes
  its worker with it three times is quarantined. A worker lost with its machine counts against nobody.
* A task that a machine had no room or no weights for is tried on the others; a machine that fails so twice in
  a row gets no more work while there are others.
* What another process still works on (one that is being killed, a driver's before this one) is tried later.
* Anything else that fails, fails as it would here, and stops its own clip alone.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ...errors import BusyError, Cancelled, ResourceError, VdepthError, WeightsError
from ..parts import shares
from .tasks import Outcome, Task

DEPTH = 2  # tasks a worker has at once: one is written while the next is predicted
CRASHES = 3
_SICK = 2  # failures of a machine in a row
_AGAIN_S, _BUSY_S = 2.0, 300.0  # a file server may keep a dead machine's locks for minutes
_SHARES = 4  # of the whole work a worker; what is larger is cut, so that the last one ends soon


@dataclass(eq=False)
class _Piece:
    """A task on its way."""

    task: Task
    weight: float
    crashes: int = 0
    alone: bool = False  # its worker died: it gets one of its own
    avoid: set[str] = field(default_factory=set)  # machines
    since: float | None = None  # when it was first found busy
    due: float = 0.0


@dataclass
class _Hand:
    """A worker."""

    machine: str
    at: list[_Piece] = field(default_factory=list)


@dataclass
class _Clip:
    weight: float
    open: int = 1  # tasks that wait or run
    error: VdepthError | None = None
    over: bool = False


class Dispatcher:
    """Keeps the books of a command.

    Attributes:
        over: Clips that came to their end since one looked last: number, and why it failed.
    """

    def __init__(self, weights: Sequence[float], *, width: int = 1, split: bool = True) -> None:
        """All clips wait.

        Args:
            weights: What each is worth, in any unit: bytes will do.
            width: How many workers there will be, at least.
            split: Whether large clips are cut into runs of shots, and very long shots into ranges.
        """
        self._width = width
        self._clips = [_Clip(max(weight, 1.0)) for weight in weights]
        self._total, self._split = sum(clip.weight for clip in self._clips), split
        self._waiting = [_Piece(Task(number, "clip"), clip.weight) for number, clip in enumerate(self._clips)]
        self._hands: dict[str, _Hand] = {}
        self._faults: dict[str, int] = {}
        self._drained = False
        self._waiting.sort(key=self._order)
        self.over: list[tuple[int, VdepthError | None]] = []

    @property
    def finished(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._waiting and not any(hand.at for hand in self._hands.values())

    @property
    def waiting(self) -> int:
        """How many tasks nobody has."""
        return len(self._waiting)

    def joined(self, worker: str, machine: str) -> None:
        """A worker is ready.

        Args:
            worker: Its name.
            machine: What it shares disk and memory with.
        """
        self._hands[worker] = _Hand(machine)
        self._faults.setdefault(machine, 0)

    def lost(self, worker: str, *, guilty: bool, now: float) -> list[Task]:
        """A worker died; returns what it was at.

        Args:
            worker: Its name.
            guilty: Whether what it was at may have killed it.
            now: Seconds.
        """
        hand = self._hands.pop(worker, None)
        if hand is None:
            return []
        for piece in hand.at:
            if guilty:
                piece.crashes += len(hand.at) == 1
                piece.alone = True
            if piece.crashes >= CRASHES:
                self._fail(piece, _poison())
            else:
                self._again(piece, now)
        return [piece.task for piece in hand.at]

    def take(self, now: float) -> list[tuple[str, Task]]:
        """Gives out what there is, to the workers with least to do first.

        Args:
            now: Seconds.
        """
        given: list[tuple[str, Task]] = []
        well = self._well()
        for depth in range(DEPTH):
            for worker, hand in self._hands.items():
                if len(self._waiting) <= depth * len(self._hands):
                    return given
                if len(hand.at) != depth or hand.machine not in well:
                    continue
                piece = self._next(hand, now)
                if piece is not None:
                    self._waiting.remove(piece)
                    piece.task = self._cut(piece.task)
                    hand.at.append(piece)
                    given.append((worker, piece.task))
        return given

    def ended(self, worker: str, task: Task, outcome: Outcome, now: float) -> None:
        """A task came to its end.

        Args:
            worker: Who had it.
            task: Which one.
            outcome: How it went.
            now: Seconds.
        """
        hand = self._hands[worker]
        piece = next(piece for piece in hand.at if piece.task == task)
        hand.at.remove(piece)
        error = outcome.error
        if error is None:
            self._faults[hand.machine] = 0
            self._done(task, outcome)
        elif self._drained or isinstance(error, Cancelled):
            self._fail(piece, error)
        elif isinstance(error, BusyError):
            piece.since = now if piece.since is None else piece.since
            if now - piece.since > _BUSY_S:
                self._fail(piece, error)
            else:
                self._again(piece, now + _AGAIN_S)
        elif isinstance(error, ResourceError | WeightsError):
            piece.avoid.add(hand.machine)
            self._faults[hand.machine] += isinstance(error, ResourceError)
            if self._well() - piece.avoid:
                self._again(piece, now)
            else:
                self._fail(piece, error)
        else:
            self._fail(piece, error)

    def drain(self, error: VdepthError) -> None:
        """Gives out nothing any more; what waits fails.

        Args:
            error: Why.
        """
        self._drained = True
        for piece in self._waiting:
            self._fail(piece, error)
        self._waiting.clear()

    def sick(self) -> list[str]:
        """Machines that get no work any more."""
        return sorted(self._machines() - self._well())

    def _machines(self) -> set[str]:
        return {hand.machine for hand in self._hands.values()}

    def _well(self) -> set[str]:
        """Machines that get work; all, where none would be left."""
        machines = self._machines()
        return {name for name in machines if self._faults[name] < _SICK} or machines

    def _next(self, hand: _Hand, now: float) -> _Piece | None:
        if any(piece.alone for piece in hand.at):
            return None
        ready = (piece for piece in self._waiting if piece.due <= now and hand.machine not in piece.avoid)
        first = next(ready, None)
        # What is to be alone is first in its order: workers run empty until it has one of its own.
        return None if first is not None and first.alone and hand.at else first

    def _cut(self, task: Task) -> Task:
        cut = self._split and task.stage == "clip" and self._pieces(task.clip) > 1
        return Task(task.clip, "plan") if cut else task

    def _pieces(self, clip: int) -> int:
        """Into how many pieces a clip is worth cutting."""
        return math.ceil(self._clips[clip].weight / self._total * self._workers * _SHARES)

    @property
    def _workers(self) -> int:
        return max(len(self._hands), self._width)

    def _done(self, task: Task, outcome: Outcome) -> None:
        clip = self._clips[task.clip]
        clip.open -= 1
        if not outcome.finished and clip.error is None and not self._drained:
            if task.stage == "plan":
                self._cut_into(task.clip, outcome)
            elif task.frames is not None and not self._has_ranges(task):
                self._add(Task(task.clip, "shots", task.shots), clip.weight)
            elif task.stage == "shots" and not clip.open:
                self._add(Task(task.clip, "finish"), clip.weight)
        elif not outcome.finished and clip.error is None:
            clip.error = Cancelled("Cancelled.", "Run the same command again to go on where it stopped.")
        self._close(task.clip)

    def _has_ranges(self, task: Task) -> bool:
        """Whether other ranges of its shot wait or run."""
        pieces = [*self._waiting, *(piece for hand in self._hands.values() for piece in hand.at)]
        others = (piece.task for piece in pieces)
        return any((one.clip, one.shots) == (task.clip, task.shots) and one.frames for one in others)

    def _cut_into(self, clip: int, plan: Outcome) -> None:
        each = self._clips[clip].weight / sum(map(len, plan.shots))
        longest = int(self._total / self._workers / each)
        for share in shares(plan.shots, max(self._pieces(clip), 1), plan.step, longest).values():
            for whole, pieces in groupby(share, lambda piece: piece.whole):
                for run in [list(pieces)] if whole else ([piece] for piece in pieces):
                    numbers = run[0].shot.index, run[-1].shot.index + 1
                    frames = None if whole else (run[0].start, run[0].stop)
                    weight = each * sum(piece.stop - piece.start for piece in run)
                    self._add(Task(clip, "shots", numbers, frames), weight)

    def _add(self, task: Task, weight: float) -> None:
        self._clips[task.clip].open += 1
        self._put(_Piece(task, weight))

    def _again(self, piece: _Piece, due: float) -> None:
        clip = self._clips[piece.task.clip]
        if clip.error is not None or self._drained:
            self._fail(piece, clip.error or Cancelled("Cancelled.", "Run the same command again to go on."))
            return
        piece.due = due
        self._put(piece)

    def _put(self, piece: _Piece) -> None:
        insort(self._waiting, piece, key=self._order)

    def _order(self, piece: _Piece) -> tuple[bool, bool, float, int, tuple[int, int], tuple[int, int]]:
        task = piece.task
        frames = task.frames or (0, 0)
        return not piece.alone, task.stage != "finish", -piece.weight, task.clip, task.shots, frames

    def _fail(self, piece: _Piece, error: VdepthError) -> None:
        """The clip fails, with the first of its errors; what of it waits is dropped."""
        number = piece.task.clip
        clip = self._clips[number]
        clip.open -= 1
        clip.error = clip.error or error
        if not self._drained:
            others = [other for other in self._waiting if other.task.clip == number]
            self._waiting = [other for other in self._waiting if other.task.clip != number]
            clip.open -= len(others)
        self._close(number)

    def _close(self, number: int) -> None:
        clip = self._clips[number]
        if not clip.open and not clip.over:
            clip.over = True
            self.over.append((number, clip.error))


def _poison() -> ResourceError:
    return ResourceError(
        f"Its worker died {CRASHES} times while it did nothing else; the clip is left out.",
        "It may need more memory than there is, or be damaged: run it alone to see, without --ray.",
    )
