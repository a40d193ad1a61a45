"""Who does what next, and what a failure means: no processes, no clocks."""

from __future__ import annotations

import pytest

from vdepth_core.errors import BusyError, Cancelled, InputError, ResourceError, VdepthError, WeightsError
from vdepth_core.jobs.fleet.dispatch import CRASHES, Dispatcher
from vdepth_core.jobs.fleet.tasks import Outcome, Task
from vdepth_core.types import Shot

DONE = Outcome(finished=True)
FULL = Outcome(ResourceError("The disk is full."))


def books(*weights: float, machines: str = "AB", split: bool = True) -> Dispatcher:
    """Books with a worker on each of the machines, named after it and its place."""
    made = Dispatcher(weights, width=len(machines), split=split)
    for number, machine in enumerate(machines):
        made.joined(f"{machine}{number}", machine)
    return made


def shots(*lengths: int) -> tuple[Shot, ...]:
    """Shots one after the other."""
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    return tuple(
        Shot(number, start, start + length)
        for number, (start, length) in enumerate(zip(starts, lengths, strict=True))
    )


def everything(made: Dispatcher, cut: tuple[Shot, ...] = ()) -> list[Task]:
    """Does all there is, at once; in the order in which it was given out."""
    order = []
    for now in range(1000):
        given = made.take(now)
        for worker, task in given:
            order.append(task)
            outcome = Outcome(shots=cut) if task.stage == "plan" else Outcome(finished=task.stage != "shots")
            made.ended(worker, task, outcome, now)
        if made.finished:
            return order
    raise AssertionError("it does not end")


def test_many_clips_are_whole_tasks_the_largest_first_and_two_a_worker() -> None:
    made = books(*(10 + number for number in range(12)))
    first = made.take(0)
    assert [task.clip for _, task in first] == [11, 10, 9, 8]
    assert [worker for worker, _ in first] == ["A0", "B1", "A0", "B1"]
    assert {task.stage for _, task in first} == {"clip"}
    assert made.take(0) == []
    made.ended("B1", first[1][1], DONE, 0)
    assert made.take(0) == [("B1", Task(7, "clip"))]
    assert made.over == [(10, None)]


def test_a_clip_worth_many_shares_is_cut_into_runs_of_shots_and_ended() -> None:
    order = everything(books(100, 1, 1), shots(*[10] * 20))
    assert order[0] == Task(0, "plan")
    runs = [task.shots for task in order if task.stage == "shots"]
    assert sorted(shot for start, stop in runs for shot in range(start, stop)) == list(range(20))
    assert 2 <= len(runs) <= 8
    assert [task for task in order if task.clip == 0][-1] == Task(0, "finish")
    assert {task for task in order if task.clip} == {Task(1, "clip"), Task(2, "clip")}


def test_a_clip_of_one_shot_and_one_that_was_finished_before() -> None:
    assert [task.stage for task in everything(books(1), shots(500))] == ["plan", "shots", "finish"]
    made = books(1)
    ((worker, task),) = made.take(0)
    made.ended(worker, task, DONE, 0)
    assert made.finished
    assert made.over == [(0, None)]


def test_a_shot_worth_more_than_a_worker_is_cut_into_ranges_where_it_may_be() -> None:
    made, order = books(50, 1, 1), []
    for now in range(100):
        for worker, task in made.take(now):
            order.append(task)
            cut, other = Outcome(shots=shots(10, 160, 30), step=8), Outcome(finished=task.stage != "shots")
            made.ended(worker, task, cut if task.stage == "plan" else other, now)
    assert made.finished
    ranges = sorted(task.frames for task in order if task.frames is not None)
    assert {task.shots for task in order if task.frames is not None} == {(1, 2)}
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges[:-1])]
    assert ranges[-1][1] == 160
    assert all(start % 8 == 0 for start, _ in ranges)
    assert 4 <= len(ranges) <= 8
    whole = sorted(task.shots for task in order if task.stage == "shots" and task.frames is None)
    assert whole == [(0, 1), (1, 2), (2, 3)]
    after = order.index(Task(0, "shots", (1, 2)))
    assert all(order.index(Task(0, "shots", (1, 2), frames)) < after for frames in ranges)
    assert order.count(Task(0, "finish")) == 1


def test_what_cannot_be_cut_stays_whole() -> None:
    assert everything(books(1, split=False)) == [Task(0, "clip")]


def test_a_lost_worker_costs_nothing_but_what_it_was_at() -> None:
    made = books(1, 1, split=False, machines="AB")
    made.take(0)
    assert made.lost("A0", guilty=True, now=0) == [Task(0, "clip")]
    assert made.lost("A0", guilty=True, now=0) == []
    made.ended("B1", Task(1, "clip"), DONE, 0)
    assert made.take(1) == [("B1", Task(0, "clip"))]
    made.ended("B1", Task(0, "clip"), DONE, 1)
    assert sorted(made.over) == [(0, None), (1, None)]


def test_what_kills_its_worker_is_found_out_and_quarantined_alone() -> None:
    made, poison, deaths, done = books(*[1.0] * 9, split=False, machines="A"), 4, 0, set()
    for now in range(200):
        made.take(now)
        at = [piece.task.clip for hand in made._hands.values() for piece in hand.at]
        if poison in at:
            deaths += 1
            made.lost("A0", guilty=True, now=now)
            made.joined("A0", "A")
        else:
            for clip in at:
                done.add(clip)
                made.ended("A0", Task(clip, "clip"), DONE, now)
        if made.finished:
            break
    failed = {clip: error for clip, error in made.over if error is not None}
    assert failed.keys() == {poison}
    assert "left out" in failed[poison].message
    assert done == set(range(9)) - {poison}
    assert deaths <= CRASHES + 1  # once in company, at most


def test_a_machine_that_dies_counts_against_nobody() -> None:
    made = books(1, split=False, machines="A")
    for now in range(2 * CRASHES):
        made.take(now)
        made.lost("A0", guilty=False, now=now)
        made.joined("A0", "A")
    assert everything(made) == [Task(0, "clip")]
    assert made.over == [(0, None)]


@pytest.mark.parametrize("error", [ResourceError("The disk is full."), WeightsError("There are none.")])
def test_what_one_machine_cannot_another_may(error: VdepthError) -> None:
    made = books(1, split=False)
    ((worker, task),) = made.take(0)
    made.ended(worker, task, Outcome(error), 0)
    ((other, _),) = made.take(1)
    assert other[0] != worker[0]
    made.ended(other, task, Outcome(error), 1)
    assert made.over == [(0, error)]


def test_a_machine_whose_disk_is_full_gets_no_more_work() -> None:
    made, done = books(*[1.0] * 10, split=False), []
    for now in range(100):
        for worker, task in made.take(now):
            made.ended(worker, task, FULL if worker == "A0" else DONE, now)
            done += [worker] if worker == "A0" else []
    assert made.finished
    assert [error for _, error in made.over] == [None] * 10
    assert len(done) <= 2
    assert made.sick() == ["A"]


def test_where_every_disk_is_full_all_clips_say_so() -> None:
    made = books(*[1.0] * 6, split=False)
    for now in range(100):
        for worker, task in made.take(now):
            made.ended(worker, task, FULL, now)
    assert made.finished
    assert [error for _, error in made.over] == [FULL.error] * 6


def test_a_bad_clip_fails_at_once_and_alone() -> None:
    made, error = books(100, 1, 1), InputError("It is no clip.")
    for worker, task in made.take(0):
        made.ended(worker, task, Outcome(shots=shots(*[5] * 9)) if task.stage == "plan" else DONE, 0)
    run = made.take(0)
    assert {task.stage for _, task in run} == {"shots"}
    made.ended(*run[0], Outcome(error), 0)
    assert {task.clip for _, task in made.take(0)} <= {1, 2}  # the rest of the clip is dropped
    for worker, task in run[1:]:
        made.ended(worker, task, Outcome(), 0)
    everything(made)
    assert dict(made.over) == {0: error, 1: None, 2: None}


def test_what_another_process_works_on_is_tried_later_and_not_for_ever() -> None:
    made, busy = books(1, split=False, machines="A"), BusyError("Another process works there.")
    tried, now = 0, 0.0
    while not made.finished:
        for worker, task in made.take(now):
            tried += 1
            made.ended(worker, task, Outcome(busy), now)
        now += 0.5
    assert made.over == [(0, busy)]
    assert 100 < tried < 200
    assert 290 < now < 310


def test_drained_books_end_with_what_runs() -> None:
    made = books(*[1.0] * 20, split=False)
    running = made.take(0)
    made.drain(Cancelled("Cancelled."))
    assert made.take(0) == []
    assert not made.finished
    made.ended(*running[0], DONE, 0)
    for worker, task in running[1:]:
        made.ended(worker, task, Outcome(Cancelled("Cancelled.")), 0)
    assert made.finished
    assert len(made.over) == 20
    assert [clip for clip, error in made.over if error is None] == [running[0][1].clip]


def test_ten_thousand_clips_are_given_out_in_seconds() -> None:
    made = books(*(float(number % 97 + 1) for number in range(10_000)), machines="ABCDEFGH" * 4)
    done = 0
    while not made.finished:
        for worker, task in made.take(0):
            made.ended(worker, task, DONE, 0)
            done += 1
    assert done == 10_000
