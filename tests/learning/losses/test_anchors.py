"""Velocity supervision and the prior against numpy."""

import numpy as np
import pytest
import torch
from selfsup_reference import random

from vdepth_core.learning.losses.anchors import align_to, prior_loss, velocity_loss

START, NOW, SURE = random(2, 5, 6), random(2, 5, 6, seed=1), random(2, 5, 6, seed=2)


def test_velocity_is_a_matter_of_length():
    own = [random(3, 3), random(3, 3, seed=1)]
    true = [random(3, 3, seed=2, grad=False), random(3, 3, seed=3, grad=False)]
    each = [
        [
            abs(np.linalg.norm(o) - np.linalg.norm(t))
            for o, t in zip(os.detach().numpy(), ts.numpy(), strict=True)
        ]
        for os, ts in zip(own, true, strict=True)
    ]
    assert float(velocity_loss(own, true).detach()) == pytest.approx(np.mean(each))
    assert float(velocity_loss([-t for t in true], true)) == 0
    assert torch.autograd.gradcheck(lambda *o: velocity_loss(o, true), own)


@pytest.mark.parametrize("weighted", [True, False])
def test_prior_against_least_squares(weighted):
    expected = []
    for d, d0, w in zip(*(maps.detach().numpy().reshape(2, -1) for maps in (NOW, START, SURE)), strict=True):
        weight = w if weighted else np.ones_like(w)
        scale, shift = np.polyfit(d, d0, 1, w=np.sqrt(weight))
        if scale < 0:
            scale, shift = 0, np.average(d0, weights=weight)
        left = np.average(np.abs(scale * d + shift - d0), weights=weight)
        expected.append(left / np.average(np.abs(d0 - np.average(d0, weights=weight)), weights=weight))
    sure = SURE if weighted else None
    assert float(prior_loss(NOW, START, sure).detach()) == pytest.approx(np.mean(expected), rel=1e-9)


def test_gradcheck():
    near = (START + 0.3 * NOW).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda d, w: prior_loss(d, START.detach(), w), (near, SURE))


def test_scale_and_shift_are_free_and_shapes_are_not():
    start = START.detach()
    assert float(prior_loss(7 * start + 3, start)) < 1e-12
    assert float(prior_loss(start + 0.1 * NOW.detach(), start)) > 0.02
    assert float(prior_loss(-start, start)) == pytest.approx(1)  # upside down
    torch.testing.assert_close(align_to(0.2 * start - 1, start), start)
    doubted = torch.ones_like(start)
    doubted[:, 2] = 0
    torn = start.clone()
    torn[:, 2] += 5
    assert float(prior_loss(torn, start, doubted)) < 1e-12


def test_degenerate_maps_have_finite_gradients():
    for disparity, start in (
        (torch.ones(1, 4, 5), START[:1, :4, :5].float()),
        (START[:1].float(), torch.ones(1, 5, 6)),
    ):
        leaf = disparity.detach().requires_grad_()
        loss = prior_loss(leaf, start.detach())
        loss.backward()
        assert torch.isfinite(loss)
        assert bool(torch.isfinite(leaf.grad).all())
