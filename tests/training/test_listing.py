"""A training that goes on takes new shards from where it goes on; the table makes it again."""

import csv

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.training import listing
from vdepth_core.training.shards import write_shard
from vdepth_core.training.sources import Shards, mix


def add(folder, number):
    rgb = np.full((2, 16, 24, 3), number, np.uint8)
    write_shard(folder / f"train-{number}.npz", rgb, np.full((2, 16, 24), number))


def rows(out):
    with out.with_suffix(".shards.csv").open() as file:
        return [(int(row["from step"]), row["shard"].split("/")[1]) for row in csv.DictReader(file)]


def drawn(source, step):
    """Which shards a step may draw."""
    samples = (source.draw(step, np.random.default_rng(seed), 8, 8) for seed in range(40))
    return {int(sample.disparity.flat[0]) for sample in samples}


def test_new_shards_count_from_the_step_a_run_goes_on_at(tmp_path):
    folder, out = tmp_path / "cycles", tmp_path / "w.safetensors"
    folder.mkdir()
    add(folder, 5)
    listing.enlist([Shards("cycles", [folder], True, 0.1)], out, 0)
    add(folder, 2)
    source = Shards("cycles", [folder], True, 0.1)
    listing.enlist([source], out, 100)
    assert rows(out) == [(0, "train-5.npz"), (100, "train-2.npz")]
    assert drawn(source, 99) == {5}
    assert drawn(source, 100) == {2, 5}
    again = Shards("cycles", [folder], True, 0.1)
    listing.enlist([again], out, 300)  # nothing new
    assert rows(out) == [(0, "train-5.npz"), (100, "train-2.npz")]
    for seed in range(10):
        first, second = (s.draw(200, np.random.default_rng(seed), 8, 8) for s in (source, again))
        assert np.array_equal(first.rgb, second.rgb)


def test_a_table_that_is_given_decides_alone(tmp_path):
    folder, out = tmp_path / "cycles", tmp_path / "w.safetensors"
    folder.mkdir()
    add(folder, 1)
    listing.enlist([Shards("cycles", [folder], True, 0.1)], out, 0)
    given = out.with_suffix(".shards.csv").rename(tmp_path / "former.csv")
    add(folder, 2)
    source = Shards("cycles", [folder], True, 0.1)
    listing.enlist([source], out, 0, given)
    assert rows(out) == [(0, "train-1.npz")]
    assert drawn(source, 10**6) == {1}
    (folder / "train-1.npz").unlink()
    with pytest.raises(InputError, match="not there any more"):
        listing.enlist([Shards("cycles", [folder], True, 0.1)], out, 0, given)
    given.write_text("nonsense\n1\n")
    with pytest.raises(InputError, match="no table of shards"):
        listing.enlist([source], out, 0, given)


def test_a_run_of_a_former_version_had_all_its_shards_from_the_start(tmp_path):
    folder, out = tmp_path / "cycles", tmp_path / "w.safetensors"
    folder.mkdir()
    add(folder, 1)
    listing.enlist([Shards("cycles", [folder], True, 0.1)], out, 50)
    assert rows(out) == [(0, "train-1.npz")]


def test_a_kind_whose_first_shards_came_later_is_left_out_before(tmp_path):
    sources = []
    for kind in ("cycles", "rgbd"):
        folder = tmp_path / kind
        folder.mkdir()
        add(folder, len(sources))
        sources.append(Shards(kind, [folder], True, 0.1))
    listing.enlist(sources[:1], tmp_path / "w.safetensors", 0)
    listing.enlist(sources, tmp_path / "w.safetensors", 7)
    kinds = [
        {float(mix(sources, step, np.random.default_rng(seed), 2, 8, 8).truth[0, 0, 0]) for seed in range(20)}
        for step in (6, 7)
    ]
    assert kinds == [{0.0}, {0.0, 1.0}]
