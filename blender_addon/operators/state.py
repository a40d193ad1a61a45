# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels know of the running or the last estimate. No bpy in here."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

from .forecast import Forecast

_LABELS = {
    "checksum": "Reading the clip",
    "probe": "Measuring the processor",
    "scan": "Reading the clip",
    "infer": "Estimating depth",
    "settle": "Aligning frames",
    "patches": "Looking closely",
    "refine": "Sharpening edges",
    "write": "Writing files",
    "solve": "Finding the cameras",
    "moving": "Finding what moves",
    "fuse": "Fusing the clean plate",
}
_WORDS = ((" with -o", " in Output"), ("--frames", "Range"), ("--size", "Size"), ("--near", "Near"))
_CONFLICT = "The folder holds depth made with other settings"
_DIFFERENCES = re.compile(r"another configuration( \(.*\))\.$")  # in the core's sentence
_CONFLICT_HINT = "Press Replace Earlier Depth, or choose another folder in Output."


@dataclass
class State:
    """What the panels show of the running or the last estimate.

    Attributes:
        clip: Name of the clip's datablock.
        stage: What is being done, in words.
        done, total: Frames of this stage.
        factor: Share of all work, 0 to 1.
        eta: Seconds to go, None while unknown.
        message: Last news, one sentence.
        error, hint: Why it failed, and the next step; both empty otherwise.
        code: The error's word, ``job_conflict`` when the folder holds another job.
        command, log: Command line and log file of the core, for bug reports.
        forecast: Works out ``factor`` and ``eta``.
        part, parts: Which of several jobs it is, from 0, and how many there are.
        kind: Method, model and size of the job.
        costs: What the stages of each kind cost last time.
    """

    running: bool = False
    cancelling: bool = False
    clip: str = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    factor: float = 0.0
    fps: float = 0.0
    eta: float | None = None
    model: str = ""
    message: str = ""
    error: str = ""
    hint: str = ""
    code: str = ""
    command: str = ""
    log: str = ""
    warnings: list[str] = field(default_factory=list)
    forecast: Forecast = field(default_factory=Forecast)
    part: int = 0
    parts: int = 1
    kind: tuple[str, ...] = ()
    costs: dict[tuple[str, ...], dict[str, float]] = field(default_factory=dict)

    def start(self, clip: str) -> None:
        """Forgets the last estimate, but not what its frames cost."""
        fresh = State(running=True, clip=clip, stage="Starting the core", costs=self.costs)
        vars(self).update(vars(fresh))

    def begin_part(self, number: int, parts: int) -> None:
        """Shows several jobs as one.

        Args:
            number: Of the job that begins, from 0.
            parts: How many there are.
        """
        self.part, self.parts, self.forecast = number, parts, Forecast()

    def finish(self) -> None:
        """Everything is written."""
        self.factor, self.eta = (self.part + 1) / self.parts, 0.0
        if self.parts == 1:  # a frame alone tells no rate
            self.costs[self.kind] = self.forecast.costs()

    def fail(self, message: str, hint: str = "", code: str = "internal") -> None:
        """Keeps why it ended, in the panel's words rather than the command line's."""
        if code == "job_conflict":
            if "--overwrite" in hint:
                differs = _DIFFERENCES.search(message)
                message = f"{_CONFLICT}{differs[1]}." if differs else message
                hint = _CONFLICT_HINT
            else:
                code = "folder"  # files of the user, or the clip: Replace would not help
        for word, ours in _WORDS:
            message, hint = message.replace(word, ours), hint.replace(word, ours)
        self.error, self.hint, self.code = message, hint, code

    def take(self, event: dict[str, Any]) -> None:
        """Takes in one event of the core."""
        kind = event["event"]
        if kind == "started":
            self.model = f"{event['model']}, {event['method']}"
            self.message = "Resumed." if event.get("resumed") and not event.get("finished") else ""
            self.kind = tuple(str(event.get(name)) for name in ("method", "model", "size"))
            self.forecast.usual.update(self.costs.get(self.kind, {}))
        elif kind == "warning" and event["message"] not in self.warnings:
            self.warnings.append(event["message"])
        elif kind == "stage":
            self.forecast.announce(event["name"], event["total"])
            self._show()
        elif kind == "progress":
            now = time.monotonic()
            self.forecast.advance(event["stage"], event["done"], event["total"], event["fps"], now)
            self.fps = event["fps"]
            self._show()

    def _show(self) -> None:
        """The first stage with work left is the one to show; they overlap."""
        stages = self.forecast.stages
        order = [name for name in _LABELS if name in stages]
        left = [name for name in order if stages[name][0] < stages[name][1] or not stages[name][1]]
        if order:
            name = (left or order[-1:])[0]
            self.stage, (self.done, self.total) = _LABELS[name], stages[name]
        self.factor = (self.part + self.forecast.share) / self.parts
        self.eta = self.forecast.eta if self.parts == 1 else None


STATE = State()


def progress_text() -> str:
    """The running estimate in one line."""
    if STATE.cancelling:
        return "Cancelling"
    count = f" {STATE.done}/{STATE.total}" if STATE.total else ""
    left = "" if STATE.eta is None else f", {duration_text(STATE.eta)} left"
    return f"{STATE.stage}{count}{left}"


def duration_text(seconds: float) -> str:
    """A duration as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
