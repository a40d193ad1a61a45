"""Decoded pictures become network input on the model's device: uint8 in, each model's own resampling."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import frames_to_tensor, prepare, resample_by_matrices
from vdepth_core.protocols import PreparingModel

RNG = np.random.default_rng(0)
STEP = 1 / 255


def picture(height, width):
    """Waves, edges and noise, (height, width, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    waves = 127 + 90 * np.sin(x / 7 + y / 11) + 30 * ((x // 16 + y // 16) % 2)
    noise = RNG.integers(-20, 20, (height, width, 3))
    return np.clip(waves[..., None] + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("before", "after"),
    [((54, 96), (64, 96)), ((108, 192), (64, 96)), ((216, 384), (64, 96)), ((301, 400), (64, 96))],
)
def test_matrices_resample_as_opencv_does(before, after):
    rgb = picture(*before)
    expected = frames_to_tensor([rgb], after)
    ours = resample_by_matrices(torch.from_numpy(rgb).permute(2, 0, 1)[None], after)
    assert float((ours - expected).abs().max()) < 1.5 * STEP
    assert float((ours - expected).abs().mean()) < 0.4 * STEP
    same = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    assert torch.equal(resample_by_matrices(same, before), same / 255)


@pytest.mark.parametrize("family", ["depth-anything", "dpt", "zoedepth", "marigold", "rollingdepth"])
def test_uint8_pictures_become_what_float_frames_were(family, tiny):
    model = load_model(tiny(family))
    rgb = np.stack([picture(150, 210), picture(150, 210)])
    size = model.spec.fixed_size or (model.spec.multiple * 4, model.spec.multiple * 6)
    expected = frames_to_tensor(list(rgb), size)
    assert torch.equal(prepare(model, torch.from_numpy(rgb), size), expected)
    assert torch.equal(prepare(model, torch.from_numpy(rgb).permute(0, 3, 1, 2), size), expected)


def test_depth_pro_resamples_as_published(tiny):
    """To [-1, 1], then bilinear without antialiasing; here the scaling comes second."""
    model = load_model(tiny("depth-pro"))
    assert isinstance(model, PreparingModel)
    rgb = torch.from_numpy(picture(300, 400))[None]
    size = model.spec.fixed_size
    published = F.interpolate((rgb.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5, size, mode="bilinear")
    ours = prepare(model, rgb, size)
    torch.testing.assert_close((ours - 0.5) / 0.5, published, rtol=0, atol=1e-5)
    assert torch.equal(prepare(model, rgb.permute(0, 3, 1, 2), size), ours)


def test_a_plug_in_needs_no_prepare_and_may_have_one():
    class Plain:
        spec = None

        def predict(self, frames):
            return frames[:, 0]

    class Own(Plain):
        def prepare(self, rgb, size):
            assert rgb.dtype == torch.uint8
            return torch.zeros(len(rgb), 3, *size)

    rgb = torch.from_numpy(picture(30, 40))[None]
    assert torch.equal(prepare(Plain(), rgb, (24, 32)), frames_to_tensor([rgb[0].numpy()], (24, 32)))
    assert torch.equal(prepare(Own(), rgb, (24, 32)), torch.zeros(1, 3, 24, 32))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("before", [(720, 1280), (1080, 1920)])
def test_a_gpu_scales_the_bytes_itself(before):
    model = load_model("embedded", "cuda")
    rgb = picture(*before)
    ours = prepare(model, torch.from_numpy(rgb)[None], (256, 448))
    assert ours.device.type == "cuda"
    assert float((ours.cpu() - frames_to_tensor([rgb], (256, 448))).abs().max()) < 1.5 * STEP
