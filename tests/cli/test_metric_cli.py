"""``vdepth metric``: distances from the command line, what was found in words, JSON and events."""

import json
import sys

import numpy as np
import pytest
from metric_jobs import FIRST, truth, write_job

from vdepth_core.cli import main as cli
from vdepth_core.jobs.events import parse_event
from vdepth_core.output.sequence import read_sequence

TRUTH = truth(3)
BOX = f"25.5,30.5,{FIRST},{TRUTH[0, 30, 25]}"
WALL = f"60,30,{FIRST + 1},{TRUTH[1, 30, 60]}"


@pytest.fixture
def metric(monkeypatch, capfd, tmp_path):
    """Runs the verb on a relative job; exit code, stdout, stderr."""
    job = write_job(tmp_path / "job", TRUTH)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["vdepth", "metric", str(job), *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capfd.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    run.job = job
    return run


def test_distances_bring_a_job_to_metres(metric, tmp_path):
    out = tmp_path / "metres"
    code, printed, said = metric("-o", out, "--known-distance", BOX, "--known-distance", WALL)
    assert code == 0
    assert printed.strip() == str(out / "manifest.json")
    assert f"Shot 1 (frames {FIRST}-{FIRST + 2}): 2.8 m to 12 m, by known distances." in said
    solid = np.isfinite(TRUTH)
    assert np.asarray(read_sequence(out))[solid] == pytest.approx(TRUTH[solid], rel=1e-4)


def test_what_was_found_as_json_and_events(metric, tmp_path):
    words = ("--known-distance", BOX, "--known-distance", WALL)
    _, printed, _ = metric(*words, "--json")
    (shot,) = json.loads(printed.splitlines()[-1])["shots"]
    assert (shot["source"], shot["points"]) == ("known distances", 2)
    code, printed, _ = metric(*words, "--events", "-o", tmp_path / "events")
    events = [parse_event(line) for line in printed.splitlines()]
    assert code == 0
    assert [event.total for event in events if event.event == "stage"] == [3]
    assert events[-1].event == "done"
    assert events[-1].manifest == str(tmp_path / "events" / "manifest.json")
    code, printed, _ = metric("--known-distance", BOX, "--events", "-o", tmp_path / "refused")
    event = parse_event(printed.splitlines()[-1])
    assert (code, event.event, event.code) == (2, "error", "usage")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Nothing is said of how far things are."),
        (("--known-distance", "1,2,3"), "no pixel, frame and distance"),
        (("--known-distance", BOX), "does not tell both scale and shift"),
        (("--near", "-1", "--far", "3"), "--near must be above 0"),
        (("--near", "4", "--far", "3"), "near (4 m) must be less than far (3 m)"),
        (("--unit", "2", "--far", "3"), "--unit is the unit of a camera solve"),
        (("--along-ray", "--near", "1", "--far", "3"), "--along-ray is how distances were measured"),
        (("--model", "embedded"), "The model embedded knows no metres"),
        (("--known-distance", BOX, "--compression", "dwa"), "Unknown EXR compression dwa"),
    ],
)
def test_what_is_wrong_is_a_sentence(metric, words, sentence):
    code, _, said = metric(*words)
    assert code == 2
    assert sentence in said
    assert not (metric.job / "metric" / "manifest.json").exists()
