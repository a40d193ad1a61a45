"""Many workers' events are told as one clip's."""

from __future__ import annotations

from pathlib import Path

from vdepth_core.errors import InputError
from vdepth_core.jobs.events import (
    Done,
    Error,
    Event,
    FrameDone,
    PartDone,
    ProgressEvent,
    Stage,
    Started,
    Warning_,
)
from vdepth_core.jobs.fleet.crew import squeezed
from vdepth_core.jobs.fleet.tasks import Task
from vdepth_core.jobs.fleet.watch import Watch

ONE, TWO = Task(0, "shots", (0, 2)), Task(0, "shots", (2, 4))
STARTED = Started(
    vdepth="1", job="x", out="o", method="m", model="m", license="", device="cpu", size=(1, 1), frames=9,
    resumed=False,
)  # fmt: skip


def count(stage: str, done: int, total: int, fps: float = 2.0) -> ProgressEvent:
    return ProgressEvent(stage=stage, done=done, total=total, fps=fps, eta=None)


def told(*said: tuple[Task, Event]) -> tuple[Watch, list[Event]]:
    heard: list[Event] = []
    watch = Watch([(Path("a.mov"), Path("out/a"))], heard.append)
    for task, event in said:
        watch.told(task, event)
    return watch, heard


def test_counts_of_parts_add_up_and_what_is_done_again_counts_once() -> None:
    _, heard = told(
        (ONE, Stage(name="infer", total=10)),
        (TWO, Stage(name="infer", total=30)),
        (ONE, count("infer", 6, 10)),
        (ONE, Stage(name="infer", total=10)),  # its worker died, and another begins
        (ONE, count("infer", 4, 10, 0.0)),
        (ONE, count("infer", 10, 10)),
        (TWO, count("infer", 30, 30)),
    )
    assert [event.total for event in heard if isinstance(event, Stage)] == [10, 40]
    last = [event for event in heard if isinstance(event, ProgressEvent)][-1]
    assert (last.done, last.total, last.clip) == (40, 40, "a.mov")


def test_a_clip_starts_once_ends_once_and_says_everything_once() -> None:
    frame = FrameDone(clip="a.mov", index=3, number=1004, path="x")
    warning = Warning_(clip="a.mov", message="Beware.")
    watch, heard = told(
        (ONE, STARTED), (TWO, STARTED), (ONE, frame), (ONE, frame), (ONE, warning), (TWO, warning),
        (ONE, PartDone(out="out/a", shots=[0, 1], of=4)), (TWO, PartDone(out="out/a", shots=[2, 3], of=4)),
    )  # fmt: skip
    watch.over(0, None)
    kinds = [type(event) for event in heard]
    assert kinds == [Started, FrameDone, Warning_, Done]
    assert isinstance(heard[-1], Done)
    assert Path(heard[-1].manifest) == Path("out/a/manifest.json")


def test_a_clip_that_fails_says_why() -> None:
    watch, heard = told()
    watch.over(0, InputError("It is no clip.", "Look at it."))
    assert heard == [Error(clip="a.mov", code="bad_input", message="It is no clip.", hint="Look at it.")]


def test_of_counts_the_last_travels() -> None:
    said = [
        (ONE, STARTED),
        (ONE, count("infer", 1, 9)),
        (TWO, count("infer", 1, 9)),
        (ONE, count("infer", 2, 9)),
    ]
    assert squeezed(said) == [said[0], said[2], said[3]]
