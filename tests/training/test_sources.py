"""Sources follow from the seed, keep the frames of a clip together, and are mixed by their shares."""

import shutil

import numpy as np
import pytest
import torch

from vdepth_core.errors import InputError
from vdepth_core.training import shards, sources
from vdepth_core.training.sources import TOGETHER, Sample, Shards, mix

SHARDS = {"train-0.npz", "train-1.npz", "held-0.npz"}


class Flat:
    """Frames whose colour says which source they are from."""

    floor = None

    def __init__(self, kind, level, frames, exact=True):
        self.kind, self.level, self.frames, self.exact = kind, level, frames, exact

    def draw(self, step, rng, height, width):
        rgb = np.full((self.frames, 3, height, width), self.level, np.float32)
        truth = rng.uniform(0, 1, (self.frames, height, width)).astype(np.float32)
        return Sample(
            rgb, truth, np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32)
        )


@pytest.fixture
def folder(tmp_path):
    """Bright is near; frame t of shard s has disparity scaled by s + 1; the left column is unknown."""
    rng = np.random.default_rng(0)
    for kind, number in (("train", 0), ("train", 1), ("held", 0)):
        rgb = rng.integers(0, 255, (4, 12, 16, 1), np.uint8).repeat(18, 1).repeat(18, 2).repeat(3, 3)
        truth = rgb[..., 0] / 255 * (number + 1)
        truth[:, :, 0] = np.nan
        shards.write_shard(tmp_path / f"{kind}-{number}.npz", rgb, truth)
    return tmp_path


def test_samples_keep_picture_and_truth_together(folder):
    source = Shards("cycles", [folder], exact=True, floor=0.1)
    for seed in range(8):
        sample = source.draw(0, np.random.default_rng(seed), 64, 96)
        assert sample.rgb.shape == (TOGETHER, 3, 64, 96)
        for rgb, truth in zip(sample.rgb, sample.disparity, strict=True):
            known = ~np.isnan(truth)
            assert np.corrcoef(rgb.mean(0)[known], truth[known])[0, 1] > 0.8


def test_same_generator_same_sample(folder):
    source = Shards("cycles", [folder], exact=True, floor=0.1)
    one, again, other = (source.draw(7, np.random.default_rng(seed), 64, 96) for seed in (1, 1, 2))
    assert np.array_equal(one.rgb, again.rgb)
    assert np.array_equal(one.disparity, again.disparity, equal_nan=True)
    assert not np.array_equal(one.rgb, other.rgb)


def test_two_shards_of_one_name_are_refused(folder, tmp_path):
    """A table of shards could not tell them apart."""
    other = tmp_path / "elsewhere" / folder.name
    other.mkdir(parents=True)
    shutil.copy(folder / "train-1.npz", other)
    with pytest.raises(InputError, match=r"two .*train-1\.npz"):
        Shards("teacher", [folder, other], exact=False, floor=None)


def test_order_is_by_name_wherever_the_folders_lie(folder, tmp_path):
    """What is drawn, and what is validated on, must not depend on where a cache is."""
    for place, name in (("x", "second"), ("y", "first")):
        shutil.copytree(folder, tmp_path / place / name, ignore=lambda _, names: set(names) - SHARDS)
    folders = [tmp_path / "x" / "second", tmp_path / "y" / "first"]
    source = Shards("teacher", folders, exact=False, floor=None)
    for paths in (source.paths, source._held):
        assert [path.parent.name for path in paths] == sorted(path.parent.name for path in paths)


def test_a_folder_without_shards_is_named(folder, tmp_path):
    """Also beside good ones: a mistyped name is no data."""
    with pytest.raises(InputError, match="mistyped"):
        Shards("motion", [folder, tmp_path / "mistyped"], exact=False, floor=None)


def test_what_is_held_out_is_fixed_and_never_drawn(folder):
    source = Shards("rgbd", [folder], exact=False, floor=0.1)
    assert [path.name for path in source.paths] == ["train-0.npz", "train-1.npz"]
    held, again = source.held_out(), source.held_out()
    assert len(held) == 4
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(held, again, strict=True))
    assert all(sample.rgb.shape == (1, 3, *sources.VALIDATION) for sample in held)


def test_no_shards(tmp_path):
    with pytest.raises(InputError, match="no shards for cycles"):
        Shards("cycles", [tmp_path], exact=True, floor=0.1)


def test_shares_are_of_frames():
    some = [Flat("procedural", 0.0, 1), Flat("cycles", 0.25, 2), Flat("teacher", 0.5, 2, exact=False)]
    levels = []
    for step in range(150):
        batch = mix(some, step, np.random.default_rng(step), 8, 4, 6)
        assert batch.rgb.shape == (8, 3, 4, 6)
        assert batch.truth.shape == (8, 4, 6)
        assert sum(count for count, *_ in batch.samples) == 8
        starts = np.cumsum([0, *(count for count, *_ in batch.samples)])[:-1]
        for start, (count, exact, _) in zip(starts, batch.samples, strict=True):
            level = batch.rgb[start : start + count]
            assert torch.equal(level, level[:1].expand_as(level))  # one source a sample
            assert exact == (float(level[0, 0, 0, 0]) != 0.5)
        levels.append(batch.rgb[:, 0, 0, 0])
    drawn = torch.cat(levels)
    shares = np.array([sources.SHARES[source.kind] for source in some])
    for source, share in zip(some, shares / shares.sum(), strict=True):
        assert float((drawn == source.level).float().mean()) == pytest.approx(share, abs=0.06)


def test_an_odd_batch_is_filled_exactly():
    batch = mix([Flat("cycles", 0.5, 2)], 0, np.random.default_rng(0), 5, 4, 6)
    assert batch.samples == ((2, True, None), (2, True, None), (1, True, None))
    assert batch.flow.shape == (3, 4, 6, 2)
    assert batch.seen.mean((1, 2)).tolist() == [1, 1, 0]  # what lost its neighbour is compared with nothing


def test_neighbours_are_followed_by_a_frame_from_elsewhere(tmp_path):
    """Frame t is of colour 25 t: frames 2k and 2k + 1 come first, and the third is of another pair."""
    level = np.arange(8, dtype=np.uint8)[:, None, None, None] * 25
    rgb = np.broadcast_to(level, (8, 40, 60, 3))
    shards.write_shard(tmp_path / "train-0.npz", rgb, rgb[..., 0] / 25)
    source = Shards("cycles", [tmp_path], exact=True, floor=0.1)
    for seed in range(8):
        sample = source.draw(0, np.random.default_rng(seed), 32, 48)
        first, second, third = (int(truth.flat[0]) for truth in sample.disparity)
        assert first % 2 == 0
        assert second == first + 1
        assert third // 2 != first // 2


def test_few_rendered_scenes_get_a_smaller_share(folder):
    """Two of a hundred: a fiftieth of their share, the rest goes to what else there is."""
    few = Shards("cycles", [folder], exact=True, floor=0.1)
    batches = (mix([few, Flat("rgbd", 7.0, 3)], 0, np.random.default_rng(k), 9, 4, 6) for k in range(60))
    rendered = np.mean([sample[2] is not None for batch in batches for sample in batch.samples])
    assert 0 < rendered < 0.12
