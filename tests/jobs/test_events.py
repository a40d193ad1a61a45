"""The event protocol round-trips, and progress is counted right and told sparingly."""

import pydantic
import pytest

from vdepth_core.errors import InputError
from vdepth_core.jobs.events import Done, Error, JobProgress, ProgressEvent, Stage, Warning_, parse_event


@pytest.mark.parametrize(
    "event",
    [
        Stage(clip="a.mp4", name="infer", total=None),
        ProgressEvent(clip="a.mp4", stage="infer", done=3, total=9, fps=1.5, eta=4.0),
        Done(clip="a.mp4", manifest="out/manifest.json"),
        Error(clip="ü b.mp4", code="bad_input", message="It is broken.", hint="Replace it."),
        Warning_(message="Careful."),
    ],
)
def test_events_round_trip_through_one_line(event):
    line = event.model_dump_json()
    assert "\n" not in line
    assert parse_event(line) == event


def test_unknown_event_is_refused():
    with pytest.raises(pydantic.ValidationError):
        parse_event('{"event": "surprise"}')


def test_progress_ends_at_the_total_and_is_throttled():
    told = []
    progress = JobProgress("a.mp4", told.append)
    progress.stage("infer", 1000)
    for _ in range(1000):
        progress.advance("infer")
    counts = [event.done for event in told if isinstance(event, ProgressEvent)]
    assert counts == sorted(counts)
    assert counts[-1] == 1000
    assert len(counts) < 500


class Clock:
    """Time that passes when told."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr("vdepth_core.jobs.events.time.monotonic", lambda: self.now)


def last(told):
    return [event for event in told if isinstance(event, ProgressEvent)][-1]


def test_frames_done_before_say_nothing_of_rate_and_time_left(monkeypatch):
    clock, told = Clock(monkeypatch), []
    progress = JobProgress("a.mp4", told.append)
    progress.stage("infer", 1000)
    clock.now += 0.2
    progress.skip("infer", 900)
    assert (last(told).done, last(told).fps, last(told).eta) == (900, 0.0, None)
    for _ in range(10):
        clock.now += 2.0
        progress.advance("infer")
    assert last(told).done == 910
    assert last(told).fps == pytest.approx(0.5)
    assert last(told).eta == pytest.approx(180)


def test_waiting_for_its_turn_is_not_a_stages_speed(monkeypatch):
    clock, told = Clock(monkeypatch), []
    progress = JobProgress("a.mp4", told.append)
    progress.stage("infer", 100)
    clock.now += 600.0
    for _ in range(20):
        progress.advance("infer")
        clock.now += 0.5
    assert last(told).fps == pytest.approx(2.0)
    assert last(told).eta == pytest.approx(40)


def test_the_rate_is_that_of_the_last_seconds(monkeypatch):
    clock, told = Clock(monkeypatch), []
    progress = JobProgress("a.mp4", told.append)
    progress.stage("write", 1000)
    for step in (0.2, 2.0):
        for _ in range(100):
            clock.now += step
            progress.advance("write")
    assert last(told).fps == pytest.approx(0.5)


def test_a_warning_is_told_once():
    told = []
    progress = JobProgress("a.mp4", told.append)
    for _ in range(3):
        progress.warn("Interlaced.")
    assert [event.message for event in told] == ["Interlaced."]
    assert progress.warnings == ["Interlaced."]


def test_failure_carries_code_and_hint():
    told = []
    JobProgress("a.mp4", told.append).fail(InputError("No video.", "Give a movie."))
    assert told == [Error(clip="a.mp4", code="bad_input", message="No video.", hint="Give a movie.")]
