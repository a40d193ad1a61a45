"""The event protocol, version 1: what a running job tells the outside, one JSON object a line.

Every event carries ``event`` (its kind) and ``clip`` (the clip's path as given, or "" when it concerns the
whole command). Fields may be added within a version; a reader must ignore fields and kinds it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from ..files import printable

EVENTS_VERSION = 1
Text = Annotated[str, BeforeValidator(printable)]  # JSON has no word for bytes that are no UTF-8


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)

    clip: Text = ""


class Started(_Event):
    """A job begins or resumes. ``frames`` is what the container declares, None when it does not; ``method``,
    ``model`` and ``size`` (height, width) are what ``preset`` chose, where the user left it the choice.
    """

    event: Literal["started"] = "started"
    version: int = EVENTS_VERSION
    vdepth: str
    job: str
    out: Text
    preset: str = ""
    method: str
    model: str
    license: str
    device: str
    size: tuple[int, int]
    frames: int | None
    resumed: bool


class Stage(_Event):
    """A stage begins (``scan``, ``infer``, ``settle``, ``write``); stages overlap. ``total`` may grow.

    Before them may come ``checksum`` (much of the clip has to be read to know it again) and ``probe`` (a
    network's threads are measured).
    """

    event: Literal["stage"] = "stage"
    name: str
    total: int | None


class ProgressEvent(_Event):
    """Frames done in a stage; ``fps`` counts this run only, ``eta`` is in seconds."""

    event: Literal["progress"] = "progress"
    stage: str
    done: int
    total: int | None
    fps: float
    eta: float | None


class FrameDone(_Event):
    """All files of one output frame are on disk; ``path`` is its depth file."""

    event: Literal["frame"] = "frame"
    index: int
    number: int
    path: Text


class Warning_(_Event):
    """One sentence the user should see; the job goes on."""

    event: Literal["warning"] = "warning"
    message: Text


class Done(_Event):
    """The clip is finished; ``manifest`` is the path of its manifest."""

    event: Literal["done"] = "done"
    manifest: Text


class Error(_Event):
    """The clip failed or was cancelled; other clips of the command go on unless cancelled."""

    event: Literal["error"] = "error"
    code: str
    message: Text
    hint: Text = ""


Event = Started | Stage | ProgressEvent | FrameDone | Warning_ | Done | Error
OnEvent = Callable[[Event], None]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def parse_event(line: str | bytes) -> Event:
    """Reads one line of ``--events`` output back.

    Raises:
        pydantic.ValidationError: the line is not an event of this version.
    """
    return _ADAPTER.validate_json(line)
