"""``vdepth train-merge`` makes pairs, trains, goes on, and writes weights that merge."""

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from vdepth_core.cli.main import app
from vdepth_core.errors import UsageError
from vdepth_core.models.registry import load_model
from vdepth_core.refiners.boost.merges.registry import load_merge
from vdepth_core.refiners.boost.merges.weights import merge_weights
from vdepth_core.training.merge import samples, train


@pytest.fixture
def small(monkeypatch):
    """Small pictures, one scene held out."""
    monkeypatch.setattr(samples, "HEIGHTS", (208,))
    monkeypatch.setattr(samples, "TIMES", (1.2, 1.3))
    monkeypatch.setattr(samples, "BEST", 1.5)
    monkeypatch.setattr(samples, "CROPS", 1)
    monkeypatch.setattr(train, "VALIDATED", 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["-o", "{}/w.pt"], "safetensors"),
        (["-o", "{}/none/w.safetensors"], "does not exist"),
        (["-o", "{}/w.safetensors", "--minutes", "0"], "positive"),
        (["-o", "{}/w.safetensors", "--scenes", "0"], "positive"),
        (["-o", "{}/w.safetensors", "--seed", "400"], "399"),
    ],
)
def test_wrong_options(tmp_path, arguments, word):
    result = CliRunner().invoke(app, ["train-merge", *(a.format(tmp_path) for a in arguments)])
    assert isinstance(result.exception, UsageError)
    assert word in str(result.exception)


def test_pairs_agree_in_what_the_merge_takes_from_them(tmp_path, small):
    crops = samples.scene_crops(tmp_path / "s.npy", 5, load_model("embedded")).astype(np.float32)
    assert crops.shape == (1, 4, samples.SIDE, samples.SIDE)
    low, high, _, target = crops[0]
    blurred = cv2.blur(low - target, (33, 33))[20:-20, 20:-20]
    assert abs(blurred).mean() < 0.2 * target.std()  # the large is the soft map's
    steps = [np.abs(np.diff(maps)).ravel() for maps in (high, target)]
    assert np.corrcoef(steps)[0, 1] > 0.5  # edges are the sharp map's
    again = samples.scene_crops(tmp_path / "s.npy", 5, load_model("embedded"))
    np.testing.assert_array_equal(again, crops.astype(np.float16))


def test_it_trains_goes_on_and_merges(tmp_path, small):
    picture = tmp_path / "photo.png"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 255, (200, 220, 3), np.uint8))
    out, runner = tmp_path / "w.safetensors", CliRunner()
    call = ["train-merge", "-o", str(out), "--scenes", "1", "--batch", "2", "--clips", str(picture)]
    for steps in ("1", "2"):
        more = ["--resume"] if steps == "2" else []
        result = runner.invoke(app, [*call, "--steps", steps, *more])
        assert result.exit_code == 0, result.output
    assert out.stat().st_size < 4_000_000
    merge = load_merge(out)
    assert (merge.name, merge_weights(str(out)).license) == ("learned", "Apache-2.0 (the file's own claim)")
    low = torch.rand(1, 1, 40, 60)
    assert torch.isfinite(merge(low, low)).all()


def test_the_loss_counts_edges():
    target = torch.zeros(1, 1, 4, 4)
    shifted, edge = target + 1, target.clone()
    edge[..., 2:] = 2
    assert float(train.merge_loss(shifted, target, 4.0)) == 1.0
    assert float(train.merge_loss(edge, target, 4.0)) == pytest.approx(1 + 4 * 2 / 3)
