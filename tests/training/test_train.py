"""The training loop learns, resumes to the same bytes, and writes weights the registry loads."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vdepth_core.errors import Cancelled, UsageError, WeightsError
from vdepth_core.models.registry import load_model
from vdepth_core.networks.efficientnet_lite import LiteEncoder
from vdepth_core.networks.tcmonodepth_small import TCSmallNet
from vdepth_core.progress import Progress
from vdepth_core.training import augment, pool
from vdepth_core.training.config import TrainConfig
from vdepth_core.training.shards import write_shard
from vdepth_core.training.sources import Batch, Procedural, Shards
from vdepth_core.training.train import batch_loss, make_batch, steadiness_loss, train

CONFIG = TrainConfig(seed=3, steps=3, batch=4, validate_every=2)
LITE = replace(CONFIG, architecture="lite0")  # where the network does not matter: half as large
KINDS = (("cycles", True, 0.1), ("rgbd", False, 0.1), ("teacher", False, None))


class StopAfter(Progress):
    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def advance(self, name, done=1):
        self.left -= 1  # by the clock, progress is in seconds
        if self.left == 0:
            self.cancel()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of shards a kind: clips of noise over a slope."""
    rng, found = np.random.default_rng(5), {}
    for kind, *_ in KINDS:
        found[kind] = tmp_path_factory.mktemp(kind)
        for part in ("train", "held"):
            rgb = rng.integers(0, 255, (4, 64, 96, 3), np.uint8)
            truth = np.linspace(0, 1, 64)[None, :, None] + rgb[..., 0] / 500
            if kind != "cycles":
                truth[:, :9] = np.nan
            write_shard(found[kind] / f"{part}-0.npz", rgb, truth)
    return found


@pytest.fixture(scope="module")
def lite0():
    """Weights as a published encoder's."""
    torch.manual_seed(1)
    return LiteEncoder("lite0", whole=True).state_dict()


def opened(folders):
    return [Shards(kind, [folders[kind]], exact, floor) for kind, exact, floor in KINDS]


@pytest.fixture
def sources(folders):
    return opened(folders)


@pytest.fixture(scope="module")
def straight(folders, lite0, tmp_path_factory):
    """What a run of `CONFIG` that nothing stopped has written."""
    return train(
        tmp_path_factory.mktemp("straight") / "w.safetensors", opened(folders), CONFIG, encoder=lite0
    )


@pytest.fixture(autouse=True)
def _threads(small_pictures):
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def history(out):
    with out.with_suffix(".csv").open() as file:
        return list(csv.DictReader(file))


def test_resumed_training_gives_the_same_weights_and_losses(sources, lite0, straight, tmp_path):
    out = tmp_path / "resumed.safetensors"
    with pytest.raises(Cancelled):
        train(out, sources, CONFIG, StopAfter(2), encoder=lite0)
    halfway = out.read_bytes()
    train(out, sources, CONFIG, resume=True)
    assert out.read_bytes() != halfway
    assert out.read_bytes() == straight.read_bytes()
    assert history(out) == history(straight)
    assert load_model(out).predict(torch.rand(1, 3, 64, 64)).shape == (1, 64, 64)
    with pytest.raises(UsageError, match="seed"):
        train(out, sources, replace(CONFIG, seed=4), resume=True)


def test_the_same_seed_gives_the_same_losses_and_another_does_not(sources, lite0, straight, tmp_path):
    runs = [history(straight)]
    for seed in (CONFIG.seed, 4):
        config = replace(CONFIG, seed=seed, stop_at=1)
        runs.append(history(train(tmp_path / f"{seed}.safetensors", sources, config, encoder=lite0)))
    assert [row["step"] for row in runs[0]] == ["1", "2", "3"]
    assert {f"held out {kind}" for kind, *_ in KINDS} < runs[0][0].keys()
    assert runs[0][0]["loss"] == runs[1][0]["loss"]
    assert runs[0][0]["loss"] != runs[2][0]["loss"]
    drawing = cv2.imread(str(straight.with_suffix(".png")))
    assert drawing.std() > 5


def test_the_clock_does_not_change_the_first_half(sources, lite0, tmp_path):
    config = replace(LITE, steps=None, rate=0.01)
    runs = []
    for minutes in (60, 600):
        out = tmp_path / f"{minutes}.safetensors"
        with pytest.raises(Cancelled):
            train(out, sources, replace(config, minutes=minutes), StopAfter(2), encoder=lite0)
        runs.append([row["loss"] for row in history(out)])
    assert len(runs[0]) == 2
    assert runs[0] == runs[1]


def test_a_training_ends_with_a_validation_in_its_card(straight):
    assert [bool(row["held out rgbd"]) for row in history(straight)] == [False, True, True]
    card = straight.with_suffix(".md").read_text(encoding="utf-8")
    assert "| Steps | 3 of 3 |" in card
    assert f"| 3 | {float(history(straight)[2]['held out cycles']):.4f} | " in card


def test_tuning_starts_where_the_released_weights_are(sources, straight, tmp_path):
    config = replace(CONFIG.for_tuning(), steps=1, rate=1e-9)
    tuned = train(tmp_path / "tuned.safetensors", sources, config, init=straight)
    picture = torch.rand(1, 3, 64, 96)
    expected, found = (load_model(path).predict(picture) for path in (straight, tuned))
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)
    with pytest.raises(WeightsError):
        train(tmp_path / "x.safetensors", sources, config, init=tmp_path / "none.safetensors")


def test_tuning_starts_from_the_published_trunk(sources, lite0, tmp_path):
    torch.manual_seed(0)
    published = TCSmallNet().eval()
    save_file({k: v.clone() for k, v in published.state_dict().items()}, tmp_path / "tc.safetensors")
    config = replace(CONFIG, steps=1, rate=1e-9)
    tuned = train(
        tmp_path / "tuned.safetensors", sources, config, init=tmp_path / "tc.safetensors", encoder=lite0
    )
    picture = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        expected = published(picture * 255)
    torch.testing.assert_close(load_model(tuned).predict(picture), expected, rtol=1e-2, atol=1e-3)
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no network to start from"):
        train(tmp_path / "x.safetensors", sources, config, init=tmp_path / "other.safetensors", encoder=lite0)


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


def batch_of(truth, samples, shift=0):
    """Grey pictures; all that is at x in a sample's first frame is at x + shift in its second."""
    count, height, width = truth.shape
    flow = torch.zeros(len(samples), height, width, 2)
    flow[..., 0] = shift
    seen = torch.ones(len(samples), height, width)
    seen[:, :, width - shift :] = 0
    return Batch(torch.zeros(count, 3, height, width), truth, samples, flow, seen)


def test_steadiness_is_measured_along_the_motion():
    """A clip that moves as the flow says is steady; one that stays while its contents move is not."""
    torch.manual_seed(1)
    wide = torch.rand(1, 32, 52)
    truth = torch.cat((wide[..., 4:], wide[..., :-4]))  # frame 1 is frame 0 moved right by 4
    batch = batch_of(truth, ((2, True, None),), shift=4)
    for form in ("plain", "residual"):
        config = replace(CONFIG, form=form)
        assert float(steadiness_loss(truth * 3 + 1, batch, config)) < 1e-4
        assert float(steadiness_loss(truth[:1].expand(2, -1, -1), batch, config)) > 0.3


def test_the_residual_form_lets_depth_change_as_the_truth_does():
    truth = torch.rand(1, 32, 48)
    truth = torch.cat((truth, truth * 1.5))  # the camera came nearer
    batch = batch_of(truth, ((2, True, None),))
    assert float(steadiness_loss(truth, batch, replace(CONFIG, form="residual"))) < 1e-4
    assert float(steadiness_loss(truth, batch, replace(CONFIG, form="plain"))) > 0.1


def test_what_cannot_be_seen_or_is_not_known_need_not_be_steady():
    truth = torch.rand(2, 32, 48)
    truth[1, :, :16] = torch.nan
    batch = batch_of(truth.clone(), ((2, True, None),))
    batch.seen[:, :, 16:] = 0
    prediction = torch.rand(2, 32, 48, requires_grad=True)
    assert float(steadiness_loss(prediction, batch, CONFIG).detach()) == 0
    single = batch_of(truth, ((1, True, None), (1, True, None)))
    assert float(steadiness_loss(prediction, single, CONFIG).detach()) == 0


def test_frames_of_a_clip_share_their_scale():
    """Two frames right but for a scale each are a fault within one clip, and none as two clips."""
    truth = torch.rand(2, 32, 48) + 0.2
    prediction = truth * torch.tensor([1.0, 3.0])[:, None, None]
    clip, apart = (
        batch_of(truth, samples) for samples in (((2, True, None),), ((1, True, None), (1, True, None)))
    )
    assert float(batch_loss(prediction, apart, 0.1)) < 1e-4
    assert float(batch_loss(prediction, clip, 0.1)) > 0.1
    assert float(batch_loss(truth * 5 + 2, clip, 0.1)) < 1e-4


def test_unknown_truth_counts_for_nothing():
    truth = torch.rand(3, 32, 48)
    truth[:, :10] = torch.nan
    prediction = truth.nan_to_num(7.0).requires_grad_()
    batch = batch_of(truth, ((2, False, 0.01), (1, True, 0.01)))
    loss = batch_loss(prediction, batch, 0.1)
    loss.backward()
    assert float(loss.detach()) < 1e-3
    assert bool(torch.isfinite(prediction.grad).all())
    assert float(prediction.grad[:, :9].abs().max()) < 1e-6


def test_scenes_come_from_the_pool(tmp_path, monkeypatch):
    monkeypatch.setattr("vdepth_core.training.sources.HEAD_START", 2)
    monkeypatch.setattr(pool, "HEIGHT", pool.HEIGHT // 2)
    monkeypatch.setattr(pool, "WIDTH", pool.WIDTH // 2)
    source = Procedural(tmp_path / "scenes", seed=7, scenes=2, renderers=0)
    for number in range(2):
        pool.render_scene(tmp_path / "scenes", 8_000_000 + number)
    one, again = (source.draw(0, np.random.default_rng(1), 64, 96) for _ in range(2))
    assert one.rgb.shape == (pool.FRAMES, 3, 64, 96)
    assert one.flow.shape == (64, 96, 2)
    assert 0.5 < float(one.seen.mean()) <= 1
    assert np.array_equal(one.rgb, again.rgb)
    assert float(one.disparity.min()) >= 0
    assert source.available(10**6) == 2


def test_renderers_fill_the_pool(tmp_path, monkeypatch):
    renderers = pool.Renderers(tmp_path, 70, 2, 1)
    try:
        pool.wait_for(tmp_path, 71, renderers)
    finally:
        renderers.close()
    rgb, disparity = pool.load_scene(tmp_path, 71)
    assert rgb.shape == (pool.FRAMES, pool.HEIGHT, pool.WIDTH, 3)
    assert disparity.shape == (pool.FRAMES, pool.HEIGHT, pool.WIDTH)
    monkeypatch.setattr(pool, "HEIGHT", 32)
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
        camera, own = np.random.default_rng(seed), np.random.default_rng((seed, 1))
        cropped, truth = augment.crop(rgb, disparity, 96, 128, camera)
        picture = augment.degrade(cropped, camera, own)
        assert picture.shape == (3, 96, 128)
        assert set(np.unique(truth)) <= {0.0, 1.0}
        assert picture.min() >= 0
        assert picture.max() <= 1
        if 0.1 < truth.mean() < 0.9:
            agreed += np.corrcoef(picture.mean(0).ravel(), truth.ravel())[0, 1] > 0.9
    assert agreed > 20


def test_what_a_training_began_with_stays(sources, lite0, tmp_path):
    """Other settings in the middle of a run would be neither of two trainings."""
    out, config = tmp_path / "begun.safetensors", replace(LITE, steps=2, stop_at=1)
    train(out, sources, config, encoder=lite0)
    for name, value in (("rate", 0.5), ("published", 0.5), ("sigma", 1.0)):
        with pytest.raises(UsageError, match=f"begun with --{name} {getattr(config, name)}, not {value}"):
            train(out, sources, replace(config, **{name: value}), resume=True)
    assert len(history(out)) == 1
    train(out, sources, replace(config, blend=0.5, stop_at=2), resume=True)  # released may be another share
    assert len(history(out)) == 2
