"""Shards made of recordings and of clips: scale, gaps, the held-out end."""

import cv2
import numpy as np
import pytest
import torch

from vdepth_core.errors import InputError
from vdepth_core.training import shards
from vdepth_core.types import ModelSpec

FRAMES, HEIGHT, WIDTH = 20, 60, 80  # ten pairs, of which the last two are held out


class Brightness:
    """A teacher that calls bright things near, twice as much as they are."""

    spec = ModelSpec("brightness", "disparity", "affine_invariant", "none", True, multiple=32, native_size=64)

    def predict(self, frames):
        return 2 * frames.mean(1)


@pytest.fixture
def recording(tmp_path):
    """Frame t is of colour 10 t and t + 1 metres away; a corner is missing, another too far."""
    for part in ("color", "depth"):
        (tmp_path / "rec" / part).mkdir(parents=True)
    for t in range(FRAMES):
        cv2.imwrite(str(tmp_path / f"rec/color/{t:03d}.png"), np.full((HEIGHT, WIDTH, 3), 10 * t, np.uint8))
        depth = np.full((HEIGHT, WIDTH), 500 + 100 * t, np.uint16)
        depth[:20, :20], depth[40:, 60:] = 0, 20_000
        cv2.imwrite(str(tmp_path / f"rec/depth/{t:03d}.png"), depth)
    return tmp_path / "rec"


def everything(folder, kind):
    parts = [shards.load_shard(path) for path in sorted(folder.glob(f"{kind}-*.npz"))]
    assert all(len(rgb) <= shards.FRAMES for rgb, _ in parts)
    return np.concatenate([rgb for rgb, _ in parts]), np.concatenate([truth for _, truth in parts])


def test_a_recording_becomes_disparity_in_metres(recording, tmp_path):
    folder = shards.from_rgbd(recording, tmp_path / "out")
    rgb, truth = everything(folder, "train")
    held, _ = everything(folder, "held")
    assert rgb.shape[1:] == (HEIGHT, WIDTH, 3)  # nothing is enlarged
    numbers = rgb[:, 30, 40, 0] // 10
    assert sorted(numbers) == list(range(16))
    assert sorted(held[:, 30, 40, 0] // 10) == [16, 17, 18, 19]  # the end, never trained on
    assert np.allclose(truth[:, 30, 40], 1 / (0.5 + 0.1 * numbers), rtol=1e-3)
    assert np.isnan(truth[:, 5, 5]).all()
    assert np.isnan(truth[:, -5, -5]).all()
    for path in folder.glob("*.npz"):
        level = shards.load_shard(path)[0][:, 30, 40, 0]
        assert (np.diff(level)[::2] == 10).all()  # neighbours side by side


def test_another_unit(recording, tmp_path):
    (recording / "scale.txt").write_text("2000\n")
    _, truth = everything(shards.from_rgbd(recording, tmp_path / "out"), "train")
    assert np.nanmax(truth) == pytest.approx(1 / 0.25, rel=1e-2)


def test_shards_are_made_once(recording, tmp_path):
    out = shards.from_rgbd(recording, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert {path: path.stat().st_mtime_ns for path in shards.from_rgbd(recording, out).iterdir()} == before
    assert [p.name for p in tmp_path.iterdir() if "tmp" in p.name] == []


class Flickering(Brightness):
    """The same, its scale jumping by up to 20 % with the brightness of the picture's upper corners."""

    def predict(self, frames):
        corners = (frames[:, 0, :2, :2] + frames[:, 0, :2, -2:]).mean((1, 2))
        return super().predict(frames) * (1 + 0.2 * torch.sin(40 * corners))[:, None, None]


def test_a_clips_labels_are_steady_and_of_one_scale(tmp_path):
    rng = np.random.default_rng(2)
    still = cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 3)
    still = cv2.normalize(still, None, 0, 255, cv2.NORM_MINMAX)
    (tmp_path / "clip").mkdir()
    for t in range(FRAMES):
        frame = still.copy()
        frame[:4, :4] = frame[:4, -4:] = 12 * t
        cv2.imwrite(str(tmp_path / f"clip/{t:03d}.png"), frame)
    folder = shards.from_clip(tmp_path / "clip", Flickering(), tmp_path / "out")
    rgb, truth = everything(folder, "train")
    assert len(rgb) == 16
    assert truth.max() <= 1
    middle = truth[:, 14:-10, 14:-14]
    scale = middle.mean((1, 2))
    assert scale.std() < 0.03 * scale.mean()
    assert np.corrcoef(middle[0].ravel(), rgb[0, 14:-10, 14:-14].mean(-1).ravel())[0, 1] > 0.98


def test_what_is_no_recording_or_shard(recording, tmp_path):
    (recording / "depth" / "000.png").unlink()
    with pytest.raises(InputError, match="20 pictures in color and 19 in depth"):
        shards.from_rgbd(recording, tmp_path / "out")
    broken = tmp_path / "train-0.npz"
    shards.write_shard(broken, np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 4, 4)))
    whole = broken.read_bytes()
    for data in (b"no archive", b"", whole[:300]):  # a copy that was cut off
        broken.write_bytes(data)
        for load in (shards.load_shard, shards.load_points):
            with pytest.raises(InputError, match="no shard"):
                load(broken)
    shards.write_shard(broken, np.zeros((2, 4, 4, 3), np.uint8), np.zeros((1, 4, 4)))
    with pytest.raises(InputError, match="truth"):
        shards.load_shard(broken)
    shards.write_shard(broken, np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4), np.nan))
    with pytest.raises(InputError, match="depth of no pixel"):
        shards.load_shard(broken)
