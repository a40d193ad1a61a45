"""What a worker is given to do, and what it answers: small values that travel between processes.

A clip is one task, or, where it is worth more than a few of the fleet's shares, a plan, then runs of its
shots (the same as ``vdepth estimate --shots A-B``) or ranges of long ones, then its end (``vdepth finish``).
Every one may be done again, anywhere: what is finished is found in the job's folder and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import VdepthError
from ...types import Shot
from ..accelerator import ModelShelf
from ..config import EstimateConfig
from ..parts import Part

Stage = Literal["clip", "plan", "shots", "finish"]


@dataclass(frozen=True)
class Task:
    """A piece of a command's work.

    Attributes:
        clip: Its place in the command, from 0.
        stage: All of the clip, its plan, some of its shots, or its end.
        shots: Which shots, by number [start, stop); those of no other stage.
        frames: Of one shot, frames [start, stop), from 0, which are predicted only; None: all.
    """

    clip: int
    stage: Stage
    shots: tuple[int, int] = (0, 0)
    frames: tuple[int, int] | None = None

    @property
    def part(self) -> Part | None:
        """Of the clip's job; None: all of it. A plan is a part without shots."""
        return None if self.stage == "clip" else Part(numbers=self.shots, frames=self.frames)


@dataclass(frozen=True)
class Order:
    """A task with all that a worker has to know of it.

    Attributes:
        task: Which one.
        clip: As the user named it, from the folder of the command.
        out: The clip's folder, likewise.
        overwrite: Whether another job in it gives way.
    """

    task: Task
    clip: Path
    out: Path
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        error: Why it failed; None: it did not.
        finished: Whether the whole clip is finished.
        shots: Of a plan: all shots of the clip.
        step: Of a plan: multiples of how many frames a shot may be cut at; 0: nowhere.
    """

    error: VdepthError | None = None
    finished: bool = False
    shots: tuple[Shot, ...] = ()
    step: int = 0


@dataclass(frozen=True)
class Setup:
    """What all workers of a command have in common.

    Attributes:
        config: The options of all jobs.
        folder: The command's current one, which relative names begin at.
        guarded: Files that nothing may be written beside.
        shelf: Makes the models that are there from the beginning; must be importable where workers are.
    """

    config: EstimateConfig
    folder: Path
    guarded: tuple[Path, ...] = ()
    shelf: Callable[[], ModelShelf] = ModelShelf
