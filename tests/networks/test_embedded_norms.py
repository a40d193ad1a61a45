"""Normalisations can be folded into the embedded network's convolutions, and measured back out of them."""

import pytest
import torch
from torch import nn

from vdepth_core.networks.embedded import EmbeddedConfig, EmbeddedNet, fold_norms, unfold_norms

SMALL = EmbeddedConfig((8, 8, 16, 16, 16), (1, 1, 1, 1), (16, 8, 8, 8), 2, norm=True)


@pytest.fixture
def released():
    torch.manual_seed(0)
    network = EmbeddedNet(SMALL)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return fold_norms(network)


def test_unfolded_network_computes_the_same(released):
    pictures = [torch.rand(3, 3, 64, 96), torch.rand(2, 3, 96, 64)]
    network = unfold_norms(released, pictures)
    with torch.no_grad():
        expected = released(pictures[0])
        torch.testing.assert_close(network.eval()(pictures[0]), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(fold_norms(network)(pictures[0]), expected, atol=1e-4, rtol=1e-4)


def test_it_computes_the_same_in_training_too(released):
    """What a fresh normalisation would not do: its batch statistics are those it was given."""
    batch = torch.rand(4, 3, 64, 96)
    network = unfold_norms(released, [batch]).train()
    with torch.no_grad():
        expected, found = released(batch), network(batch)
    assert float((found - expected).abs().mean()) < 0.02 * float(expected.std())
    fresh = EmbeddedNet(SMALL).train()
    fresh.load_state_dict({k: v for k, v in network.state_dict().items() if ".norm." not in k}, strict=False)
    with torch.no_grad():
        assert float((fresh(batch) - expected).abs().mean()) > float(expected.std())
