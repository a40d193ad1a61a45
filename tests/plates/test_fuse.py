"""The command over a finished job: refused where nothing moves, gone on with, nothing of others touched."""

import json
import os
import signal
import sys

import cv2
import numpy as np
import pytest

import vdepth_core
from vdepth_core.cli import main as cli
from vdepth_core.errors import InputError, JobConflictError
from vdepth_core.jobs.events import parse_event
from vdepth_core.output.exr import read_exr
from vdepth_core.plates import fuse as fusing
from vdepth_core.plates.fuse import fuse
from vdepth_core.plates.registration import Registration
from vdepth_core.store import FrameArray

COUNT, HEIGHT, WIDTH = 5, 64, 96


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A job on frames that are all the same."""
    root = tmp_path_factory.mktemp("fuse")
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 2)
    (root / "plates").mkdir()
    for index in range(COUNT):
        cv2.imwrite(str(root / "plates" / f"shot.{index + 1001}.png"), picture)
    config = vdepth_core.EstimateConfig(model="embedded", method="framewise", size=64, device="cpu")
    vdepth_core.estimate(root / "plates", root / "job", config)
    return root / "job"


@pytest.fixture
def travelling(monkeypatch):
    """Has the camera be found to move sideways; counts how often it is asked for."""
    asked = []

    def register(clip, shot, disparity, affine, size, folder, lens, path, progress):
        asked.append(shot.index)
        poses = np.tile(np.eye(4), (len(shot), 1, 1))
        poses[:, 0, 3] = 0.02 * np.arange(len(shot))
        K = np.array(((90.0, 0, size[1] / 2), (0, 90.0, size[0] / 2), (0, 0, 1)))
        still = FrameArray(folder / "static.u8", len(shot), size, "u1")
        still.write(0, np.full((len(shot), *size), 255, np.uint8))
        return Registration(poses, K, 1.0, 0.01, np.ones(len(shot), bool), 1, still)

    monkeypatch.setattr(fusing, "register", register)
    return asked


def test_a_camera_that_stands_still_is_refused_and_leaves_nothing(finished, tmp_path):
    with pytest.raises(InputError, match="stands still"):
        fuse(finished, tmp_path / "clean")
    assert not list((tmp_path / "clean").glob("*"))


def test_files_are_as_hosts_expect_them(finished, tmp_path, travelling):
    file, shots = fuse(finished, tmp_path, margin=12.5)
    said = json.loads(file.read_text())
    assert said == {
        "version": 1, "job": vdepth_core.read_sequence(finished).manifest.job,
        "width": WIDTH, "height": HEIGHT, "margin_x": 12, "margin_y": 8,
        "shots": [{"first": 1001, "last": 1005, "moves": True, "reason": ""}],
    }  # fmt: skip
    assert shots[0].moves
    plate = cv2.imread(str(finished.parent / "plates" / "shot.1003.png"))
    name = vdepth_core.read_sequence(finished).manifest.clip.name
    colour = cv2.imread(str(tmp_path / f"{name}_clean_color.1003.png"))
    channels, header = read_exr(tmp_path / f"{name}_clean_depth.1003.exr")
    assert set(channels) == {"X", "Y", "Z"}
    assert colour.shape == (HEIGHT + 16, WIDTH + 24, 3)
    assert channels["Z"].shape == colour.shape[:2]
    lens = vdepth_core.read_sequence(finished).intrinsics
    assert header["vdepth/cx"] == pytest.approx(lens.cx + 12)
    z, own = channels["Z"][8:-8, 12:-12], vdepth_core.read_sequence(finished)[2]
    same = np.abs(z - own) < 0.01 * own
    assert same.mean() > 0.5
    assert (colour[8:-8, 12:-12][same] == plate[same]).all(
        1
    ).mean() > 0.98  # the plate where nothing is hidden
    assert (channels["Z"][:4, :4] > 5e9).all()  # nobody saw the corner


def test_it_goes_on_where_it_stopped_and_touches_nothing_of_others(finished, tmp_path, travelling):
    file, _ = fuse(finished, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert travelling == [0]
    assert fuse(finished, tmp_path)[0] == file
    assert travelling == [0]  # nothing was left to do
    lost = sorted(before)[2]
    (tmp_path / lost).unlink()
    stamps = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.png")}
    fuse(finished, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    kept = [name for name in stamps if (tmp_path / name).stat().st_mtime_ns == stamps[name]]
    assert len(kept) >= COUNT - 1
    mine = tmp_path / sorted(before)[3]
    mine.write_bytes(b"mine")
    with pytest.raises(JobConflictError):
        fuse(finished, tmp_path)
    assert mine.read_bytes() == b"mine"


def command(monkeypatch, capfd, *words):
    """Exit code and events of the verb with ``--events``."""
    monkeypatch.setattr(sys, "argv", ["vdepth", "fuse", *map(str, words), "--events"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0, [parse_event(line) for line in capfd.readouterr().out.splitlines()]


def test_events_count_frames_and_end_in_the_file_or_an_error(
    finished, tmp_path, travelling, monkeypatch, capfd
):
    code, events = command(monkeypatch, capfd, finished, "-o", tmp_path)
    assert code == 0
    assert [event.total for event in events if event.event == "stage" and event.name == "fuse"] == [COUNT]
    told = [event for event in events if event.event == "progress" and event.stage == "fuse"]
    assert (told[-1].done, told[-1].total) == (COUNT, COUNT)
    assert events[-1].event == "done"
    assert events[-1].manifest == str(tmp_path / "clean.json")
    monkeypatch.undo()
    code, events = command(monkeypatch, capfd, finished, "-o", tmp_path / "other")
    assert code == 3
    assert (events[-1].event, events[-1].code) == ("error", "bad_input")
    assert "stands still" in events[-1].message


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a child of its own")
def test_killed_in_the_middle_it_goes_on_to_the_same_bytes(finished, tmp_path, travelling, monkeypatch):
    whole, _ = fuse(finished, tmp_path / "whole")
    write, written = fusing._Fusion._write, []

    def dies(self, *arguments):
        if len(written) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        written.append(write(self, *arguments))

    with monkeypatch.context() as patch:
        patch.setattr(fusing._Fusion, "_write", dies)
        child = os.fork()
        if not child:
            try:
                fuse(finished, tmp_path / "killed")
            finally:
                os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert len(list((tmp_path / "killed").glob("*.exr"))) == 2
    fuse(finished, tmp_path / "killed")
    files = {path.name: path.read_bytes() for path in whole.parent.iterdir() if path.is_file()}
    found = {path.name: path.read_bytes() for path in (tmp_path / "killed").iterdir() if path.is_file()}
    assert found == files
    assert not list((tmp_path / "killed" / ".vdepth" / "export").iterdir())
