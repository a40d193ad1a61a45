"""What each layer of the networks that learn depth from video computes, against formulas spelled out."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from vdepth_core.networks.ddv import Ddv, PyramidContext
from vdepth_core.networks.diffnet import DiffNet
from vdepth_core.networks.discrete import (
    ActivatedNorm,
    DiscreteDepth,
    DiscreteDisparityHead,
    SelfAttention2d,
    disparity_grid,
    soft_argmax,
)
from vdepth_core.networks.dispnet import DispNet
from vdepth_core.networks.featdepth import ChainedPooling, FeatDepth
from vdepth_core.networks.featdepth_train import AutoEncoder, MonoFm
from vdepth_core.networks.hrnet import HRModule, HRNet, channels_of
from vdepth_core.networks.packnet import Pack, PackNet01, Residual, Unpack
from vdepth_core.networks.packnet_pose import PackPoseNet
from vdepth_core.networks.pose_exp import PoseExpNet
from vdepth_core.networks.resnet import ResNet

NARROW = (8, 8, 8, 16, 16, 16, 16)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def reflected(x, conv):
    return functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), conv.weight, conv.bias)


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


def shaken(network):
    """Statistics and weights of normalisations as trained ones have them, some negative."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(-0.5, 1.5)
            module.bias.normal_(0, 0.2)
    return network.eval()


@pytest.mark.parametrize("size", [(128, 128), (100, 150), (37, 61)])
def test_dispnet_takes_any_size(size):
    network = DispNet(NARROW, NARROW).eval()
    scales = network.all_scales(torch.rand(1, 3, *size) * 2 - 1)
    for s, disparity in enumerate(scales):
        assert disparity.shape == (1, 1, *(math.ceil(side / 2**s) for side in size))
        assert float(disparity.min()) >= 0.01
        assert float(disparity.max()) <= 10.01


def test_dispnet_joins_skip_and_coarser_disparity():
    network = DispNet(NARROW, NARROW).eval()
    x = torch.rand(1, 3, 40, 50)
    features = [x]
    for i in range(1, 8):
        layer = getattr(network, f"conv{i}")
        for conv, stride in ((layer[0], 2), (layer[2], 1)):
            x = torch.relu(functional.conv2d(x, conv.weight, conv.bias, stride, conv.weight.shape[-1] // 2))
        features.append(x)
    disparity = None
    for i in range(7, 0, -1):
        rows, columns = features[i - 1].shape[2:]
        up = getattr(network, f"upconv{i}")[0]
        x = torch.relu(functional.conv_transpose2d(x, up.weight, up.bias, 2, 1, 1))[..., :rows, :columns]
        parts = [x] + ([features[i - 1]] if i > 1 else [])
        if i <= 3:
            coarse = functional.interpolate(disparity, scale_factor=2, mode="bilinear", align_corners=False)
            parts.append(coarse[..., :rows, :columns])
        join = getattr(network, f"iconv{i}")[0]
        x = torch.relu(functional.conv2d(torch.cat(parts, 1), join.weight, join.bias, 1, 1))
        if i <= 4:
            head = getattr(network, f"predict_disp{i}")[0]
            disparity = 10 * torch.sigmoid(functional.conv2d(x, head.weight, head.bias, 1, 1)) + 0.01
    close(network(features[0]), disparity[:, 0])


def test_explainability_has_four_masks_and_a_pose_a_source():
    network = PoseExpNet(2)
    target, *sources = torch.rand(3, 1, 3, 50, 70)
    poses, masks = network(target, sources)
    assert poses.shape == (1, 2, 6)
    assert [tuple(m.shape) for m in masks] == [(1, 2, 50, 70), (1, 2, 25, 35), (1, 2, 13, 18), (1, 2, 7, 9)]
    assert all(0 < float(m.min()) <= float(m.max()) < 1 for m in masks)
    plain = PoseExpNet(2, masks=False)
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if k in plain.state_dict()})
    close(plain(target, sources)[0], poses)
    assert plain(target, sources)[1] == []
    assert PackPoseNet(2)(target, sources).shape == (1, 2, 6)


def test_chained_pooling_adds_four_widening_steps():
    network = ChainedPooling(8)
    x = torch.randn(1, 8, 12, 12)
    around = total = x
    for j in (1, 2, 3, 4):
        around = functional.conv2d(
            functional.max_pool2d(around, 5, 1, 2), getattr(network, f"{j}_pointwise").conv.weight
        )
        total = total + around
    close(network(x), total)


def test_featdepth_is_finest_at_half_the_size_and_drops_in_training_only():
    network = FeatDepth(width=8, planes=16).eval()
    x = torch.rand(1, 3, 64, 96)
    scales = network.all_scales(x)
    assert [tuple(d.shape[2:]) for d in scales] == [(32, 48), (16, 24), (8, 12), (4, 6)]
    half = 0.01 + 9.99 * scales[0]
    close(network(x), functional.interpolate(half, (64, 96), mode="bilinear")[:, 0])
    decoder, features = network.DepthDecoder, network.DepthEncoder(x)
    y = functional.leaky_relu(reflected(decoder.reduce4(features[4]), decoder.iconv4.conv), 0.01)
    y = functional.leaky_relu(reflected(decoder.crp4(y), decoder.merge4.conv), 0.01)
    y = y.repeat_interleave(2, 2).repeat_interleave(2, 3)
    coarsest = torch.sigmoid(reflected(y, decoder.disp4[0].conv))
    close(scales[3], coarsest)
    joined = torch.cat((decoder.reduce3(features[3]), y, coarsest), 1)
    assert decoder.iconv3.conv.weight.shape[1] == joined.shape[1] == 33
    decoder.train()
    assert not torch.equal(decoder(features)[0], decoder(features)[0])


def test_featdepth_finds_poses_at_one_size_and_its_extractor_takes_pictures_as_they_are():
    whole = MonoFm(width=8, planes=16, narrow=8).eval()
    frames = torch.rand(2, 1, 3, 100, 90)
    pose = whole.pose(*frames)
    assert pose.shape == (1, 6)
    resized = [functional.interpolate(f, (192, 640), mode="bilinear") for f in frames]
    close(whole.pose(*resized), pose)
    encoder = whole.extractor.encoder
    stem = functional.conv2d(resized[0], encoder.conv1.weight, None, 2, 3)
    close(whole.extractor(resized[0])[0], torch.relu(encoder.bn1(stem)))
    pictures = AutoEncoder(width=8).eval()(torch.rand(1, 3, 64, 96))[1]
    assert [tuple(p.shape) for p in pictures] == [(1, 3, 64 >> s, 96 >> s) for s in range(4)]


def test_packing_loses_nothing_before_its_convolutions():
    pack, unpack = Pack(16, 3, 2).eval(), Unpack(32, 16, 2).eval()
    x = torch.randn(1, 16, 8, 10)
    blocks = torch.stack([x[..., dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)], 2).flatten(1, 2)
    volume = functional.conv3d(blocks[:, None], pack.conv3d.weight, pack.conv3d.bias, 1, 1)
    flat = torch.cat([volume[:, 0], volume[:, 1]], 1)  # the 3D features are the slow axis
    y = functional.conv2d(flat, pack.conv.conv_base.weight, pack.conv.conv_base.bias, 1, 1)
    norm = pack.conv.normalize
    expected = functional.elu(functional.group_norm(y, 16, norm.weight, norm.bias, 1e-5))
    close(pack(x), expected)
    assert expected.shape == (1, 16, 4, 5)
    z = torch.randn(1, 32, 4, 5)
    volume = unpack.conv3d(unpack.conv(z)[:, None])
    close(unpack(z), functional.pixel_shuffle(torch.cat([volume[:, 0], volume[:, 1]], 1), 2))
    assert unpack(z).shape == (1, 16, 8, 10)


def test_packnet_normalises_branch_and_skip_together_and_its_inverse_depth_ends_at_two():
    block = Residual(16, 32)
    x = torch.randn(1, 16, 6, 6)
    total = block.conv2(block.conv1(x)) + block.conv3(x)
    close(
        block(x),
        functional.elu(functional.group_norm(total, 16, block.normalize.weight, block.normalize.bias)),
    )
    network = PackNet01((16, 16, 16, 32, 32), 16, 2).eval()
    network.disp1_layer.conv1.bias.fill_(100.0)
    scales = network.all_scales(torch.rand(1, 3, 64, 96))
    assert [tuple(d.shape[2:]) for d in scales] == [(64, 96), (32, 48), (16, 24), (8, 12)]
    assert float(scales[0].max()) == 2


def test_branches_of_hrnet_hear_each_other():
    module = shaken(HRModule((4, 8, 16)))
    maps = [torch.randn(1, 4, 16, 24), torch.randn(1, 8, 8, 12), torch.randn(1, 16, 4, 6)]
    ran = [branch(x) for branch, x in zip(module.branches, maps, strict=True)]
    layers = module.fuse_layers

    def grown(x):
        return functional.interpolate(x, (8, 12), mode="bilinear", align_corners=True)

    middle = layers[1]["0"](ran[0]) + ran[1] + grown(layers[1]["2"](ran[2]))
    got = module(maps)
    close(got[1], torch.relu(middle))
    twice = layers[2]["0"]
    close(got[2], torch.relu(twice[1](twice[0](ran[0])) + layers[2]["1"](ran[1]) + ran[2]))
    assert twice[0][0].weight.shape == (4, 4, 3, 3)
    assert twice[1][0].weight.shape == (16, 4, 3, 3)
    assert [type(m).__name__ for m in twice[0]] == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert [type(m).__name__ for m in twice[1]] == ["Conv2d", "BatchNorm2d"]


def test_all_stages_of_hrnet_are_kept():
    lists = HRNet(4, 8).eval().features(torch.rand(1, 3, 64, 96))
    assert [[tuple(m.shape[1:]) for m in maps] for maps in lists] == [
        [(8, 32, 48)],
        [(8, 16, 24), (4, 16, 24), (4, 16, 24), (4, 16, 24)],
        [(8, 8, 12)] * 3,
        [(16, 4, 6)] * 2,
        [(32, 2, 3)],
    ]
    assert channels_of(4, 8) == [sum(m.shape[1] for m in maps) for maps in lists]


def test_diffnet_weighs_channels_and_joins():
    network = shaken(DiffNet(4, 8))
    x = torch.rand(1, 3, 64, 96)
    features = network.features(x)
    y, maps = features[4][0], []
    for name, low in zip(
        ("72", "36", "18", "9"), (features[3], features[2], features[1], features[0]), strict=True
    ):
        layer = network.convs[name]
        z = torch.cat([y.repeat_interleave(2, 2).repeat_interleave(2, 3), *low], 1)
        first, second = layer.ca.fc[0].weight, layer.ca.fc[2].weight
        weight = torch.sigmoid(torch.relu(z.mean((2, 3)) @ first.T) @ second.T)[..., None, None]
        y = torch.relu(functional.conv2d(weight * z, layer.conv_se.weight, layer.conv_se.bias, 1, 1))
        maps.append(y)
    y = functional.elu(reflected(y, network.convs["up_x9_0"].conv.conv))
    y = y.repeat_interleave(2, 2).repeat_interleave(2, 3)
    maps.append(functional.elu(reflected(y, network.convs["up_x9_1"].conv.conv)))
    scales = network.all_scales(x)
    for s in range(4):
        head = network.convs[f"dispConvScale{s}"].conv
        close(scales[s], torch.sigmoid(reflected(maps[4 - s], head)))
        assert scales[s].shape[2:] == (64 >> s, 96 >> s)
    assert network.decoder[5] is network.convs["9"]


def test_the_norm_with_an_activation_takes_the_weight_s_absolute_value():
    norm = shaken(ActivatedNorm(6))
    x = torch.randn(2, 6, 5, 5)
    mean, variance, weight, bias = (
        v.view(1, -1, 1, 1) for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    y = (x - mean) / torch.sqrt(variance + 1e-5) * (weight.abs() + 1e-5) + bias
    close(norm(x), torch.where(y > 0, y, 0.01 * y))
    norm.active = False
    close(norm(x), y)
    plain = nn.BatchNorm2d(6).train()
    trained = ActivatedNorm(6, active=False).train()
    trained(x), plain(x)
    close(trained.running_var, plain.running_var)
    assert int(trained.num_batches_tracked) == 1


@pytest.mark.parametrize(("scale", "size"), [(1, (6, 8)), (2, (6, 8)), (2, (7, 9))])
def test_attention_sees_every_place(scale, size):
    module = shaken(SelfAttention2d(8, 4, 6, scale))
    x = torch.randn(2, 8, *size)
    assert not module(x).any(), "it starts by adding nothing"
    module.W.weight.normal_()
    module.W.bias.normal_()
    small = functional.max_pool2d(x, scale) if scale > 1 else x
    keys, values = module.f_key(small), module.f_value(small)
    n, _, h, w = keys.shape
    seen = torch.zeros(n, 6, h, w)
    for b in range(n):
        for row in range(h):
            for column in range(w):
                scores = (keys[b] * keys[b, :, row, column, None, None]).sum(0) / math.sqrt(4)
                share = torch.softmax(scores.flatten(), 0).view(h, w)
                assert abs(float(share.sum()) - 1) < 1e-5
                seen[b, :, row, column] = (values[b] * share).sum((1, 2))
    expected = functional.conv2d(seen, module.W.weight, module.W.bias)
    if scale > 1:
        expected = functional.interpolate(expected, size, mode="bilinear", align_corners=True)
    close(module(x), expected)
    assert {k for k in module.state_dict() if k.startswith("f_query")} == {
        k.replace("key", "query") for k in module.state_dict() if k.startswith("f_key")
    }


@pytest.mark.parametrize("spacing", ["uniform", "log"])
def test_disparity_is_the_mean_of_its_distribution_and_variance_its_doubt(spacing):
    grid = disparity_grid(128, spacing)
    assert grid.shape == (128,)
    assert float(grid[0]) == pytest.approx(1e-3)
    if spacing == "uniform":
        close(grid, torch.linspace(1e-3, 1, 128))
    else:
        close(grid, torch.tensor([math.exp(math.log(1e-3) + math.log(1e3) * k / 128) for k in range(128)]))
    logits = torch.randn(2, 128, 3, 4) * 3
    chance = torch.softmax(logits.double(), 1)
    close(chance.sum(1), torch.ones(2, 3, 4, dtype=torch.float64))
    g = grid.double().view(1, -1, 1, 1)
    mean = (chance * g).sum(1, keepdim=True)
    variance = (chance * g**2).sum(1, keepdim=True) - mean**2
    got = soft_argmax(logits, spacing)
    assert got.disparity.shape == got.variance.shape == (2, 1, 3, 4)
    close(got.disparity.double(), mean)
    close(got.variance.double(), variance)
    sure = torch.full((1, 128, 1, 1), -1e4)
    sure[0, 40] = 0
    close(soft_argmax(sure, spacing).disparity.flatten(), grid[40:41])
    assert float(soft_argmax(sure, spacing).variance) == 0


def test_a_discrete_head_normalises_the_reflected_map():
    head = shaken(DiscreteDisparityHead(8, 16))
    x = torch.randn(1, 8, 6, 7)
    padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    logits = functional.conv2d(head.norm(padded), head.conv.weight, head.conv.bias)
    close(head.logits(x), logits)
    close(head(x).disparity, soft_argmax(logits).disparity)


@pytest.mark.parametrize("layers", [18, 50])
def test_discrete_disparity_attaches_to_an_encoder_and_changes_nothing_at_first(layers):
    encoder = ResNet(layers, width=8)
    network = DiscreteDepth(encoder, encoder.channels, bins=32).eval()
    x = torch.rand(2, 3, 64, 96)
    depth, doubt = network(x), network.uncertainty(x)
    assert depth.shape == doubt.shape == (2, 64, 96)
    assert bool((doubt > 0).all())
    assert 0.01 <= float(depth.min()) <= float(depth.max()) <= 10
    plain = network.decoder.logits(encoder(x), (0,))[0]
    close(depth, 0.01 + 9.99 * soft_argmax(plain).disparity[:, 0])
    assert [tuple(d.shape) for d in network.all_scales(x)] == [(2, 1, 64 >> s, 96 >> s) for s in range(4)]
    network.attention.W.weight.normal_()
    assert not torch.equal(network(x), depth)


def test_context_joins_five_branches():
    module = shaken(PyramidContext(8, 4))
    x = torch.randn(1, 8, 10, 12)
    attention = module.context_oc[2].stages[0]
    attention.W.weight.normal_()
    first = module.context_oc[1](module.context_oc[0](x))
    first = module.context_oc[2].conv_bn_dropout(attention(first))
    branches = [first, module.conv2(x)]
    for number, dilation in ((3, 12), (4, 24), (5, 36)):
        conv, norm = getattr(module, f"conv{number}")
        branches.append(norm(functional.conv2d(x, conv.weight, None, 1, dilation, dilation)))
    conv, norm, _ = module.conv_bn_dropout
    close(module(x), norm(conv(torch.cat(branches, 1))))


def test_ddv_decodes_from_logits_at_an_eighth():
    network = shaken(Ddv(8, 16))
    x = torch.rand(1, 3, 64, 96)
    half, quarter, logits = network.resnet_model(x)
    assert [tuple(t.shape[1:]) for t in (half, quarter, logits)] == [(16, 32, 48), (32, 16, 24), (16, 8, 12)]

    def elu(value, layer):
        return functional.elu(reflected(value, layer.conv.conv))

    def twice(value):
        return value.repeat_interleave(2, 2).repeat_interleave(2, 3)

    one, two, three = network.deconv1, network.deconv2, network.deconv3
    second = elu(torch.cat((twice(elu(logits, one.conv1)), quarter), 1), one.conv2)
    first = elu(torch.cat((twice(elu(second, two.conv1)), half), 1), two.conv2)
    finest = elu(twice(elu(first, three.conv1)), three.conv2)
    heads = (
        three.output_layer(finest),
        two.output_layer(first),
        one.output_layer(second),
        soft_argmax(logits),
    )
    for got, expected in zip(network.distributions(x), heads, strict=True):
        close(got.disparity, expected.disparity)
        close(got.variance, expected.variance)
    close(network(x), 0.01 + 9.99 * heads[0].disparity[:, 0])
    close(network.uncertainty(x), heads[0].variance[:, 0])
