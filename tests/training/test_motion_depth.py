"""tools/motion_depth.py measures a clip whose depth is known, and says where it knows nothing."""

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from procedural_shots import corridor

from vdepth_core.training.shards import load_shard
from vdepth_core.training.sources import MEASURED_FLOOR, Shards

TOOL = Path(__file__).parents[2] / "tools" / "motion_depth.py"
SIZE = (160, 256)


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("motion_depth", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _clip(folder, cameras):
    folder.mkdir()
    truth = []
    for t, (along, aside) in enumerate(cameras):
        luma, disparity = corridor(along, aside, SIZE)
        cv2.imwrite(str(folder / f"{t:03d}.png"), luma)
        truth.append(disparity)
    return np.stack(truth)


def test_depth_is_that_of_the_scene(tool, tmp_path, monkeypatch):
    """Up to one scale for the whole clip, where it is known; the rest is not a number."""
    truth = _clip(tmp_path / "walk", [(0.06 * t, 0.3 * np.sin(0.25 * t)) for t in range(18)])
    out = tmp_path / "motion"
    monkeypatch.setattr(
        sys, "argv", ["motion_depth", str(tmp_path / "walk"), "-o", str(out), "--size", "160"]
    )
    tool.main()
    assert (out / "walk.png").is_file()
    assert (out / "walk.license").is_file()
    source = Shards("motion", [out / "walk"], exact=False, floor=MEASURED_FLOOR)
    ratios = []
    for path in source.paths:
        rgb, disparity = load_shard(path)
        for picture, measured in zip(rgb, disparity, strict=True):
            files = [cv2.imread(str(file)) for file in sorted((tmp_path / "walk").iterdir())]
            frame = int(np.argmin([np.abs(file[..., ::-1].astype(int) - picture).mean() for file in files]))
            known = ~np.isnan(measured)
            assert 0.15 < known.mean() < 1
            ratios.append(measured[known] / truth[frame][known])
    ratios = np.concatenate(ratios)
    assert np.median(np.abs(ratios / np.median(ratios) - 1)) < 0.06  # the deviation it calls sure


def test_a_tripod_is_left_out_in_one_sentence(tool, tmp_path, monkeypatch, capsys):
    _clip(tmp_path / "still", [(0.0, 0.0)] * 8)
    monkeypatch.setattr(
        sys, "argv", ["motion_depth", str(tmp_path / "still"), "-o", str(tmp_path), "--size", "160"]
    )
    tool.main()
    assert "still is left out: " in capsys.readouterr().out
    assert not list(tmp_path.glob("*.license"))
