"""A job's share and time to go: never back, never still, and true once its stages are measured."""

import itertools

import pytest

from blender_addon.operators.forecast import FUSING, Forecast

FRAMES = 48


def play(costs, shots=1, known=None, skipped=0):
    """Shares, shares of the time and times to go of a job whose frames take so many seconds a stage.

    Stages of a shot follow each other; the next shot's estimate runs beside the writing of this one.
    """
    forecast = Forecast()
    forecast.usual.update(known or {})
    for stage in costs:
        forecast.announce(stage, FRAMES)
    done = dict.fromkeys(costs, 0)
    if skipped:
        done["infer"] = skipped
        forecast.advance("infer", skipped, FRAMES, 0.0, 0.0)
    events, free = [], dict.fromkeys(costs, 0.0)
    share = FRAMES // shots
    for shot in range(shots):
        ready = 0.0
        for stage, cost in costs.items():
            first = max(0, skipped - shot * share) if stage == "infer" else 0
            begin = max(ready, free[stage])
            events += [(begin + (n + 1) * cost, stage, cost) for n in range(share - min(first, share))]
            ready = free[stage] = begin + (share - min(first, share)) * cost
    rows, end = [(forecast.share, 0.0, None)], max(t for t, *_ in events)
    for now, stage, cost in sorted(events):
        done[stage] += 1
        forecast.advance(stage, done[stage], FRAMES, 1 / cost, now)
        rows.append((forecast.share, now / end, forecast.eta and forecast.eta / max(end - now, 0.1)))
    return rows


JOBS = {
    "quick to write": {"infer": 0.2, "settle": 0.01, "write": 0.1},
    "slow to write": {"infer": 0.2, "settle": 0.06, "write": 1.0},
    "boosted": {"infer": 0.2, "settle": 0.06, "refine": 3.0, "write": 0.5},
    "on a graphics card": {"infer": 0.01, "settle": 0.01, "write": 0.2},
}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("shots", [1, 4])
def test_it_never_goes_back_or_stands_and_ends_whole(name, shots):
    rows = play(JOBS[name], shots)
    shares = [share for share, *_ in rows]
    assert all(a < b for a, b in itertools.pairwise(shares))
    assert shares[-1] == pytest.approx(1)
    assert shares[len(shares) * 3 // 4] < 0.97


@pytest.mark.parametrize("name", JOBS)
def test_it_is_true_the_second_time(name):
    costs = JOBS[name]
    known = {stage: cost / costs["infer"] for stage, cost in costs.items()}
    rows = play(costs, known=known)
    assert max(abs(share - true) for share, true, _ in rows) < 0.03
    late = [ratio for _, true, ratio in rows if 0.1 < true < 0.95 and ratio]
    assert max(late) < 1.15
    assert min(late) > 0.85


def test_costs_are_learnt_once_they_are_measured():
    forecast = Forecast()
    forecast.announce("infer", 4)
    forecast.announce("write", 4)
    for n in range(1, 5):
        forecast.advance("infer", n, 4, 10.0, n / 10)
    for n in range(1, 5):
        forecast.advance("write", n, 4, 2.0, 0.4 + n / 2)
    assert forecast.costs()["write"] == pytest.approx(5)
    assert forecast.costs()["refine"] == forecast.usual["refine"]


def test_what_was_done_before_counts_at_once_and_took_no_time():
    shares = [share for share, *_ in play(JOBS["quick to write"], skipped=24)]
    assert shares[0] > 0.15
    assert shares[-1] == pytest.approx(1)


def test_totals_that_grow_hold_it_where_it_is():
    forecast = Forecast()
    forecast.announce("scan", 10)
    forecast.advance("scan", 5, 10, 50.0, 0.1)
    before = forecast.share
    assert before > 0
    forecast.announce("infer", 100)
    forecast.advance("infer", 0, 400, 0.0, 0.2)
    assert forecast.share == before
    forecast.advance("infer", 4, 400, 5.0, 1.0)
    assert forecast.share > before


def test_nothing_is_promised_while_nothing_is_known():
    forecast = Forecast()
    forecast.announce("scan", None)
    forecast.advance("scan", 7, None, 50.0, 0.1)
    assert (forecast.share, forecast.eta) == (0.0, None)


def test_a_clean_plate_is_told_of_from_its_first_stage_on():
    """Cameras take a third of the time and are two units of work: the share follows the time."""
    forecast, shown, now, frames = Forecast(usual=dict(FUSING)), [], 0.0, 40
    for stage, units in (("solve", 2), ("moving", frames), ("fuse", frames)):
        forecast.announce(stage, units)
    for stage, units, cost in (("solve", 2, 30.0), ("moving", frames, 0.4), ("fuse", frames, 3.0)):
        for done in range(1, units + 1):
            now += cost
            forecast.advance(stage, done, units, 1 / cost, now)
            shown.append((forecast.share, now))
    off = [share - time / now for share, time in shown]
    assert max(map(abs, off)) < 0.1
    assert [share for share, _ in shown] == sorted(share for share, _ in shown)
    assert shown[-1][0] == pytest.approx(1)
