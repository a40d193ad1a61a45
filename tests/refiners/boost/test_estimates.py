"""Estimates: the published size rule, and maps of 0..1 at the picture's size."""

import numpy as np
import pytest
import torch

from vdepth_core.refiners.boost.estimates import estimates_of, input_size, training_size
from vdepth_core.types import ModelSpec


class Brightness:
    """Answers the mean of the channels, in what its spec says; remembers what it saw."""

    def __init__(self, **facts):
        facts = {"quantity": "disparity", "space": "affine_invariant"} | facts
        self.spec = ModelSpec("brightness", license="none", commercial=True, **facts)
        self.seen = []

    def predict(self, frames):
        self.seen.append(frames)
        return frames.mean(1)


@pytest.mark.parametrize(
    ("picture", "size", "expected"),
    [
        ((1080, 1920), 384, (224, 384)),  # 216 is 6.75 cells
        ((1920, 1080), 384, (384, 224)),
        ((1000, 1000), 384, (384, 384)),
        ((1000, 1200), 384, (320, 384)),
        ((100, 160), 128, (64, 128)),  # 80 is 2.5 cells: to even, 2
        ((140, 160), 128, (128, 128)),  # 112 is 3.5 cells: to even, 4
        ((1000, 1010), 400, (384, 384)),  # 396 would be 12.4 cells, 400 12.5
        ((1000, 1000), 440, (416, 416)),  # 13.75 cells would be 448: more than 440
        ((20, 4000), 384, (32, 384)),  # 1.9 pixels would be no cell at all
    ],
)
def test_size_rule(picture, size, expected):
    assert input_size(picture, size, 32) == expected


def test_sizes_in_other_steps():
    assert input_size((1080, 1920), 518, 14) == (294, 518)
    assert training_size(ModelSpec("a", "disparity", "affine_invariant", "", True, native_size=518)) == 512
    assert training_size(ModelSpec("b", "disparity", "affine_invariant", "", True, native_size=8)) == 32


def test_the_network_sees_the_overshoot_and_no_more_than_it_may():
    model = Brightness()
    rgb = np.zeros((40, 80, 3))
    rgb[:, 40:] = 1
    made = estimates_of(model, most=160)(rgb, 1000)
    assert model.seen[0].shape == (1, 3, 64, 160)  # 80 is 2.5 cells
    assert model.seen[0].dtype == torch.float32
    assert model.seen[0].max() > 1
    assert made.shape == (40, 80)
    assert made.dtype == np.float32
    assert (made.min(), made.max()) == (0, 1)


def test_flat_pictures_stay_flat():
    assert not estimates_of(Brightness())(np.full((50, 70, 3), 0.3), 64).any()


def test_depth_is_turned_into_nearness():
    rgb = np.repeat(np.linspace(0.2, 1, 64)[None, :, None], 48, 0).repeat(3, 2)
    near = estimates_of(Brightness(quantity="depth", space="metric"))(rgb, 64)
    assert near[24, 5] > near[24, 60]


def test_a_fixed_size_stays():
    model = Brightness(fixed_size=(64, 96))
    estimates_of(model)(np.random.default_rng(0).random((30, 30, 3)), 384)
    assert model.seen[0].shape[2:] == (64, 96)
