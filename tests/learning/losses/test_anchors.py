"""Velocity supervision and the prior against numpy."""

import numpy as np
import pytest
import torch
from selfsup_reference import random

from vdepth_core.learning.losses.anchors import FAR_AWAY, align_to, edge_loss, prior_loss, velocity_loss

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


def slow_edges(now, start, sure):
    """Pixel by pixel, at full and at half size."""
    total = 0.0
    for size in (1, 2):
        sums, counts = [0.0, 0.0], [0, 0]
        rows, columns = now.shape[1] // size, now.shape[2] // size

        def cell(maps, n, y, x, size=size):
            return maps[n, y * size : (y + 1) * size, x * size : (x + 1) * size].mean()

        change = np.log(now + FAR_AWAY) - np.log(start + FAR_AWAY)
        for n in range(len(now)):
            for y in range(rows):
                for x in range(columns):
                    for k, (v, u) in enumerate(((y, x + 1), (y + 1, x))):
                        if v < rows and u < columns:
                            step = abs(cell(change, n, v, u) - cell(change, n, y, x))
                            sums[k] += step * (cell(sure, n, v, u) + cell(sure, n, y, x)) / 2
                            counts[k] += 1
        total += sums[0] / counts[0] + sums[1] / counts[1]
    return total / 2


def test_edges_against_a_loop_over_pixels():
    now, start, sure = (maps.detach().abs() for maps in (NOW, START, SURE))
    expected = slow_edges(now.numpy(), start.numpy(), sure.numpy())
    assert float(edge_loss(now, start, sure)) == pytest.approx(expected, rel=1e-9)
    assert torch.autograd.gradcheck(
        lambda d, w: edge_loss(d, start, w), (now.requires_grad_(), sure.requires_grad_())
    )


def test_a_blurred_or_moved_edge_costs_more_than_one_of_another_height():
    start = torch.full((1, 16, 32), 0.5)
    start[..., 16:] = 1.5
    everywhere = torch.ones_like(start)

    def cost(now):
        return float(edge_loss(now, start, everywhere))

    blurred = torch.nn.functional.avg_pool1d(torch.nn.functional.pad(start[0], (4, 4), "replicate"), 9, 1)[
        None
    ]
    assert cost(3 * (start + FAR_AWAY) - FAR_AWAY) < 1e-6  # the factor is free
    assert cost(blurred) > 1.4 * cost(start * start)
    assert cost(start.roll(3, 2)) > 1.4 * cost(start * start)


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
