"""The examples are scripts that users start from: each is run as it stands."""

import runpy
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from generated import write_movie

from vdepth_core import open_clip, read_sequence
from vdepth_core.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
WIDTH, HEIGHT = 96, 64


def run(monkeypatch, name, *words):
    """A script as its user starts it; its exit code."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    try:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("plates") / "shot.mp4", 6, size=(WIDTH, HEIGHT))


@pytest.fixture
def job(clip, tmp_path, monkeypatch):
    """Frames 2 to 5 of the clip, done by the first example."""
    assert run(monkeypatch, "estimate_with_progress.py", clip, tmp_path / "depth", "--frames", "2-5") == 0
    return tmp_path / "depth"


def test_estimate_with_progress(clip, tmp_path, monkeypatch, capsys):
    out = tmp_path / "depth"
    assert run(monkeypatch, "estimate_with_progress.py", clip, out, "--frames", "2-5") == 0
    said = capsys.readouterr().out
    assert "4 frames by embedded (Apache-2.0 AND MIT)" in said
    assert "write: 4 of 4" in said
    assert len(list(out.glob("*_depth.*.exr"))) == 4
    gone = tmp_path / "none.mov"
    assert run(monkeypatch, "estimate_with_progress.py", gone, out) == 3
    assert capsys.readouterr().err.startswith(f"{gone} does not exist.")


def test_folder_of_shots(clip, tmp_path, monkeypatch, capsys):
    plates = tmp_path / "plates"
    plates.mkdir()
    (plates / "a.mp4").write_bytes(clip.read_bytes())
    (plates / "b.mov").write_bytes(b"no movie")
    (plates / "notes.txt").write_text("no clip")
    assert run(monkeypatch, "folder_of_shots.py", plates, tmp_path / "out") == 1
    said = capsys.readouterr()
    assert said.out == "a.mp4: 6 frames, depth 1 to 100\n"
    assert said.err.startswith("b.mov: ")
    assert len(list((tmp_path / "out" / "a").glob("a_normal.*.exr"))) == 6


def test_point_cloud(job, clip, tmp_path, monkeypatch):
    assert run(monkeypatch, "point_cloud.py", job, clip, 1, tmp_path / "cloud.ply") == 0
    header, body = (tmp_path / "cloud.ply").read_bytes().split(b"end_header\n")
    assert f"element vertex {WIDTH * HEIGHT}" in header.decode()
    points = np.frombuffer(body, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    sequence = read_sequence(job)
    camera, z = sequence.intrinsics, sequence[1].ravel()
    np.testing.assert_array_equal(points["xyz"][:, 2], z)
    column, row = np.tile(np.arange(WIDTH) + 0.5, HEIGHT), np.repeat(np.arange(HEIGHT) + 0.5, WIDTH)
    np.testing.assert_allclose(points["xyz"][:, 0] / z * camera.fx + camera.cx, column, atol=1e-3)
    np.testing.assert_allclose(points["xyz"][:, 1] / z * camera.fy + camera.cy, row, atol=1e-3)
    plate = next(open_clip(clip).read(3, 4)).rgb  # the job begins at frame 2
    np.testing.assert_array_equal(points["rgb"], plate.reshape(-1, 3))


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """What installing examples/own_model leaves: the module, and what says where its entry points are."""
    project = tomllib.loads((EXAMPLES / "own_model" / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"vdepth_haze-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES / "own_model")


@pytest.mark.usefixtures("plugged")
def test_own_model(clip, tmp_path, monkeypatch, capsys):
    def vdepth(*words):
        monkeypatch.setattr(sys, "argv", ["vdepth", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0, capsys.readouterr().err
        return capsys.readouterr().out

    assert '"haze"' in vdepth("models", "--json")
    vdepth("estimate", clip, "-o", tmp_path / "out", "--model", "haze")
    sequence = read_sequence(tmp_path / "out")
    assert sequence.manifest.model.name == "haze"
    assert np.median(sequence[0][-16:]) < np.median(sequence[0][:16])  # near below
