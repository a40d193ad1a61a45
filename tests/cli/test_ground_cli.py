"""``vdepth ground`` on a small job: facts as JSON, and what is wrong with picked points in a sentence."""

import json
import sys

import numpy as np
import pytest
from generated import write_movie

from vdepth_core.cli import main as cli
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.jobs.batch import estimate
from vdepth_core.views.ground_frames import ShotFrames

OPTIONS = {"preset": "draft", "size": 64, "device": "cpu", "method": "framewise"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground")
    estimate(write_movie(folder / "shot.mp4", 2), folder / "out", OPTIONS)
    return folder / "out"


def ground(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["vdepth", "ground", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capsys.readouterr()
    return stop.value.code or 0, printed.out, printed.err


def floor(*_: object) -> ShotFrames:
    """Two frames of a level floor 1.6 m below the camera, and a wall 12 m off, scaled and shifted."""
    camera = Intrinsics(60.0, 60.0, 48.0, 32.0)
    columns, rows = np.meshgrid(np.arange(0.5, 96, 2), np.arange(0.5, 64, 2))
    x, y = ((columns - camera.cx) / camera.fx).ravel(), ((rows - camera.cy) / camera.fy).ravel()
    disparity = np.tile(0.8 * np.maximum(y / 1.6, 1 / 12) + 0.13, (2, 1))
    return ShotFrames(np.arange(1001, 1003), disparity, x, y, [], camera, (96, 64))


def test_facts_are_json_or_a_line_a_shot(out, monkeypatch, capsys):
    monkeypatch.setattr("vdepth_core.views.ground.read_frames", floor)
    code, printed, _ = ground(monkeypatch, capsys, out, "--horizon", "level", "--json")
    assert code == 0
    (shot,) = json.loads(printed)["shots"]
    assert shot["source"] == "level"
    assert len(shot["numbers"]) == len(shot["down"]) == len(shot["scale"]) == 2
    assert np.allclose(shot["down"], [0, 1, 0], atol=0.01)
    code, printed, _ = ground(monkeypatch, capsys, out, "--horizon", "level")
    assert code == 0
    assert len(printed.strip().splitlines()) == 1
    assert "level" in printed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--ground-at", "1,2 3,4 5,6"], "The points are of no frame."),
        (["--frame", "0", "--ground-at", "1,2 3,4"], "--ground-at takes 3 or more pixels"),
        (["--frame", "0", "--horizon-at", "1 2"], "--horizon-at takes 2 or more pixels"),
        (["--horizon", "picked"], "No horizon is picked."),
        (
            ["--horizon", "uprihgts"],
            "There is no horizon 'uprihgts'. Did you mean uprights? Choose one of auto",
        ),
        (["--frame", "99999", "--horizon-at", "0,20 60,20"], "The job has no frame 99999. Its files are"),
        (["--frame", "99999"], "--frame 99999 does nothing: no points are given. Give --ground-at or"),
        (
            ["--frame", "1001", "--horizon-at", "9,20 9,20"],
            "The points 9,20 9,20 of --horizon-at are one",
        ),
        (["--frame", "1001", "--ground-at", "1,2 3,4 5,6"], "1,2 3,4 5,6 of --ground-at lie in one line."),
        (["--frame", "1001", "--ground-at", "20,50 60,52 40,9999"], "The picked point 40,9999 on the ground"),
    ],
)
def test_points_that_are_none_are_usage(out, monkeypatch, capsys, words, sentence):
    code, _, said = ground(monkeypatch, capsys, out, *words)
    assert code == 2
    assert sentence in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--clip", "gone.mov"], "gone.mov does not exist."),
        (["--clip", "gone.%04d.png"], "gone.%04d.png"),
        (["--horizon", "lines"], "Too few lines on the ground meet at one point of the horizon."),
        (["--horizon", "uprights"], "Too few upright edges agree on the way down."),
    ],
)
def test_what_cannot_be_seen_is_said(out, monkeypatch, capsys, words, sentence):
    monkeypatch.setattr("vdepth_core.views.ground.read_frames", floor)
    code, _, said = ground(monkeypatch, capsys, out, *words)
    assert code == 3
    assert sentence in said
