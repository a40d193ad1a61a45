"""Minimum over sources and auto-mask: by hand, and what they are for."""

import pytest
import torch
from selfsup_reference import random

from vdepth_core.learning.losses.photometric import photometric_error
from vdepth_core.learning.losses.reprojection import noisy, reduce_sources

WARPED, STILL = random(2, 3, 4, 5), random(2, 3, 4, 5, seed=1)


@pytest.mark.parametrize("order", ["still first", "in pairs"])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("minimum", [True, False])
def test_against_the_loop(minimum, masked, order):
    ours, teaches = reduce_sources(WARPED, STILL if masked else None, minimum=minimum, order=order)
    found = torch.autograd.grad(ours.sum(), (WARPED, STILL), allow_unused=True)
    wanted = torch.zeros(2, 2, 3, 4, 5, dtype=torch.float64)
    for b in range(2):
        for y in range(4):
            for x in range(5):
                lists = [(WARPED[b, :, y, x].tolist(), 0)]
                if masked:
                    lists.append((STILL[b, :, y, x].tolist(), 1))
                if minimum:
                    value, which, source = min((v, k, s) for vs, k in lists for s, v in enumerate(vs))
                    wanted[which, b, source, y, x] = 1
                else:
                    value, which = min((sum(vs) / 3, k) for vs, k in lists)
                    wanted[which, b, :, y, x] = 1 / 3
                assert float(ours.detach()[b, 0, y, x]) == pytest.approx(value, abs=1e-15)
                assert bool(teaches[b, 0, y, x]) == (which == 0)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(torch.zeros_like(other) if one is None else one, other)


def test_ties():
    """A tie with a still source teaches nothing in Monodepth2; in PackNet a pair's warped one wins."""
    equal = torch.ones(1, 2, 1, 1)
    assert not reduce_sources(equal, equal, minimum=True)[1].any()
    assert reduce_sources(equal, equal, minimum=True, order="in pairs")[1].all()
    second = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1)
    first = second.flip(1)
    assert not reduce_sources(second, first, minimum=True, order="in pairs")[1].any()


def test_noise_comes_from_the_generator():
    def drawn(seed):
        return (noisy(STILL, torch.Generator().manual_seed(seed)) - STILL).detach()

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    assert 0.5e-5 < float(drawn(1).std()) < 2e-5
    loud = reduce_sources(WARPED, STILL, minimum=True, generator=torch.Generator().manual_seed(1))[0]
    by_hand = torch.cat((STILL + drawn(1), WARPED), 1).amin(1, keepdim=True)
    torch.testing.assert_close(loud, by_hand)


def test_the_mask_removes_what_stands_still():
    """Half of the picture is the same in the source; there a wrong depth must not be punished."""
    target = random(1, 3, 8, 12, grad=False)
    source = random(1, 3, 8, 12, seed=1, grad=False)
    source[..., :6] = target[..., :6]
    wrong = source.roll(2, -1).requires_grad_()
    right = torch.cat((wrong[..., :6], target[..., 6:]), -1)  # the moving half is explained well
    still = photometric_error(target, source)
    error, teaches = reduce_sources(photometric_error(target, right), still, minimum=True)
    assert not teaches[..., :5].any()
    assert teaches[..., 7:].all()
    error.sum().backward()
    assert float(wrong.grad[..., :4].abs().max()) == 0


def test_the_minimum_ignores_a_source_that_is_hidden():
    target = random(1, 3, 8, 12, grad=False)
    seen, hidden = target.clone(), target.clone()
    hidden[..., 3:6, 4:8] = random(1, 3, 3, 4, seed=2, grad=False)
    hidden.requires_grad_()
    errors = torch.cat([photometric_error(target, source) for source in (seen, hidden)], 1)
    least, _ = reduce_sources(errors, minimum=True)
    assert float(least.detach().abs().max()) < 1e-12
    mean, _ = reduce_sources(errors, minimum=False)
    assert float(mean.detach().max()) > 0.05


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="still ones"):
        reduce_sources(WARPED, STILL[:, :2], minimum=True)
