"""The training loop learns, resumes to the same bytes, and writes weights the registry loads."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vdepth_core.errors import Cancelled, UsageError, WeightsError
from vdepth_core.models.registry import load_model
from vdepth_core.progress import Progress
from vdepth_core.training import augment, pool
from vdepth_core.training.train import TrainConfig, make_batch, train

CONFIG = TrainConfig(
    seed=3,
    steps=4,
    batch=2,
    renderers=0,
    head_start=3,
    fresh=0.5,
    scenes=6,
    held_out=1,
    validate_every=2,
    half=False,
)


class StopAfter(Progress):
    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def advance(self, name, done=1):
        self.left -= done
        if self.left == 0:
            self.cancel()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(5):
        pool.render_scene(folder, CONFIG.first_scene + number)
    return folder


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_resumed_training_gives_the_same_weights(scenes, tmp_path):
    straight = train(tmp_path / "straight.safetensors", scenes, CONFIG)
    out = tmp_path / "resumed.safetensors"
    with pytest.raises(Cancelled):
        train(out, scenes, CONFIG, StopAfter(2))
    halfway = out.read_bytes()
    train(out, scenes, CONFIG, resume=True)
    assert out.read_bytes() != halfway
    assert out.read_bytes() == straight.read_bytes()
    model = load_model(out)
    assert model.predict(torch.rand(1, 3, 64, 64)).shape == (1, 64, 64)
    with pytest.raises(UsageError, match="seed"):
        train(out, scenes, replace(CONFIG, seed=4), resume=True)


def test_resuming_needs_a_checkpoint(scenes, tmp_path):
    with pytest.raises(WeightsError, match="resume"):
        train(tmp_path / "none.safetensors", scenes, CONFIG, resume=True)


def test_batches_follow_from_seed_and_step(scenes):
    first, again, later = (make_batch(scenes, CONFIG, step, None) for step in (2, 2, 3))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape != later[0].shape or not torch.equal(first[0], later[0])
    rgb, truth = first
    assert rgb.shape[0] == truth.shape[0] == 2
    assert rgb.shape[2:] == truth.shape[1:]
    assert 0 <= float(rgb.min()) <= float(rgb.max()) <= 1
    assert float(truth.min()) >= 0


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
