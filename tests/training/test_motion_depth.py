"""tools/motion_depth.py measures a clip whose depth is known, and says where it knows nothing."""

import sys

import cv2
import numpy as np
import pytest
from procedural_shots import corridor
from scripts import script

from vdepth_core.training.shards import load_shard
from vdepth_core.training.sources import MEASURED_FLOOR, Shards

SIZE = (128, 192)


@pytest.fixture(scope="module")
def tool():
    return script("tools/motion_depth.py")


def _clip(folder, cameras, size=SIZE):
    folder.mkdir()
    truth = []
    for t, (along, aside) in enumerate(cameras):
        luma, disparity = corridor(along, aside, size)
        cv2.imwrite(str(folder / f"{t:03d}.png"), luma)
        truth.append(disparity)
    return np.stack(truth)


def _run(tool, monkeypatch, out, *clips, size=SIZE[0]):
    """The tool's exit status."""
    monkeypatch.setattr(sys, "argv", ["motion_depth", *map(str, clips), "-o", str(out), "--size", str(size)])
    with pytest.raises(SystemExit) as ended:
        tool.main()
    return ended.value.code


def _ratios(folder, clip, truth):
    """Measured over true disparity, of each shard's frames."""
    files = [cv2.imread(str(file))[..., ::-1].astype(int) for file in sorted(clip.iterdir())]
    found = []
    for path in sorted(folder.glob("*.npz")):
        rgb, disparity = load_shard(path)
        frames = [int(np.argmin([np.abs(file - picture).mean() for file in files])) for picture in rgb]
        known = ~np.isnan(disparity)
        assert 0.15 < known.mean() < 1
        found.append((frames, disparity[known] / truth[frames][known]))
    return found


def test_depth_is_that_of_the_scene(tool, tmp_path, monkeypatch):
    """Up to one scale for the whole clip, where it is known; the rest is not a number."""
    clip, out = tmp_path / "walk.v01", tmp_path / "motion"
    truth = _clip(clip, [(0.06 * t, 0.3 * np.sin(0.25 * t)) for t in range(14)])
    assert _run(tool, monkeypatch, out, clip) == 0
    assert (out / "walk.v01" / "look.png").is_file()
    assert not (out / "walk.v01" / "LICENSE").exists()  # nobody said anything of it
    Shards("motion", [out / "walk.v01"], exact=False, floor=MEASURED_FLOOR)
    ratios = np.concatenate([ratio for _, ratio in _ratios(out / "walk.v01", clip, truth)])
    off = np.abs(ratios / np.median(ratios) - 1)
    assert np.median(off) < 0.06  # the deviation it calls sure
    made = {path: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}
    assert _run(tool, monkeypatch, out, clip) == 0  # again: nothing that is there is replaced
    assert made == {path: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}


def test_shots_share_no_shard(tool, tmp_path, monkeypatch):
    """After a cut nobody knows the unit of before."""
    clip = tmp_path / "cut"
    slow = [(20 + 0.02 * t, 0.1 * np.sin(0.25 * t)) for t in range(8)]
    truth = _clip(clip, [(0.06 * t, 0.3 * np.sin(0.25 * t)) for t in range(8)] + slow, (96, 160))
    for t in range(8, 16):  # darker: a cut is seen
        picture = cv2.imread(str(clip / f"{t:03d}.png"))
        cv2.imwrite(str(clip / f"{t:03d}.png"), picture // 3)
    assert _run(tool, monkeypatch, tmp_path / "motion", clip, size=96) == 0
    found = _ratios(tmp_path / "motion" / "cut", clip, truth)
    assert {frame < 8 for frames, _ in found for frame in frames} == {True, False}
    for frames, _ in found:
        assert len({frame < 8 for frame in frames}) == 1


def test_a_tripod_is_left_out_in_one_sentence(tool, tmp_path, monkeypatch, capsys):
    _clip(tmp_path / "still", [(0.0, 0.0)] * 8)
    assert _run(tool, monkeypatch, tmp_path, tmp_path / "still", size=64) == 0  # its name is taken
    assert "still is there already" in capsys.readouterr().out
    assert _run(tool, monkeypatch, tmp_path / "out", tmp_path / "still") == 3
    assert "still is left out: " in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("clips", "size", "word"), [(["a/x.mov", "b/x.mov"], 96, "one name"), (["a/x.mov"], 5000, "5000")]
)
def test_what_cannot_be_is_refused_first(tool, tmp_path, monkeypatch, capsys, clips, size, word):
    assert _run(tool, monkeypatch, tmp_path / "out", *clips, size=size) == 2
    assert word in capsys.readouterr().err
