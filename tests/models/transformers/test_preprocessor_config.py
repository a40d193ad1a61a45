"""What goes into and comes out of published networks, against transformers' own processors and formulas."""

import json
import logging
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vdepth_core.errors import WeightsError
from vdepth_core.models.transformers.folder import load_folder
from vdepth_core.models.transformers.preprocessor_config import Processing, normaliser, read_processing


def picture(height, width, seed=0):
    """A smooth coloured picture (H, W, 3) uint8."""
    coarse = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(seed))
    fine = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return (fine[0].permute(1, 2, 0) * 255).round().byte().numpy()


def as_frames(*pictures):
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1).float() / 255 for p in pictures])


def seen(model, frames):
    """What the network itself is given for ``frames``, and the model's answer."""
    inputs = []
    hook = model.network.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    try:
        return model.predict(frames), inputs[0]
    finally:
        hook.remove()


@pytest.mark.parametrize(
    ("family", "size"),
    [
        ("depth-anything", (70, 98)),
        ("depth-anything-metric", (98, 70)),
        ("dpt", (64, 64)),
        ("dpt-hybrid", (64, 64)),
        ("dpt-beit", (64, 96)),
        ("dpt-swinv2", (64, 64)),
    ],
)
def test_the_dpt_family_agrees_with_transformers(family, size, tiny):
    """Processor, network and post-processing of transformers, at sizes its rule and ours agree on."""
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    processor = AutoImageProcessor.from_pretrained(tiny(family))
    network = AutoModelForDepthEstimation.from_pretrained(tiny(family))
    pictures = [picture(*size, seed) for seed in (1, 2)]
    inputs = processor(pictures, return_tensors="pt").pixel_values
    assert tuple(inputs.shape[2:]) == size
    with torch.inference_mode():
        theirs = processor.post_process_depth_estimation(network(inputs), target_sizes=[size] * 2)
    ours, given = seen(load_folder(tiny(family)), as_frames(*pictures))
    torch.testing.assert_close(given, inputs, rtol=0, atol=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other["predicted_depth"], rtol=1e-4, atol=1e-4)


def test_glpn_agrees_with_transformers(tiny):
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    processor = AutoImageProcessor.from_pretrained(tiny("glpn"))
    network = AutoModelForDepthEstimation.from_pretrained(tiny("glpn"))
    rgb = picture(64, 96)
    inputs = processor(rgb, return_tensors="pt").pixel_values
    with torch.inference_mode():
        theirs = processor.post_process_depth_estimation(network(inputs))[0]["predicted_depth"]
    ours, given = seen(load_folder(tiny("glpn")), as_frames(rgb))
    torch.testing.assert_close(given, inputs, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours[0], theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(128, 160), (32, 96), (256, 64)])
def test_a_network_of_one_size_gets_what_its_processor_would_give_it(size, tiny):
    from transformers import AutoImageProcessor

    rgb = picture(*size)
    theirs = AutoImageProcessor.from_pretrained(tiny("dpt"))(rgb, return_tensors="pt").pixel_values
    depth, given = seen(load_folder(tiny("dpt")), as_frames(rgb))
    assert given.shape == theirs.shape == (1, 3, 64, 64)
    difference = (given - theirs).abs()
    assert (
        float(difference.mean()) < 0.005
    )  # theirs is rounded to 8 bits: a quarter step is 0.002 of its units
    assert float(difference.max()) < 0.02
    assert tuple(depth.shape) == (1, *size)


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (480, 640), (320, 256), (128, 512)])
def test_zoedepth_is_given_what_transformers_gives_it(size, tiny):
    from transformers import AutoImageProcessor

    rgb = picture(*size)
    theirs = AutoImageProcessor.from_pretrained(tiny("zoedepth"))(rgb, return_tensors="pt").pixel_values
    depth, given = seen(load_folder(tiny("zoedepth")), as_frames(rgb))
    torch.testing.assert_close(given, theirs.float(), rtol=0, atol=1e-5)
    assert tuple(depth.shape) == (1, *size)


@pytest.mark.parametrize("family", ["zoedepth", "zoedepth-nk"])
def test_zoedepth_is_resized_back_and_cropped_as_published(family, tiny):
    """The formulas of `post_process_depth_estimation`, which needs torchvision, in their own words."""
    model = load_folder(tiny(family))
    height, width = 96, 160
    ours, given = seen(model, as_frames(picture(height, width)))
    down, across = int(math.sqrt(height / 2) * 3), int(math.sqrt(width / 2) * 3)
    with torch.inference_mode():
        raw = model.network(given).predicted_depth
        full = F.interpolate(raw[:, None], (height + 2 * down, width + 2 * across), mode="bicubic")[:, 0]
    torch.testing.assert_close(ours, full[:, down:-down, across:-across], rtol=1e-5, atol=1e-5)


def bilinear(image, height, width):
    """(H, W) resampled at half-pixel centres, clamped at the border, without antialiasing; slow and plain."""
    rows = np.clip((np.arange(height) + 0.5) * image.shape[0] / height - 0.5, 0, image.shape[0] - 1)
    columns = np.clip((np.arange(width) + 0.5) * image.shape[1] / width - 0.5, 0, image.shape[1] - 1)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    bottom, right = np.minimum(top + 1, image.shape[0] - 1), np.minimum(left + 1, image.shape[1] - 1)
    y, x = (rows - top)[:, None], (columns - left)[None]
    upper = image[np.ix_(top, left)] * (1 - x) + image[np.ix_(top, right)] * x
    lower = image[np.ix_(bottom, left)] * (1 - x) + image[np.ix_(bottom, right)] * x
    return upper * (1 - y) + lower * y


@pytest.mark.parametrize("size", [(128, 128), (96, 160), (256, 320)])
def test_depth_pro_follows_its_published_formulas(size, tiny):
    model = load_folder(tiny("depth-pro"))
    rgb = picture(*size)
    _, given = seen(model, as_frames(rgb))
    scaled = (rgb / 255 - 0.5) / 0.5
    expected = np.stack([bilinear(scaled[..., channel], 128, 128) for channel in range(3)])
    np.testing.assert_allclose(given[0].numpy(), expected, atol=1e-5)

    canonical, fov = (part.numpy() for part in model.predict_with_fov(as_frames(rgb)))
    with torch.inference_mode():
        raw = model.network(given)
    assert fov == pytest.approx(raw.field_of_view.numpy(), rel=1e-6)
    height, width = size
    focal = 0.5 * width / np.tan(0.5 * np.radians(raw.field_of_view.numpy()[0]))
    inverse = bilinear(raw.predicted_depth[0].numpy() * width / focal, height, width)
    np.testing.assert_allclose(
        1 / np.clip(canonical[0] * width / focal, 1e-4, 1e4), 1 / np.clip(inverse, 1e-4, 1e4), rtol=1e-4
    )


def test_the_scaling_of_networks_told_pixels_of_0_to_255():
    """facebook/dpt-dinov2-*: not rescaled, with mean and deviation in that range."""
    from transformers import DPTImageProcessorPil

    facts = {
        "do_resize": False,
        "do_rescale": False,
        "image_mean": [123.675, 116.28, 103.53],
        "image_std": [58.395, 57.12, 57.375],
    }
    rgb = picture(28, 42)
    theirs = DPTImageProcessorPil(**facts)(rgb, return_tensors="pt").pixel_values.float()
    scale = normaliser(Processing(**facts), "cpu")
    torch.testing.assert_close(scale(as_frames(rgb)), theirs, rtol=0, atol=1e-5)
    unscaled = normaliser(Processing(do_normalize=False), "cpu")
    torch.testing.assert_close(unscaled(as_frames(rgb)), as_frames(rgb))


@pytest.mark.parametrize(
    ("size", "expected"),
    [(384, (384, 384)), ({"height": 384, "width": 512}, (384, 512)), ({"shortest_edge": 256}, (256, 256))],
)
def test_the_ways_to_write_a_size(size, expected, tmp_path):
    text = json.dumps({"size": size, "image_mean": 0.5, "ensure_multiple_of": 0.03125, "crop_pct": None})
    (tmp_path / "preprocessor_config.json").write_text(text)
    defaults = Processing(image_std=(0.2, 0.3, 0.4), ensure_multiple_of=32)
    read = read_processing(tmp_path, defaults)
    assert (read.size, read.image_mean) == (expected, (0.5, 0.5, 0.5))
    assert (read.image_std, read.ensure_multiple_of) == ((0.2, 0.3, 0.4), 32)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"size": "large"}',
        '{"size": {"height": 0, "width": 5}}',
        '{"image_std": [1, 0, 1]}',
        "\xff",
    ],
)
def test_damaged_files_are_named(text, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(text, encoding="latin-1")
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json is damaged"):
        read_processing(tmp_path, Processing())


@pytest.mark.parametrize("family", ["depth-anything", "dpt-beit", "zoedepth", "depth-pro"])
def test_without_the_file_the_published_preprocessing_is_used(family, tiny, tmp_path, caplog):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny(family) / name).read_bytes())
    with caplog.at_level(logging.WARNING):
        model = load_folder(tmp_path)
    assert "no preprocessor_config.json" in caplog.text
    assert (
        model.spec.native_size
        == {
            "depth-anything": 518,
            "dpt-beit": 384,
            "zoedepth": 384,
            "depth-pro": 128,  # its own configuration says
        }[family]
    )
    _, given = seen(model, torch.full((1, 3, 8 * model.spec.multiple, 8 * model.spec.multiple), 0.5))
    mean, std = (
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) if family == "depth-anything" else ((0.5,) * 3,) * 2
    )
    expected = [(0.5 - m) / s for m, s in zip(mean, std, strict=True)]
    torch.testing.assert_close(given.mean((0, 2, 3)), torch.tensor(expected), rtol=0, atol=1e-4)
