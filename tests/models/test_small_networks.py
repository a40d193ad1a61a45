"""MiDaS small and ZipDepth: published entries, preprocessing and numerics, from their files to EXR."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from generated import write_movie
from torch import nn
from torch.nn import functional

from vdepth_core.errors import WeightsError
from vdepth_core.jobs.batch import estimate
from vdepth_core.models.registry import load_model, match_family, runs_on_onnx
from vdepth_core.models.runtime import onnx_runtime, runtime_of
from vdepth_core.models.tiny.small_networks import FAMILIES
from vdepth_core.networks.folding import fold_batchnorms
from vdepth_core.networks.midas_small import MidasSmallNet, Pretrained, ResidualUnit
from vdepth_core.networks.zipdepth import BlendUp, ConvexUp, CrossScale, RepBlock, StripGate, ZipDepth, fused
from vdepth_core.output.sequence import read_sequence
from vdepth_core.weights.catalogue import find_entry

KEYS = Path(__file__).parents[2] / ".." / "shared" / "specs" / "zipdepth_keys.json"


def shaken(network):
    """Random statistics in every normalisation, so that folding them is a real test."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    return network.eval()


def file_of(tiny, family):
    return next(tiny(family).iterdir())


@pytest.mark.parametrize(
    ("name", "make", "entries"),
    [
        ("midas-v21-small", MidasSmallNet, 482),
        ("zipdepth", ZipDepth, 278),
        ("zipdepth-npu", lambda: ZipDepth(blend=True), 283),
    ],
)
def test_entries_and_parameters_are_those_published(name, make, entries):
    with torch.device("meta"):
        network = make()
    assert len(network.state_dict()) == entries
    entry = find_entry(name)
    assert sum(p.numel() for p in network.parameters()) == entry.network.parameters
    size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    assert 0 <= entry.size - size < 200_000  # what a file adds to its tensors


@pytest.mark.skipif(not KEYS.is_file(), reason="the published table of keys is not beside the checkout")
@pytest.mark.parametrize(("kind", "blend"), [("base", False), ("base_npu", True)])
def test_every_entry_of_zipdepth_has_its_published_name_and_shape(kind, blend):
    with torch.device("meta"):
        state = ZipDepth(blend).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == json.loads(KEYS.read_text())[kind]


def test_the_published_names_of_midas_small():
    with torch.device("meta"):
        state = MidasSmallNet().state_dict()
    for key, shape in {
        "pretrained.layer1.0.weight": (32, 3, 3, 3),
        "pretrained.layer1.3.0.conv_dw.weight": (32, 1, 3, 3),
        "pretrained.layer2.0.2.conv_dw.weight": (288, 1, 5, 5),
        "pretrained.layer4.1.0.conv_pwl.weight": (384, 1392, 1, 1),
        "scratch.layer4_rn.weight": (512, 384, 3, 3),
        "scratch.refinenet4.out_conv.weight": (256, 512, 1, 1),
        "scratch.refinenet1.out_conv.weight": (64, 64, 1, 1),
        "scratch.output_conv.4.weight": (1, 32, 1, 1),
    }.items():
        assert tuple(state[key].shape) == shape
    assert Pretrained().channels == (32, 48, 136, 384)


@pytest.mark.parametrize("make", [MidasSmallNet, ZipDepth, lambda: ZipDepth(blend=True)])
def test_folding_and_fusing_change_nothing_but_rounding(make):
    network = shaken(make())
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        expected = network(x)
        plain = fused(network) if isinstance(network, ZipDepth) else fold_batchnorms(network)
        got = plain(x)
    assert not any(isinstance(module, RepBlock) for module in plain.modules())
    assert expected.shape == (1, 64, 96)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    kept = {type(module.get_submodule("")).__name__ for module in plain.modules()}
    assert "BatchNorm2d" not in kept or isinstance(network, ZipDepth)  # there some follow a sum


def test_the_skip_of_midas_small_is_not_rectified():
    unit = ResidualUnit(4)
    for parameter in unit.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(unit(x.clone()), x)


def test_a_convex_enlargement_is_the_published_formula():
    """Pixel by pixel, as it is written down."""
    up = shaken(ConvexUp(32))
    depth, features = torch.rand(1, 1, 3, 4), torch.randn(1, 32, 3, 4)
    with torch.inference_mode():
        got, mask = up(depth, features), up.mask_pred(features)
    weights = mask.view(9, 4, 3, 4).softmax(0)
    padded = functional.pad(depth, (1, 1, 1, 1), mode="replicate")[0, 0]
    for y in range(6):
        for x in range(8):
            around = padded[y // 2 : y // 2 + 3, x // 2 : x // 2 + 3].flatten()
            expected = (weights[:, 2 * (y % 2) + x % 2, y // 2, x // 2] * around).sum()
            assert float(got[0, 0, y, x]) == pytest.approx(float(expected), rel=1e-5)


def test_a_blend_lies_between_nearest_and_bilinear():
    up, depth = shaken(BlendUp(32)), torch.rand(1, 1, 4, 5)
    nn.init.zeros_(up.where_conv[-1].weight)
    with torch.inference_mode():
        got = up(depth, torch.randn(1, 32, 4, 5))
    near = depth.repeat_interleave(2, 2).repeat_interleave(2, 3)
    smooth = functional.interpolate(depth, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(got, (near + smooth) / 2)


def test_gates_and_exchange_of_zipdepth():
    gate, x = shaken(StripGate(4)), torch.randn(1, 4, 3, 5)
    with torch.inference_mode():
        means = x.mean(3, keepdim=True) + x.mean(2, keepdim=True)
        torch.testing.assert_close(gate(x), x * torch.sigmoid(gate.gate_conv(means)))
        exchange = CrossScale(8, 16)
        high, low = torch.randn(1, 8, 4, 6), torch.randn(1, 16, 2, 3)
        got = exchange(high, low)
        up = exchange.low_to_high(low).repeat_interleave(2, 2).repeat_interleave(2, 3)
        down = functional.adaptive_avg_pool2d(exchange.high_to_low(high), (2, 3))
    torch.testing.assert_close(got[0], high + 0.3 * up)
    torch.testing.assert_close(got[1], low + 0.3 * down)


def test_published_resampling_and_scaling(tiny):
    """ZipDepth: OpenCV's bilinear of bytes; MiDaS small: bicubic in float, then ImageNet's mean."""
    rgb = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 90, 120, 3), np.uint8))
    size = (64, 96)
    zipped, midas = (load_model(file_of(tiny, family)) for family in ("zipdepth", "midas-v21-small"))
    for form in (rgb, rgb.permute(0, 3, 1, 2)):
        bytes_ = np.stack([cv2.resize(p, size[::-1], interpolation=cv2.INTER_LINEAR) for p in rgb.numpy()])
        expected = torch.from_numpy(bytes_).permute(0, 3, 1, 2) / 255
        assert torch.equal(zipped.prepare(form, size), expected.float())
        floats = np.stack(
            [cv2.resize(p / 255.0, size[::-1], interpolation=cv2.INTER_CUBIC) for p in rgb.numpy()]
        )
        got = midas.prepare(form, size)
        np.testing.assert_allclose(got.permute(0, 2, 3, 1).numpy(), floats, atol=1e-6)
    frames = torch.rand(1, 3, *size)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    state = torch.load(file_of(tiny, "midas-v21-small"), weights_only=True)
    network = MidasSmallNet().eval()
    network.load_state_dict(state, strict=True)
    with torch.inference_mode():
        expected = network((frames - mean) / std)
    torch.testing.assert_close(midas.predict(frames), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_contract(family, tiny):
    path = file_of(tiny, family)
    model = load_model(path)
    assert model.spec.license == "unknown"  # the file says nothing
    frames = torch.rand(2, 3, 64, 96)
    depth = model.predict(frames)
    assert depth.shape == (2, 64, 96)
    assert bool(torch.isfinite(depth).all())
    assert float(depth.min()) >= 0
    assert float(depth.max()) > float(depth.min())
    assert torch.equal(depth, model.predict(frames))
    with pytest.raises(ValueError, match="multiples"):
        model.predict(torch.rand(1, 3, 60, 96))
    assert runs_on_onnx(family)
    if onnx_runtime() is not None:
        onnx = load_model(path, runtime="onnx")
        assert runtime_of(onnx) == onnx_runtime()
        assert float((onnx.predict(frames) - depth).abs().max()) <= 1e-5 * float(depth.max())


def test_names_that_parallel_and_compiled_training_left_are_taken_off(tiny, tmp_path):
    state = torch.load(file_of(tiny, "zipdepth"), weights_only=True)["model_state_dict"]
    torch.save({f"module._orig_mod.module.{k}": v for k, v in state.items()}, tmp_path / "nested.pth")
    frames = torch.rand(1, 3, 64, 64)
    expected = load_model(file_of(tiny, "zipdepth")).predict(frames)
    assert torch.equal(load_model(tmp_path / "nested.pth").predict(frames), expected)
    del state["mean"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match=r"lacks 1 key \(mean\)"):
        load_model(tmp_path / "part.pth")


def test_they_are_told_from_their_siblings(tiny):
    from vdepth_core.networks.midas import MidasNet

    with torch.device("meta"):
        assert match_family(MidasNet().state_dict()).stands_for == "midas-v21"
        assert match_family(MidasSmallNet().state_dict()).stands_for == "midas-v21-small"
        assert match_family(ZipDepth().state_dict()).stands_for == "zipdepth"


def test_what_zipdepth_learnt_from_is_said_before_it_is_installed():
    assert "CC-BY-NC" in find_entry("zipdepth").notice


@pytest.mark.parametrize("family", FAMILIES)
def test_from_the_file_to_exr(family, tiny, tmp_path):
    movie = write_movie(tmp_path / "shot.mp4", 2)
    options = {"model": str(file_of(tiny, family)), "method": "framewise", "device": "cpu", "size": 64}
    manifest = estimate(movie, tmp_path / "out", options)
    assert (manifest.model.quantity, manifest.model.space) == ("disparity", "affine_invariant")
    frames = np.stack(list(read_sequence(tmp_path / "out")))
    assert np.isfinite(frames).all()
    assert np.ptp(frames[0]) > 0
