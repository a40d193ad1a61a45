"""Our own merge network: it begins as the transfer, and tiles do not show."""

import pytest
import torch
from torch.nn import functional

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.learning.student import write_weights
from vdepth_core.networks.merge_small import MergeSmall
from vdepth_core.refiners.boost.merges import learned
from vdepth_core.refiners.boost.merges.registry import MERGES, load_merge
from vdepth_core.refiners.boost.merges.transfer import Transfer
from vdepth_core.refiners.boost.merges.weights import merge_weights

FACTS = {"license": "Apache-2.0", "commercial": "true"}


def network(seed=None):
    torch.manual_seed(0)
    net = MergeSmall()
    if seed is not None:
        torch.nn.init.normal_(net.last.weight, 0, 0.05, torch.Generator().manual_seed(seed))
    return net


@pytest.fixture(scope="module")
def maps():
    generator = torch.Generator().manual_seed(1)
    low = functional.interpolate(
        torch.rand(2, 1, 7, 9, generator=generator), size=(190, 250), mode="bilinear"
    )
    return low, low.sqrt() * 3 + (torch.arange(250) > 100)


def test_it_is_small():
    net = network()
    assert sum(p.numel() for p in net.parameters()) < 1_000_000
    assert sum(p.numel() for p in net.parameters()) * 2 < 4_000_000  # bytes, in half precision


def test_untrained_it_is_the_transfer(tmp_path, maps):
    write_weights(tmp_path / "w.safetensors", network().state_dict(), FACTS)
    merge = load_merge(tmp_path / "w.safetensors")
    assert (merge.name, merge_weights(str(tmp_path / "w.safetensors")).commercial) == ("learned", True)
    torch.testing.assert_close(merge(*maps), Transfer()(*maps), rtol=0, atol=1e-3)  # of maps scaled once more


def test_scale_and_shift_and_tiles_do_not_show(tmp_path, maps, monkeypatch):
    write_weights(tmp_path / "w.safetensors", network(seed=3).state_dict(), FACTS)
    merge, (low, high) = load_merge(tmp_path / "w.safetensors"), maps
    whole = merge(low, high)
    assert (whole - Transfer()(low, high)).abs().max() > 1e-3
    torch.testing.assert_close(merge(low, 9 * high - 4), whole, rtol=0, atol=2e-3)
    torch.testing.assert_close(merge(low[1:], high[1:]), whole[1:], rtol=0, atol=1e-5)
    monkeypatch.setattr(learned, "_TILE", 128)
    torch.testing.assert_close(merge(low, high), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (5, 70)])
def test_any_size_will_do(tmp_path, size):
    write_weights(tmp_path / "w.safetensors", network(seed=3).state_dict(), FACTS)
    low = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(1))
    merged = load_merge(tmp_path / "w.safetensors")(low, low)
    assert merged.shape == low.shape
    assert torch.isfinite(merged).all()


def test_without_weights_it_says_how_to_train_some(tmp_path):
    with pytest.raises(WeightsError, match="train-merge"):
        load_merge("learned")
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors"):
        load_merge(tmp_path / "nowhere.safetensors")
    with pytest.raises(UsageError, match="transfer"):
        load_merge("nothing")
    assert list(MERGES) == ["transfer", "poisson", "pix2pix", "learned"]
