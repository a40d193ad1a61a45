"""The networks have the published key layouts, sizes and numerics."""

from pathlib import Path

import pytest
import torch
from torch import nn

from vdepth_core.networks.efficientnet_lite import LiteEncoder, SameConv, normed
from vdepth_core.networks.folding import fold_batchnorms
from vdepth_core.networks.hybrid_depth import HybridDepthNet
from vdepth_core.networks.lite_depth import LiteDepthNet
from vdepth_core.networks.midas import MidasNet, ResidualConvUnit
from vdepth_core.networks.tcmonodepth_small import ShuffleBlock, TCSmallNet

PUBLISHED = Path(__file__).parents[2] / ".." / "shared" / "weights" / "tcmonodepth-small.pt.tar"


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def shake(network: nn.Module) -> nn.Module:
    """Random statistics in every normalisation, so that folding them is a real test."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    return network.eval()


def test_tcmonodepth_small_layout():
    network = TCSmallNet()
    state = network.state_dict()
    assert parameters(network) == 186_063
    assert len(state) == 714
    assert state["encoder.stage2.7.branch_main.0.weight"] is not None
    assert (
        state["encoder.stage3.12.branch_proj.0.weight"].data_ptr()
        == state["encoder.features.12.branch_proj.0.weight"].data_ptr()
    )


def test_midas_layout():
    with torch.device("meta"):
        network = MidasNet()
    state = network.state_dict()
    assert len(state) == 666
    assert abs(parameters(network) / 1e6 - 105.36) < 0.005
    for key, shape in {
        "pretrained.layer1.0.weight": (64, 3, 7, 7),
        "pretrained.layer3.22.conv2.weight": (1024, 32, 3, 3),
        "scratch.layer4_rn.weight": (256, 2048, 3, 3),
        "scratch.refinenet1.resConfUnit2.conv2.bias": (256,),
        "scratch.output_conv.4.weight": (1, 32, 1, 1),
    }.items():
        assert tuple(state[key].shape) == shape


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published checkpoint is not beside the checkout")
def test_published_small_checkpoint_fits_strictly_and_its_statistics_fit_the_wiring():
    state = torch.load(PUBLISHED, map_location="cpu", weights_only=True)
    network = TCSmallNet().eval()
    network.load_state_dict(state, strict=True)
    # A picture with edges, gradients and grain: the inputs of every normalisation should have about the mean
    # it learnt. Wrong channel orders in shuffle or concatenation are tens of standard deviations off.
    torch.manual_seed(0)
    rows, columns = torch.linspace(0, 1, 192)[:, None], torch.linspace(0, 1, 256)[None]
    grey = 0.35 + 0.3 * (1 - rows) + 0.15 * torch.sign(torch.sin(9 * columns) * torch.sin(7 * rows))
    picture = (grey + 0.05 * torch.randn(3, 192, 256)).clamp(0, 1)[None] * 255
    off: dict[str, float] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d) and ".stage" not in name:

            def note(norm, inputs, _, name=name):
                difference = inputs[0].mean((0, 2, 3)) - norm.running_mean
                off[name] = float((difference**2 / norm.running_var).mean())

            module.register_forward_hook(note)
    with torch.inference_mode():
        depth = network(picture)
    assert depth.shape == (1, 192, 256)
    assert max(off[f"decoder.decoder{k}.last_conv.0.conv.1"] for k in (1, 2, 3)) < 0.3
    assert sorted(off.values())[len(off) // 2] < 0.2


def test_shuffle_block_keeps_the_even_channels():
    block = ShuffleBlock(8, 8, 1).eval()
    x = torch.randn(1, 8, 4, 4)
    assert torch.equal(block(x)[:, :4], x[:, 0::2])


def test_residual_unit_adds_the_rectified_input():
    unit = ResidualConvUnit(4)
    for parameter in unit.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(unit(x.clone()), torch.relu(x))


@pytest.mark.parametrize(
    "make", [TCSmallNet, LiteDepthNet, HybridDepthNet, lambda: MidasNet().pretrained.layer1]
)
def test_folding_changes_nothing_but_rounding(make):
    network = shake(make())
    x = torch.rand(1, 3, 64, 96)
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    with torch.inference_mode():
        expected = network(x)
        got = fold_batchnorms(network)(x)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


def test_hybrid_network_starts_where_its_trunk_stands():
    """From published weights for the trunk alone it computes what they do, whatever the encoder sees."""
    published, network = shake(TCSmallNet()), shake(HybridDepthNet())
    network.load_trunk(published.state_dict())
    x = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        expected, got = published(x * 255), network(x)
    assert got.shape == (2, 64, 96)
    assert float(got.min()) >= 0
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    assert parameters(network) == 2_929_071
    with pytest.raises(KeyError, match="decoder"):
        network.load_trunk({k: v for k, v in published.state_dict().items() if "decoder" not in k})


def test_hybrid_network_sees_the_whole_picture():
    """A change in one corner reaches the opposite one: global context, which monocular depth needs."""
    network = shake(HybridDepthNet())
    for layer in network.added:
        torch.nn.init.normal_(layer.weight, 0, 0.05)
    x = torch.rand(1, 3, 192, 256)
    changed = x.clone()
    changed[..., :16, :16] = 1 - changed[..., :16, :16]
    with torch.inference_mode():
        seen = [network.context(network.deep(network.encoder(picture)[-1])) for picture in (x, changed)]
    assert (seen[0] - seen[1])[0, :, -1, -1].abs().max() > 0


@pytest.mark.parametrize(("variant", "entries", "millions"), [("lite0", 296, 4.65), ("lite2", 386, 6.09)])
def test_efficientnet_lite_layout(variant, entries, millions):
    with torch.device("meta"):
        network = LiteEncoder(variant, whole=True)
    assert len(network.state_dict()) == entries
    assert parameters(network) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("kernel", [3, 5])
def test_padding_is_tensorflows(side, kernel):
    """SAME at stride 2: the odd pixel goes below and right; of odd sides both get as much."""
    conv = SameConv(1, 1, kernel, 2, bias=False)
    nn.init.ones_(conv.weight)
    counted = conv(torch.ones(1, 1, side, side))[0, 0]
    assert counted.shape == (-(-side // 2),) * 2
    first, last = counted[0, 0].sqrt(), counted[-1, -1].sqrt()
    total = max((counted.shape[0] - 1) * 2 + kernel - side, 0)
    assert first == kernel - total // 2
    assert last == kernel - (total - total // 2)


def test_fixed_normalisation_is_multiplied_into_the_convolution_with_the_same_gradients():
    torch.manual_seed(0)
    conv, norm, x = nn.Conv2d(3, 4, 3, bias=False), shake(nn.BatchNorm2d(4)), torch.rand(2, 3, 8, 8)
    gradients = []
    for y in (normed(conv, norm, x), norm(conv(x))):
        conv.zero_grad()
        norm.zero_grad()
        y.square().sum().backward()
        gradients.append([y.detach(), *(p.grad.clone() for p in (conv.weight, norm.weight, norm.bias))])
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
    norm.train()
    torch.testing.assert_close(normed(conv, norm, x), norm(conv(x)))
