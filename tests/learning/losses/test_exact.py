"""The MiDaS losses against slow, readable references."""

import numpy as np
import pytest
import torch

from vdepth_core.learning.losses.exact import STEEP, aligned_relative_loss, exact_loss
from vdepth_core.learning.losses.midas import gradient_loss, midas_loss, normalise, trimmed_loss

torch.manual_seed(0)
TRUTH = torch.rand(2, 24, 32) * 3
MASK = torch.rand(2, 24, 32) > 0.2


def test_normalise_by_hand():
    maps = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 10.0, 99.0]]])
    mask = torch.tensor([[[True, True, True], [True, True, False]]])
    expected = (maps - 3) / ((2 + 1 + 0 + 1 + 7) / 5)
    torch.testing.assert_close(normalise(maps, mask), expected)


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (7.5, -3), (0.01, 5)])
def test_blind_to_scale_and_shift(scale, shift):
    assert float(midas_loss(TRUTH * scale + shift, TRUTH, MASK)) < 1e-3


def test_not_blind_to_anything_else():
    worse = [float(midas_loss(TRUTH + s * torch.randn_like(TRUTH), TRUTH, MASK)) for s in (0.1, 0.3, 1.0)]
    assert 0 < worse[0] < worse[1] < worse[2]
    assert float(midas_loss(-TRUTH, TRUTH, MASK)) > worse[1]


def test_trimming_drops_the_largest_fifth():
    residual = torch.arange(1.0, 11.0).reshape(1, 2, 5) * torch.tensor([1.0, -1, 1, -1, 1])
    everything = torch.ones(1, 2, 5, dtype=torch.bool)
    assert float(trimmed_loss(residual, everything)) == pytest.approx(sum(range(1, 9)) / 20)
    assert float(trimmed_loss(residual, everything, trim=0)) == pytest.approx(55 / 20)
    some = everything.clone()
    some[0, 1] = False  # 1..5 remain, the 5 goes
    assert float(trimmed_loss(residual, some)) == pytest.approx(10 / 10)


def test_gradient_loss_against_a_loop():
    residual, expected = torch.randn(2, 24, 32), 0.0
    for k in range(4):
        for r, m in zip(
            residual.numpy()[:, :: 2**k, :: 2**k], MASK.numpy()[:, :: 2**k, :: 2**k], strict=True
        ):
            total = 0.0
            for y, x in np.argwhere(m):
                if x + 1 < m.shape[1] and m[y, x + 1]:
                    total += abs(r[y, x + 1] - r[y, x])
                if y + 1 < m.shape[0] and m[y + 1, x]:
                    total += abs(r[y + 1, x] - r[y, x])
            expected += total / m.sum() / 2
    assert float(gradient_loss(residual, MASK)) == pytest.approx(expected, rel=1e-4)


def test_exact_loss_sees_small_near_things_and_ignores_scale():
    truth = torch.linspace(0.1, 1, 24)[:, None].expand(24, 32).clone()[None]
    everything = torch.ones_like(truth, dtype=torch.bool)
    ramp = truth.clone()
    truth[:, 4:12, 10:14] = 2.0  # 4 % of the picture: trimming would hide it
    assert float(trimmed_loss(ramp - truth, everything)) == 0
    assert float(exact_loss(ramp, truth, everything)) > 0.05
    assert float(exact_loss(3 * truth + 2, truth, everything)) < 1e-4


@pytest.mark.parametrize("loss", [midas_loss, exact_loss])
@pytest.mark.parametrize("case", ["constant prediction", "constant truth", "empty mask"])
def test_degenerate_inputs_have_finite_gradients(case, loss):
    prediction = (
        torch.ones(1, 16, 16) if case == "constant prediction" else torch.rand(1, 16, 16)
    ).requires_grad_()
    truth = torch.ones(1, 16, 16) if case == "constant truth" else torch.rand(1, 16, 16)
    mask = (
        torch.zeros(1, 16, 16, dtype=torch.bool)
        if case == "empty mask"
        else torch.ones(1, 16, 16, dtype=torch.bool)
    )
    value = loss(prediction, truth, mask)
    value.backward()
    assert torch.isfinite(value)
    assert bool(torch.isfinite(prediction.grad).all())


def test_relative_loss_is_that_of_aligned_depth():
    """Against numpy's least squares, map by map: AbsRel but where far too far; blind to scale and shift."""
    prediction = TRUTH + 0.3 * torch.randn_like(TRUTH)
    floor, expected = 0.02, []
    for p, g, mask in zip(prediction.numpy(), TRUTH.numpy(), MASK.numpy(), strict=True):
        known = mask & (g > floor)
        scale, shift = np.polyfit(p[known], g[known], 1)
        ratio = (scale * p[known] + shift) / floor
        logs = np.where(ratio > 1, np.log(np.maximum(ratio, 1)), ratio - 1)
        farther = np.exp(np.log(g[known] / floor) - logs)
        assert (farther > STEEP).any()
        tangent = STEEP - 1 + STEEP * np.log(farther / STEEP)
        expected.append(np.where(farther > STEEP, tangent, np.abs(farther - 1)).mean())
    found = aligned_relative_loss(prediction, TRUTH, MASK, floor)
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-3)
    assert float(aligned_relative_loss(5 * prediction - 2, TRUTH, MASK, floor)) == pytest.approx(
        float(found), rel=1e-3
    )
    assert float(aligned_relative_loss(3 * TRUTH + 1, TRUTH, MASK, floor)) < 1e-3


def test_relative_loss_sees_far_errors_and_pulls_back_from_behind_infinity():
    truth = torch.tensor([[[1.0, 0.8, 0.5, 0.3, 0.05, 0.04]]])
    mask = torch.ones_like(truth, dtype=torch.bool)
    near, far = truth.clone(), truth.clone()
    near[0, 0, 0] += 0.03
    far[0, 0, 5] += 0.03
    assert aligned_relative_loss(far, truth, mask, 0.01) > 3 * aligned_relative_loss(near, truth, mask, 0.01)
    behind = truth.clone()
    behind[0, 0, 5] = -0.1
    behind.requires_grad_()
    aligned_relative_loss(behind, truth, mask, 0.01).backward()
    assert float(behind.grad[0, 0, 5]) < 0  # descending raises it
    assert float(aligned_relative_loss(truth, truth, ~mask, 0.01)) == 0
