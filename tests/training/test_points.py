"""Points with exact depth: kept with their picture, read back, and learnt from."""

import numpy as np
import pytest
import torch

from vdepth_core.errors import InputError
from vdepth_core.learning.losses.points import ordinal_loss, points_loss
from vdepth_core.training import augment, shards
from vdepth_core.training.sources import Points, mix


@pytest.fixture
def folder(tmp_path):
    """Bright dots on black, each a point whose disparity is its brightness."""
    rng, frames = np.random.default_rng(0), []
    for _ in range(20):
        rgb = np.zeros((120, 160, 3), np.uint8)
        points = []
        for y in range(10, 110, 20):
            for x in range(10, 150, 20):
                level = int(rng.integers(60, 250))
                rgb[y - 5 : y + 6, x - 5 : x + 6] = level
                points.append((x + 0.5, y + 0.5, level / 100))
        frames.append((rgb, np.array(points)))
    return shards.write_shards([frames], tmp_path / "dots", shards.write_points)


def test_points_stay_with_their_picture(folder):
    source = Points([folder])
    for seed in range(6):
        sample = source.draw(0, np.random.default_rng(seed), 96, 128)
        assert sample.sparse
        assert not sample.seen.any()
        known = ~np.isnan(sample.disparity)
        assert 20 < known.sum() < 0.05 * known.size
        for picture, truth in zip(sample.rgb, sample.disparity, strict=True):
            at = ~np.isnan(truth)
            assert (
                np.corrcoef(picture.mean(0)[at], truth[at])[0, 1] > 0.7
            )  # colours are changed, order is not
    assert len(source.held_out()) == 4
    batch = mix([source], 0, np.random.default_rng(0), 6, 96, 128)
    assert batch.sparse == (True, True)


def test_the_nearest_of_several_points_counts_and_mirrors_move_it():
    place = augment.Place(10, 20, 40, 60, 20, 30, mirrored=False)
    points = np.array([(21.0, 11.0, 0.5), (21.5, 10.2, 0.9), (79.9, 49.9, 0.3), (19.9, 30, 1), (81, 30, 1)])
    found = place.points(points)
    assert found[0, 0] == pytest.approx(0.9)
    assert found[19, 29] == pytest.approx(0.3)
    assert (~np.isnan(found)).sum() == 2
    mirrored = augment.Place(10, 20, 40, 60, 20, 30, mirrored=True).points(points)
    assert np.array_equal(mirrored[:, ::-1], found, equal_nan=True)


def test_what_is_no_shard_of_points(tmp_path):
    shards.write_shard(tmp_path / "train-0.npz", np.zeros((2, 8, 8, 3), np.uint8), np.ones((2, 8, 8)))
    with pytest.raises(InputError, match="no shard of points"):
        shards.load_points(tmp_path / "train-0.npz")
    np.savez(tmp_path / "b.npz", rgb=np.zeros((2, 8, 8, 3), np.uint8), points=np.zeros((4, 3)))
    with pytest.raises(InputError, match="pictures"):
        shards.load_points(tmp_path / "b.npz")


def test_a_wrong_order_costs_and_scale_does_not():
    torch.manual_seed(0)
    truth = torch.rand(2, 40, 50) + 0.2
    mask = torch.rand(2, 40, 50) < 0.05
    right, wrong = ordinal_loss(truth, truth, mask), ordinal_loss(-truth, truth, mask)
    assert float(right) < 0.2
    assert float(wrong) > 1
    torch.testing.assert_close(ordinal_loss(truth * 7 + 3, truth, mask), right, rtol=1e-3, atol=1e-4)
    assert float(points_loss(truth * 7 + 3, truth, mask, 0.05)) == pytest.approx(float(right), abs=1e-3)


def test_few_points_or_none_give_no_step_into_nowhere():
    prediction = torch.rand(2, 16, 16, requires_grad=True)
    mask = torch.zeros(2, 16, 16, dtype=torch.bool)
    mask[0, 3, 3] = True
    loss = points_loss(prediction, torch.rand(2, 16, 16) + 0.5, mask, 0.05)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert bool(torch.isfinite(prediction.grad).all())
