"""Networks that learn depth from video: the published entries and sizes, and what each layer does."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from vdepth_core.networks.ddv import Ddv
from vdepth_core.networks.diffnet import DiffNet
from vdepth_core.networks.dispnet import DispNet
from vdepth_core.networks.featdepth_train import MonoFm, MonoFmJoint
from vdepth_core.networks.hrnet import HRNet
from vdepth_core.networks.leftright import LeftRightNet
from vdepth_core.networks.monodepth2 import Monodepth2
from vdepth_core.networks.monodepth2_pose import PoseCnn, SeparatePose, SharedPose, repeat_stem
from vdepth_core.networks.packnet import PackNet01
from vdepth_core.networks.packnet_pose import PackPoseNet
from vdepth_core.networks.pose_exp import PoseExpNet
from vdepth_core.networks.reflected import scaled_disparity
from vdepth_core.networks.resnet import ResNet, layers_of


def counts(network):
    return len(network.state_dict()), sum(p.numel() for p in network.parameters())


LAYOUTS = {
    "monodepth2 encoder": (lambda: Monodepth2().encoder, 122, 11_689_512),
    "monodepth2 decoder": (lambda: Monodepth2().decoder, 28, 3_152_724),
    "monodepth2 pose encoder": (lambda: SeparatePose().encoder, 122, 11_698_920),
    "monodepth2 pose decoder": (lambda: SeparatePose().net, 8, 1_314_572),
    "monodepth2 pose CNN": (PoseCnn, 16, 1_586_774),
    "sfmlearner": (DispNet, 64, 31_596_900),
    "sfmlearner pose": (PoseExpNet, 34, 3_340_388),
    "featdepth": (MonoFm, 814, 73_777_986),
    "featdepth joint": (MonoFmJoint, 842, 79_681_406),
    "packnet01": (PackNet01, 216, 128_294_020),
    "packnet01 slim": (lambda: PackNet01((32, 64, 128, 256, 512), 32, 4), 216, 76_997_796),
    "packnet pose": (PackPoseNet, 30, 1_592_684),
    "diffnet encoder": (HRNet, 1830, 9_562_260),
    "diffnet": (DiffNet, 1830 + 56, 9_562_260 + 1_306_840),
    "ddv encoder": (lambda: Ddv().resnet_model, 723, 63_834_432),
    "leftright": (LeftRightNet, 148, 14_331_400),
    "ddv": (Ddv, 723 + 33, 63_834_432 + 618_496),
}


@pytest.mark.parametrize(("make", "entries", "parameters"), LAYOUTS.values(), ids=LAYOUTS)
def test_entries_and_parameters_are_those_published(make, entries, parameters):
    with torch.device("meta"):
        assert counts(make()) == (entries, parameters)


def test_names_and_shapes_of_monodepth2():
    with torch.device("meta"):
        small, large, pose = (
            Monodepth2().state_dict(),
            Monodepth2(50).state_dict(),
            SeparatePose().state_dict(),
        )
    for state, key, shape in (
        (small, "encoder.conv1.weight", (64, 3, 7, 7)),
        (small, "encoder.layer2.0.downsample.1.running_var", (128,)),
        (small, "encoder.fc.weight", (1000, 512)),
        (small, "decoder.0.conv.conv.weight", (256, 512, 3, 3)),
        (small, "decoder.7.conv.conv.weight", (32, 96, 3, 3)),
        (small, "decoder.10.conv.weight", (1, 16, 3, 3)),
        (small, "decoder.13.conv.bias", (1,)),
        (large, "encoder.layer1.0.downsample.0.weight", (256, 64, 1, 1)),
        (large, "encoder.layer4.2.conv3.weight", (2048, 512, 1, 1)),
        (large, "decoder.0.conv.conv.weight", (256, 2048, 3, 3)),
        (large, "decoder.1.conv.conv.weight", (256, 256 + 1024, 3, 3)),
        (pose, "encoder.conv1.weight", (64, 6, 7, 7)),
        (pose, "net.0.weight", (256, 512, 1, 1)),
        (pose, "net.3.weight", (12, 256, 1, 1)),
    ):
        assert tuple(state[key].shape) == shape, key
    assert "encoder.layer1.0.downsample.0.weight" not in small


NAMED = {
    DispNet: {
        "conv1.0.weight": (32, 3, 7, 7),
        "conv2.2.weight": (64, 64, 5, 5),
        "upconv7.0.weight": (512, 512, 3, 3),
        "upconv1.0.weight": (32, 16, 3, 3),  # in, out
        "iconv7.0.weight": (512, 1024, 3, 3),
        "iconv3.0.weight": (64, 129, 3, 3),
        "iconv1.0.weight": (16, 17, 3, 3),
        "predict_disp4.0.weight": (1, 128, 3, 3),
    },
    PoseExpNet: {
        "conv1.0.weight": (16, 9, 7, 7),
        "upconv5.0.weight": (256, 256, 4, 4),
        "predict_mask1.bias": (2,),
        "pose_pred.weight": (12, 256, 1, 1),
    },
    MonoFm: {
        "DepthEncoder.encoder.layer4.2.conv3.weight": (2048, 512, 1, 1),
        "DepthDecoder.reduce4.conv.weight": (512, 2048, 1, 1),
        "DepthDecoder.iconv3.conv.weight": (256, 513, 3, 3),
        "DepthDecoder.crp1.0.4_pointwise.conv.weight": (256, 256, 1, 1),
        "DepthDecoder.merge2.conv.bias": (256,),
        "DepthDecoder.disp1.0.conv.weight": (1, 256, 3, 3),
        "PoseEncoder.encoder.conv1.weight": (64, 6, 7, 7),
        "PoseDecoder.reduce.weight": (256, 512, 1, 1),
        "PoseDecoder.conv3.bias": (6,),
        "extractor.encoder.bn1.running_mean": (64,),
    },
    MonoFmJoint: {
        "Encoder.encoder.conv1.weight": (64, 3, 7, 7),
        "Decoder.upconv5.conv.conv.weight": (256, 2048, 3, 3),
        "Decoder.disp4.conv.weight": (3, 128, 3, 3),
    },
    PackNet01: {
        "pre_calc.conv_base.weight": (64, 3, 5, 5),
        "pack1.conv3d.weight": (8, 1, 3, 3, 3),
        "pack1.conv.conv_base.weight": (64, 2048, 5, 5),
        "conv2.1.conv2.normalize.bias": (64,),
        "conv5.0.conv3.weight": (512, 256, 1, 1),
        "unpack5.conv.conv_base.weight": (256, 512, 3, 3),
        "iconv5.conv_base.weight": (512, 768, 3, 3),
        "iconv1.conv_base.weight": (64, 129, 3, 3),
        "disp4_layer.conv1.weight": (1, 256, 3, 3),
    },
    PackPoseNet: {"conv1.0.weight": (16, 9, 7, 7), "conv7.1.weight": (256,), "pose_pred.bias": (12,)},
    DiffNet: {
        "transition1.0.0.weight": (18, 256, 3, 3),
        "transition1.1.0.1.bias": (36,),
        "transition2.2.0.0.weight": (72, 36, 3, 3),
        "transition3.3.0.0.weight": (144, 72, 3, 3),
        "stage3.3.fuse_layers.2.0.1.0.weight": (72, 18, 3, 3),
        "stage4.2.branches.3.3.bn2.weight": (144,),
        "stage4.2.fuse_layers.0.3.0.weight": (18, 144, 1, 1),
        "convs.36.ca.fc.0.weight": (22, 364),
        "convs.18.conv_se.weight": (64, 246, 3, 3),
        "convs.up_x9_1.conv.conv.weight": (16, 16, 3, 3),
        "decoder.9.conv.weight": (1, 128, 3, 3),
    },
    Ddv: {
        "resnet_model.conv3.weight": (128, 64, 3, 3),
        "resnet_model.layer3.22.conv2.weight": (256, 256, 3, 3),
        "resnet_model.layer1.0.downsample.1.running_var": (256,),
        "resnet_model.context.2.context_oc.2.stages.0.f_query.1.weight": (128,),
        "resnet_model.context.2.context_oc.2.conv_bn_dropout.0.bias": (256,),
        "resnet_model.context.2.conv5.0.weight": (256, 512, 3, 3),
        "resnet_model.context.2.context.0.bias": (256,),
        "resnet_model.cls.weight": (128, 512, 1, 1),
        "deconv2.conv2.conv.conv.weight": (64, 192, 3, 3),
        "deconv3.output_layer.norm.num_batches_tracked": (),
    },
}


@pytest.mark.parametrize("make", NAMED, ids=lambda make: make.__name__)
def test_names_and_shapes(make):
    with torch.device("meta"):
        state = make().state_dict()
    assert {key: tuple(state[key].shape) for key in NAMED[make]} == NAMED[make]


@pytest.mark.parametrize("layers", [18, 34, 50, 101, 152])
def test_a_state_tells_its_layers_width_heads_and_classifier(layers):
    with torch.device("meta"):
        network = Monodepth2(layers, scales=(0, 2), classifier=layers == 34, width=16)
        again = Monodepth2.for_state(network.state_dict())
    assert layers_of(network.state_dict(), "encoder.") == layers
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in network.state_dict().items()
    }


def test_a_resnet_halves_five_times_and_keeps_its_first_feature_before_pooling():
    torch.manual_seed(0)
    network = ResNet(18, width=8).eval()
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        features = network(x)
        stem = torch.relu(
            network.bn1(functional.conv2d((x - 0.45) / 0.225, network.conv1.weight, None, 2, 3))
        )
    assert [tuple(f.shape[1:]) for f in features] == [
        (8, 32, 48), (8, 16, 24), (16, 8, 12), (32, 4, 6), (64, 2, 3)
    ]  # fmt: skip
    torch.testing.assert_close(features[0], stem)


def test_monodepth2_decodes_step_by_step():
    """The decoder, spelled out: reflected border, ELU, nearest doubling, the feature behind what came up."""
    torch.manual_seed(0)
    network = Monodepth2(18, width=8).eval()
    state = network.state_dict()
    x = torch.rand(2, 3, 64, 96)

    def conv(value, name):
        padded = functional.pad(value, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(padded, state[f"{name}.weight"], state[f"{name}.bias"])

    with torch.inference_mode():
        features = network.encoder(x)
        y, expected = features[4], {}
        for step, i in enumerate((4, 3, 2, 1, 0)):
            y = functional.elu(conv(y, f"decoder.{2 * step}.conv.conv"))
            y = y.repeat_interleave(2, 2).repeat_interleave(2, 3)
            y = torch.cat((y, features[i - 1]), 1) if i else y
            y = functional.elu(conv(y, f"decoder.{2 * step + 1}.conv.conv"))
            if i < 4:
                expected[i] = torch.sigmoid(conv(y, f"decoder.{10 + i}.conv"))
        scales = network.all_scales(x)
        torch.testing.assert_close(network(x), 0.01 + 9.99 * expected[0][:, 0], rtol=1e-6, atol=1e-6)
    for scale, got in enumerate(scales):
        assert got.shape == (2, 1, 64 >> scale, 96 >> scale)
        torch.testing.assert_close(got, expected[scale], rtol=1e-6, atol=1e-6)


def test_the_ends_of_disparity_are_a_tenth_and_a_hundred():
    depth = 1 / scaled_disparity(torch.tensor([0.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(depth, torch.tensor([100.0, 0.1], dtype=torch.float64))


def test_pose_networks_answer_small_poses():
    torch.manual_seed(0)
    pair = torch.rand(2, 6, 64, 96)
    separate, shared, plain = SeparatePose(width=8), SharedPose(64, 3), PoseCnn(3)
    with torch.inference_mode():
        poses = separate.eval()(pair)
        features = [separate.encoder(pair)[-1]] * 3
        assert shared(features).shape == (2, 2, 6)
        assert plain(torch.rand(2, 9, 64, 96)).shape == (2, 2, 6)
        last = separate.encoder(pair)[-1]
        for k in (0, 1, 2):
            last = torch.relu(separate.net[k](last))
        expected = 0.01 * separate.net[3](last).mean(3).mean(2)
    assert poses.shape == (2, 2, 6)
    torch.testing.assert_close(poses[:, 0], expected[:, :6])
    torch.testing.assert_close(poses[:, 1], expected[:, 6:])


def test_a_repeated_stem_sees_equal_pictures_as_one():
    torch.manual_seed(0)
    stem = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
    x = torch.rand(1, 3, 32, 32)
    pair = functional.conv2d(torch.cat((x, x), 1), repeat_stem(stem.weight, 2), None, 2, 3)
    torch.testing.assert_close(pair, stem(x), rtol=1e-4, atol=1e-5)
