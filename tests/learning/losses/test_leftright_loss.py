"""Left-right consistency against a pixel loop, and its symmetry."""

import pytest
import torch
from selfsup_reference import FIRST, averaged, bilinear, error, random, roughness, same

from vdepth_core.learning.losses.leftright import from_left, from_right, leftright_terms

LEFT, RIGHT = random(1, 3, 4, 12), random(1, 3, 4, 12, seed=1)
DISPARITIES = [random(1, 2, 4, 12, seed=2, high=0.3), random(1, 2, 2, 6, seed=3, high=0.3)]


def across(maps, disparity, sign):
    height, width = disparity.shape
    rows = [
        [
            bilinear(maps, x + sign * disparity[y, x] * width, torch.tensor(float(y)).double(), "border")
            for x in range(width)
        ]
        for y in range(height)
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def reference():
    terms = dict.fromkeys(("appearance", "smoothness", "consistency"), 0)
    for s, pair in enumerate(DISPARITIES):
        left, right = averaged(LEFT[0], 2**s), averaged(RIGHT[0], 2**s)
        one, other = pair[0]
        terms["appearance"] = terms["appearance"] + (
            error(left, across(right, one, -1)).mean() + error(right, across(left, other, 1)).mean()
        )
        rough = roughness(one[None], left, FIRST) + roughness(other[None], right, FIRST)
        terms["smoothness"] = terms["smoothness"] + 0.1 / 2**s * rough
        terms["consistency"] = terms["consistency"] + (
            (one - across(other[None], one, -1)[0]).abs().mean()
            + (other - across(one[None], other, 1)[0]).abs().mean()
        )
    return terms


def test_against_the_loop():
    ours, theirs = leftright_terms(DISPARITIES, LEFT, RIGHT), reference()
    assert ours.keys() == theirs.keys()
    same(sum(ours.values()), sum(theirs.values()), *DISPARITIES, LEFT, RIGHT, tolerance=1e-10)
    for term, value in theirs.items():
        torch.testing.assert_close(ours[term], value, rtol=1e-10, atol=1e-12)


def test_the_mirrored_pair_has_the_same_loss_and_mirrored_gradients():
    """The mirror image of the right picture is a left one."""
    plain = sum(leftright_terms(DISPARITIES, LEFT, RIGHT).values())
    mirrored = [pair.detach().flip(1, 3).requires_grad_() for pair in DISPARITIES]
    swapped = sum(leftright_terms(mirrored, RIGHT.flip(-1), LEFT.flip(-1)).values())
    torch.testing.assert_close(plain, swapped)
    grads = torch.autograd.grad(plain, DISPARITIES), torch.autograd.grad(swapped, mirrored)
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other.flip(1, 3))


def test_the_true_disparity_explains_everything_but_the_edges():
    """A plane two pixels nearer than infinity: the right picture is the left one moved by two."""
    right = LEFT.detach().roll(-2, -1)
    disparity = torch.full((1, 1, 4, 12), 2 / 12, dtype=torch.float64)
    torch.testing.assert_close(from_right(right, disparity)[..., 2:], LEFT.detach()[..., 2:])
    torch.testing.assert_close(from_left(LEFT.detach(), disparity)[..., :-2], right[..., :-2])
    terms = leftright_terms([disparity.expand(1, 2, 4, 12)], LEFT.detach(), right)
    assert float(terms["consistency"]) == pytest.approx(0)
    assert float(terms["smoothness"]) == pytest.approx(0)
    wrong = leftright_terms([disparity.expand(1, 2, 4, 12) * 0.5], LEFT.detach(), right)
    assert float(terms["appearance"]) < 0.5 * float(wrong["appearance"])


def test_gradcheck():
    disparity = random(1, 2, 3, 6, seed=2, low=0.01, high=0.3)
    left, right = LEFT[..., :3, :6], RIGHT[..., :3, :6]
    assert torch.autograd.gradcheck(lambda d: sum(leftright_terms([d], left, right).values()), (disparity,))
