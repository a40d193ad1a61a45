"""Clips stream to disk whole or not at all, and interrupted streams go on."""

import numpy as np
import pytest

from vdepth_core.errors import ResourceError
from vdepth_core.scenes import render_clip, stream, stream_shards
from vdepth_core.training.shards import load_shard

SIZE = (2, 40, 56)


def test_a_shard_holds_the_clip_and_its_truth(tmp_path):
    (path,) = stream_shards(tmp_path / "new" / "folder", 7, 1, *SIZE)
    clip = render_clip(7, *SIZE, moving=None)
    with np.load(path, allow_pickle=False) as data:
        found = dict(data)
    assert {name: (array.dtype.name, array.shape) for name, array in found.items()} == {
        "rgb": ("uint8", (2, 40, 56, 3)),
        "disparity": ("float16", (2, 40, 56)),
        "flow": ("float16", (1, 40, 56, 2)),
        "visible": ("bool", (1, 40, 56)),
        "K": ("float64", (3, 3)),
        "poses": ("float64", (2, 4, 4)),
    }
    assert np.abs(found["rgb"] / 255 - clip.rgb.transpose(0, 2, 3, 1)).max() < 0.51 / 255
    assert np.allclose(found["disparity"], 1 / clip.depth, rtol=1e-3)
    assert ((found["disparity"] == 0) == clip.sky).all()
    assert np.allclose(found["flow"], clip.flow, rtol=1e-3, atol=1e-3)
    assert np.array_equal(found["visible"], clip.visible)
    assert np.array_equal(found["poses"], clip.poses)
    rgb, disparity = load_shard(path)  # training reads it like any shard
    assert rgb.shape[:3] == disparity.shape == SIZE


def test_a_stream_renders_one_clip_at_a_time_and_goes_on_where_it_was(tmp_path, monkeypatch):
    rendered = []

    def render(seed, *rest, **options):
        rendered.append(seed)
        return render_clip(seed, *rest, **options)

    monkeypatch.setattr(stream, "render_clip", render)
    begun = stream_shards(tmp_path, 30, 3, *SIZE)
    assert rendered == []
    first = next(begun)
    assert (rendered, [p.name for p in tmp_path.iterdir()]) == ([30], [first.name])
    begun.close()
    content, written = first.read_bytes(), first.stat().st_mtime_ns
    paths = list(stream_shards(tmp_path, 30, 3, *SIZE))
    assert rendered == [30, 31, 32]
    assert [p.name for p in paths] == sorted(p.name for p in tmp_path.iterdir())
    assert paths[0] == first
    assert (first.read_bytes(), first.stat().st_mtime_ns) == (content, written)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(stream.np, "savez", fail)
    with pytest.raises(ResourceError, match="full"):
        next(stream_shards(tmp_path, 7, 1, *SIZE))
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_render_is_said_at_once(tmp_path):
    with pytest.raises(ValueError, match="0 clips"):
        stream_shards(tmp_path, 0, 0, *SIZE)
    assert list(tmp_path.iterdir()) == []
