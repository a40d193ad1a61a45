"""The training loop learns, resumes to the same bytes, and writes weights the registry loads."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from vdepth_core.errors import Cancelled, UsageError, WeightsError
from vdepth_core.models.registry import load_model
from vdepth_core.progress import Progress
from vdepth_core.training import augment, pool
from vdepth_core.training.shards import write_shard
from vdepth_core.training.sources import Batch, Procedural, Shards
from vdepth_core.training.train import TrainConfig, batch_loss, make_batch, train

CONFIG = TrainConfig(seed=3, steps=4, batch=4, validate_every=2, half=False)
KINDS = (("cycles", True), ("rgbd", False), ("teacher", False))


class StopAfter(Progress):
    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def advance(self, name, done=1):
        self.left -= done
        if self.left == 0:
            self.cancel()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of shards a kind: clips of noise over a slope."""
    rng, found = np.random.default_rng(5), {}
    for kind, _ in KINDS:
        found[kind] = tmp_path_factory.mktemp(kind)
        for part in ("train", "held"):
            rgb = rng.integers(0, 255, (3, 64, 96, 3), np.uint8)
            truth = np.linspace(0, 1, 64)[None, :, None] + rgb[..., 0] / 500
            if kind != "cycles":
                truth[:, :9] = np.nan
            write_shard(found[kind] / f"{part}-0.npz", rgb, truth)
    return found


@pytest.fixture
def sources(folders):
    return [Shards(kind, [folders[kind]], exact) for kind, exact in KINDS]


@pytest.fixture(autouse=True)
def _threads_and_small_pictures(monkeypatch):
    for name in ("SHAPES", "COARSE"):
        monkeypatch.setattr(f"vdepth_core.training.train.{name}", ((64, 96), (96, 64)))
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def history(out):
    with out.with_suffix(".csv").open() as file:
        return list(csv.DictReader(file))


def test_resumed_training_gives_the_same_weights(sources, tmp_path):
    straight = train(tmp_path / "straight.safetensors", sources, CONFIG)
    out = tmp_path / "resumed.safetensors"
    with pytest.raises(Cancelled):
        train(out, sources, CONFIG, StopAfter(2))
    halfway = out.read_bytes()
    train(out, sources, CONFIG, resume=True)
    assert out.read_bytes() != halfway
    assert out.read_bytes() == straight.read_bytes()
    assert load_model(out).predict(torch.rand(1, 3, 64, 64)).shape == (1, 64, 64)
    with pytest.raises(UsageError, match="seed"):
        train(out, sources, replace(CONFIG, seed=4), resume=True)


def test_the_same_seed_gives_the_same_losses_and_another_does_not(sources, tmp_path):
    config = replace(CONFIG, steps=3, validate_every=1)
    runs = [
        history(train(tmp_path / f"{k}.safetensors", sources, replace(config, seed=seed)))
        for k, seed in enumerate((3, 3, 4))
    ]
    assert [row["step"] for row in runs[0]] == ["1", "2", "3"]
    assert {f"held out {kind}" for kind, _ in KINDS} < runs[0][0].keys()
    assert runs[0] == runs[1]
    assert runs[0][0]["loss"] != runs[2][0]["loss"]
    drawing = cv2.imread(str(tmp_path / "0.png"))
    assert drawing.std() > 5


def test_tuning_starts_where_the_released_weights_are(sources, tmp_path):
    released = train(tmp_path / "released.safetensors", sources, CONFIG)
    config = replace(CONFIG.for_tuning(), steps=1, rate=1e-9)
    tuned = train(tmp_path / "tuned.safetensors", sources, config, init=released)
    picture = torch.rand(1, 3, 64, 96)
    expected, found = (load_model(path).predict(picture) for path in (released, tuned))
    assert float((found - expected).abs().mean()) < 0.1 * float(expected.std())
    with pytest.raises(WeightsError):
        train(tmp_path / "x.safetensors", sources, config, init=tmp_path / "none.safetensors")


def test_resuming_needs_a_checkpoint(sources, tmp_path):
    with pytest.raises(WeightsError, match="resume"):
        train(tmp_path / "none.safetensors", sources, CONFIG, resume=True)


def test_batches_follow_from_seed_and_step(sources):
    first, again, later = (make_batch(sources, CONFIG, step) for step in (2, 2, 3))
    assert torch.equal(first.rgb, again.rgb)
    assert torch.equal(first.truth.nan_to_num(-1), again.truth.nan_to_num(-1))
    assert first.samples == again.samples
    assert first.rgb.shape != later.rgb.shape or not torch.equal(first.rgb, later.rgb)
    assert first.rgb.shape[2:] == first.truth.shape[1:]
    assert 0 <= float(first.rgb.min()) <= float(first.rgb.max()) <= 1


def test_frames_of_a_clip_share_their_scale():
    """Two frames right but for a scale each are a fault within one clip, and none as two clips."""
    truth = torch.rand(2, 32, 48) + 0.2
    prediction = truth * torch.tensor([1.0, 3.0])[:, None, None]
    rgb = torch.zeros(2, 3, 32, 48)
    clip, apart = (Batch(rgb, truth, samples) for samples in (((2, True),), ((1, True), (1, True))))
    assert float(batch_loss(prediction, apart, 0.1)) < 1e-4
    assert float(batch_loss(prediction, clip, 0.1)) > 0.1
    assert float(batch_loss(truth * 5 + 2, clip, 0.1)) < 1e-4


def test_unknown_truth_counts_for_nothing():
    truth = torch.rand(3, 32, 48)
    truth[:, :10] = torch.nan
    prediction = truth.nan_to_num(7.0).requires_grad_()
    batch = Batch(torch.zeros(3, 3, 32, 48), truth, ((2, False), (1, True)))
    loss = batch_loss(prediction, batch, 0.1)
    loss.backward()
    assert float(loss.detach()) < 1e-3
    assert bool(torch.isfinite(prediction.grad).all())
    assert float(prediction.grad[:, :9].abs().max()) < 1e-6


def test_scenes_come_from_the_pool(tmp_path, monkeypatch):
    monkeypatch.setattr("vdepth_core.training.sources.HEAD_START", 2)
    source = Procedural(tmp_path / "scenes", seed=7, scenes=2, renderers=0)
    for number in range(2):
        pool.render_scene(tmp_path / "scenes", 8_000_000 + number)
    one, again = (source.draw(0, np.random.default_rng(1), 64, 96) for _ in range(2))
    assert one.rgb.shape == (1, 3, 64, 96)
    assert np.array_equal(one.rgb, again.rgb)
    assert float(one.disparity.min()) >= 0
    assert source.available(10**6) == 2


def test_renderers_fill_the_pool(tmp_path):
    renderers = pool.Renderers(tmp_path, 70, 2, 1)
    try:
        pool.wait_for(tmp_path, 71, renderers)
    finally:
        renderers.close()
    rgb, disparity = pool.load_scene(tmp_path, 71)
    assert rgb.shape == (pool.HEIGHT, pool.WIDTH, 3)
    assert disparity.shape == (pool.HEIGHT, pool.WIDTH)
    pool.render_scene(tmp_path / ".", 72)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00000070.npz", "00000071.npz", "00000072.npz"]


def test_samples_keep_picture_and_truth_together():
    """White and near over black and far: after any crop and flip the bright part is the near one."""
    rgb = np.zeros((216, 320, 3), np.uint8)
    rgb[:108] = 220
    disparity = np.zeros((216, 320), np.float32)
    disparity[:108] = 1
    agreed = 0
    for seed in range(30):
        picture, truth = augment.sample(rgb, disparity, 96, 128, np.random.default_rng(seed))
        assert picture.shape == (3, 96, 128)
        assert set(np.unique(truth)) <= {0.0, 1.0}
        assert picture.min() >= 0
        assert picture.max() <= 1
        if 0.1 < truth.mean() < 0.9:
            agreed += np.corrcoef(picture.mean(0).ravel(), truth.ravel())[0, 1] > 0.9
    assert agreed > 20
