"""The published merge: its layout, its numbers, its weights and their licence."""

import pytest
import torch
from torch.nn import functional

from vdepth_core.errors import WeightsError
from vdepth_core.models.tiny import make_tiny, tiny_families
from vdepth_core.networks.merge_pix2pix import MergePix2Pix
from vdepth_core.refiners.boost.merges.registry import load_merge
from vdepth_core.refiners.boost.merges.weights import merge_weights
from vdepth_core.weights.install import install

NAME = "boost-merge-pix2pix"


def slow(state, x):
    """The network as its description has it, a line a level."""
    conv = {"stride": 2, "padding": 1}
    prefix = ["model.model"] + [f"model.model.1.model{'.3.model' * i}" for i in range(9)]
    h = [functional.conv2d(x, state[f"{prefix[0]}.0.weight"], **conv)]
    for i in range(1, 10):
        h[-1] = functional.leaky_relu(h[-1], 0.2)
        h.append(functional.conv2d(h[-1], state[f"{prefix[i]}.1.weight"], **conv))
    y = functional.conv_transpose2d(functional.relu(h[9]), state[f"{prefix[9]}.3.weight"], **conv)
    for i in range(8, 0, -1):
        y = functional.relu(torch.cat((h[i], y), 1))
        y = functional.conv_transpose2d(y, state[f"{prefix[i]}.5.weight"], **conv)
    y = functional.relu(torch.cat((h[0], y), 1))
    last = "model.model.3"
    return torch.tanh(functional.conv_transpose2d(y, state[f"{last}.weight"], state[f"{last}.bias"], **conv))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    make_tiny(NAME, folder)
    return folder / "latest_net_G.pth"


@pytest.fixture(scope="module")
def maps():
    generator = torch.Generator().manual_seed(1)
    small = torch.rand(2, 2, 8, 8, generator=generator)
    low, high = functional.interpolate(small, size=(1024, 1024), mode="bilinear").split(1, 1)
    return low, 3 * high - 2


def test_the_published_layout():
    with torch.device("meta"):
        state = MergePix2Pix().state_dict()
    assert len(state) == 21
    assert sum(value.numel() for value in state.values()) == 79_564_801
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    inner = "model.model.1.model"
    for key, shape in {
        "model.model.0.weight": (64, 2, 4, 4),
        f"{inner}.1.weight": (128, 64, 4, 4),
        f"{inner}.3.model.1.weight": (256, 128, 4, 4),
        f"{inner}.3.model.3.model.3.model.1.weight": (512, 512, 4, 4),
        f"{inner}{'.3.model' * 8}.1.weight": (512, 512, 4, 4),
        f"{inner}{'.3.model' * 8}.3.weight": (512, 512, 4, 4),
        f"{inner}{'.3.model' * 7}.5.weight": (1024, 512, 4, 4),
        f"{inner}.3.model.5.weight": (512, 128, 4, 4),
        f"{inner}.5.weight": (256, 64, 4, 4),
        "model.model.3.weight": (128, 1, 4, 4),
        "model.model.3.bias": (1,),
    }.items():
        assert shapes[key] == shape
    assert [key for key in shapes if key.endswith("bias")] == ["model.model.3.bias"]


def test_the_numbers_are_those_of_the_description(tiny, maps):
    state = torch.load(tiny, weights_only=True)
    low, high = maps
    merged = load_merge(tiny)(low, high)
    for index in range(2):
        pair = [(x[index] - x[index].min()) / (x[index].max() - x[index].min()) * 2 - 1 for x in (low, high)]
        expected = (slow(state, torch.cat(pair)[None]) + 1) / 2
        bottom, top = low[index].min(), low[index].max()
        torch.testing.assert_close(merged[index : index + 1], expected * (top - bottom) + bottom)


def test_other_sizes_are_resized_and_flat_maps_do_no_harm(tiny):
    merge = load_merge(tiny)
    low = torch.rand(1, 1, 30, 50, generator=torch.Generator().manual_seed(1))
    before = low.clone()
    assert merge(low, low).shape == low.shape
    flat = torch.full((1, 1, 30, 50), 4.0)
    torch.testing.assert_close(merge(flat, low), flat)
    assert torch.isfinite(merge(low, flat)).all()
    assert torch.equal(low, before)


def test_weights_of_another_layout_are_refused(tiny, tmp_path):
    state = torch.load(tiny, weights_only=True)
    torch.save({"other": torch.zeros(2)}, tmp_path / "a.pth")
    torch.save({**state, "model.model.1.norm.weight": torch.zeros(2)}, tmp_path / "b.pth")
    state.pop("model.model.3.bias")
    torch.save(state, tmp_path / "c.pth")
    for name in "abc":
        with pytest.raises(WeightsError):
            load_merge(tmp_path / f"{name}.pth")


def test_the_licence_is_accepted_before_the_weights_are_used(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError) as error:
        load_merge("pix2pix")
    assert f"--accept-license {NAME}" in error.value.hint
    with pytest.raises(WeightsError, match="academic use"):
        install(NAME, source=tiny.parent)
    assert install(NAME, source=tiny.parent, accept=[NAME]).license == "academic use"
    found = merge_weights("pix2pix")
    assert load_merge("pix2pix").name == "pix2pix"
    assert (found.license, found.commercial) == ("academic use", False)


def test_a_tiny_checkpoint_is_small_and_repeatable(tiny, tmp_path):
    assert NAME in tiny_families()
    assert not merge_weights(str(tiny)).commercial  # what a file does not say is not taken for granted
    assert tiny.stat().st_size < 1_000_000
    make_tiny(NAME, tmp_path)
    again = torch.load(tmp_path / tiny.name, weights_only=True)
    for key, value in torch.load(tiny, weights_only=True).items():
        assert torch.equal(value, again[key])
