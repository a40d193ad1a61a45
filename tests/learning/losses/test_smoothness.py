"""Smoothness against a loop over pixels."""

import pytest
import torch
from selfsup_reference import FIRST, SECOND, random, roughness, same

from vdepth_core.learning.losses.smoothness import first_order, over_mean, second_order

MAPS, PICTURE = random(1, 2, 5, 6), random(1, 3, 5, 6, seed=1)


@pytest.mark.parametrize("sharpness", [1.0, 0.5])
def test_edge_aware_against_the_loop(sharpness):
    same(
        first_order(MAPS, PICTURE, sharpness), roughness(MAPS[0], PICTURE[0], FIRST, sharpness), MAPS, PICTURE
    )
    same(
        second_order(MAPS, PICTURE, sharpness),
        roughness(MAPS[0], PICTURE[0], SECOND, sharpness),
        MAPS,
        PICTURE,
    )


def test_plain_second_order_against_the_loop():
    same(second_order(MAPS), roughness(MAPS[0], None, SECOND), MAPS)


def test_gradcheck():
    maps, picture = MAPS[..., :4, :4], PICTURE[..., :4, :4]
    assert torch.autograd.gradcheck(
        lambda m, p: first_order(over_mean(m), p) + second_order(m, p), (maps, picture)
    )


def test_a_slope_is_rough_to_the_first_order_only():
    slope = (torch.arange(6.0) + 2 * torch.arange(5.0)[:, None])[None, None]
    flat = torch.zeros(1, 3, 5, 6)
    assert float(first_order(slope, flat)) == pytest.approx(3)
    assert float(second_order(slope)) == 0


def test_an_edge_of_the_picture_forgives_one_of_depth():
    step = torch.zeros(1, 1, 5, 6)
    step[..., 3:] = 1
    picture = torch.zeros(1, 3, 5, 6)
    assert float(first_order(step, step.expand(1, 3, 5, 6))) == pytest.approx(
        float(first_order(step, picture)) * torch.tensor(-1.0).exp().item()
    )


def test_the_mean_takes_the_scale_out():
    disparity = random(2, 1, 5, 6, low=0.1, grad=False)
    torch.testing.assert_close(over_mean(40 * disparity), over_mean(disparity), atol=1e-5, rtol=1e-5)
    for b in range(2):
        torch.testing.assert_close(over_mean(disparity)[b], disparity[b] / (disparity[b].mean() + 1e-7))
    tiny = 1e-9 * disparity
    torch.testing.assert_close(over_mean(tiny, floor=1e-6), tiny / 1e-6)
