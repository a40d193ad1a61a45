"""The size rule and the resampling."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import frames_to_tensor, network_size
from vdepth_core.types import ModelSpec

SPEC = ModelSpec("m", "disparity", "affine_invariant", "MIT", True, multiple=32, native_size=256)


@pytest.mark.parametrize(
    ("width", "height", "size", "expected"),
    [
        (1920, 1080, 384, (384, 672)),
        (640, 480, 384, (384, 512)),
        (854, 480, 256, (256, 448)),
        (1080, 1920, 384, (672, 384)),
        (100, 100, 256, (256, 256)),
        (1, 1, 256, (256, 256)),
        (3840, 2160, 200, (224, 352)),
        (2048, 858, 256, (256, 608)),
    ],
)
def test_size_rule(width, height, size, expected):
    assert network_size(width, height, Fraction(1), SPEC, size) == expected


def test_native_size_and_pixel_aspect():
    assert network_size(1920, 1080, Fraction(1), SPEC) == network_size(1920, 1080, Fraction(1), SPEC, 256)
    assert network_size(1440, 1080, Fraction(4, 3), SPEC) == network_size(1920, 1080, Fraction(1), SPEC)
    assert network_size(720, 576, Fraction(16, 15), SPEC, 384) == (384, 512)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1080, (384, 672)),
        (960, 540, (384, 672)),
        (640, 480, (352, 480)),
        (540, 360, (256, 384)),
        (480, 640, (480, 352)),
        (320, 240, (256, 352)),
        (16, 16, (256, 256)),
    ],
)
def test_small_pictures_need_not_be_enlarged(width, height, expected):
    spec = replace(SPEC, native_size=384, native_least=256)
    assert network_size(width, height, Fraction(1), spec) == expected
    assert min(network_size(width, height, Fraction(1), spec, 384)) == 384  # what the user says holds
    assert network_size(2 * width, height, Fraction(1, 2), spec) == expected


def test_the_embedded_model_sees_what_a_picture_shows():
    spec = load_model("embedded").spec
    assert network_size(640, 360, Fraction(1), spec) == (256, 448)  # the demo clip
    assert network_size(1920, 1080, Fraction(1), spec) == (384, 672)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(1920, 1080, (432, 768)), (1080, 1920, (768, 432)), (1998, 1080, (416, 768)), (5000, 100, (16, 768))],
)
def test_a_native_size_may_be_that_of_the_longer_side(width, height, expected):
    spec = replace(SPEC, multiple=8, native_size=768, native_side="longer")
    assert network_size(width, height, Fraction(1), spec) == expected
    assert network_size(1920, 1080, Fraction(1), spec, 256) == (256, 456)  # what the user says is the shorter


def test_a_fixed_size_is_what_it_is():
    spec = replace(SPEC, fixed_size=(384, 384))
    assert network_size(1920, 1080, Fraction(1), spec) == (384, 384)
    assert network_size(1080, 1920, Fraction(1), spec, 256) == (384, 384)


@pytest.mark.parametrize(("width", "height"), [(10_000, 1000), (20_000, 10), (1, 5000), (4001, 1000)])
def test_strips_do_not_explode(width, height):
    rows, columns = network_size(width, height, Fraction(1), SPEC)
    assert max(rows, columns) <= 4 * 256
    assert min(rows, columns) >= 64
    assert rows % 32 == columns % 32 == 0
    assert (columns > rows) == (width > height)


@pytest.mark.parametrize(("width", "size", "aspect"), [(0, 256, 1), (10, 0, 1), (10, 256, 0)])
def test_nonsense_sizes(width, size, aspect):
    with pytest.raises(ValueError, match="network size"):
        network_size(width, 10, Fraction(aspect), SPEC, size)


def test_frames_keep_order_values_and_orientation():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:20, :, 0], picture[:, :30, 2] = 255, 128
    tensor = frames_to_tensor([picture, picture[::-1]], (64, 96))
    assert tensor.shape == (2, 3, 64, 96)
    assert str(tensor.dtype) == "torch.float32"
    assert float(tensor[0, 0, 2, 5]) == 1.0
    assert float(tensor[0, 0, -2, 5]) == 0.0
    assert float(tensor[1, 0, 2, 5]) == 0.0
    assert abs(float(tensor[0, 2, 2, 2]) - 128 / 255) < 1e-6
    assert (
        frames_to_tensor([picture], (40, 60))[0].permute(1, 2, 0).mul(255).round().byte().numpy().tolist()
        == picture.tolist()
    )


def test_large_pictures_do_not_alias():
    """A one-pixel checker seen from far is grey; plain bicubic would turn it into a moving pattern."""
    checker = (np.indices((1080, 1920)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    small = frames_to_tensor([checker], (256, 448))
    assert float((small - 0.5).abs().max()) < 0.1
