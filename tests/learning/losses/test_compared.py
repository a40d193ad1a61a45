"""The fast comparison against the plain formula, values and gradients."""

import pytest
import torch
from selfsup_reference import random, same

from vdepth_core.learning.losses.compared import Compared, window_gradient, window_mean
from vdepth_core.learning.losses.photometric import photometric_error


@pytest.mark.parametrize("kind", ["l1", "charbonnier"])
@pytest.mark.parametrize("ssim", [0.0, 0.85, 1.0])
@pytest.mark.parametrize("size", [(2, 2), (2, 5), (3, 3), (6, 9)])
def test_against_the_formula(size, ssim, kind):
    picture, other = random(2, 3, *size, grad=False), random(2, 3, *size, seed=1)
    ours = Compared(picture, ssim, kind).error(other)
    same(ours, photometric_error(picture, other, ssim, kind), other)


def test_pictures_that_are_alike_or_opposite():
    """Where SSIM leaves its range the formula's clamp has no gradient."""
    picture = random(1, 3, 5, 7, grad=False)
    for values in (picture, 1 - picture, 2 - 5 * picture):
        other = values.clone().requires_grad_()
        same(Compared(picture).error(other), photometric_error(picture, other), other, tolerance=1e-10)


def test_a_picture_that_wants_a_gradient_gets_it():
    picture, other = random(1, 3, 4, 5), random(1, 3, 4, 5, seed=1)
    same(Compared(picture).error(other), photometric_error(picture, other), picture, other)


def test_windows_and_their_gradient():
    maps = random(1, 2, 4, 6)
    padded = torch.nn.functional.pad(maps, (1, 1, 1, 1), mode="reflect")
    plain = torch.nn.functional.avg_pool2d(padded, 3, stride=1)
    torch.testing.assert_close(window_mean(maps.detach()), plain.detach())
    weights = random(1, 2, 4, 6, seed=2, grad=False)
    wanted = torch.autograd.grad((plain * weights).sum(), maps)[0]
    torch.testing.assert_close(window_gradient(weights), wanted)
