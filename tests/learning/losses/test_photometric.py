"""SSIM, L1 and Charbonnier against a pixel loop."""

import pytest
import torch
from selfsup_reference import error, random, same, ssim_distance

from vdepth_core.learning.losses.photometric import (
    clip_errors,
    difference,
    dissimilarity,
    photometric_error,
)

A, B = random(2, 3, 5, 6), random(2, 3, 5, 6, seed=1)


def test_dissimilarity_against_the_loop():
    theirs = torch.stack(
        [
            torch.stack([ssim_distance(p, q) for p, q in zip(a, b, strict=True)])
            for a, b in zip(A, B, strict=True)
        ]
    )
    same(dissimilarity(A, B), theirs, A, B)


@pytest.mark.parametrize("kind", ["l1", "charbonnier"])
@pytest.mark.parametrize("ssim", [0.85, 0])
def test_error_against_the_loop(kind, ssim):
    theirs = torch.stack([error(a, b, ssim, kind == "charbonnier") for a, b in zip(A, B, strict=True)])
    same(photometric_error(A, B, ssim, kind)[:, 0], theirs, A, B)


def test_gradcheck():
    assert torch.autograd.gradcheck(
        lambda a, b: photometric_error(a, b, kind="charbonnier"), (A[:1, :, :3, :4], B[:1, :, :3, :4])
    )


def test_equal_pictures_are_not_apart_and_opposite_ones_wholly():
    assert float(photometric_error(A, A).detach().abs().max()) < 1e-12
    assert float(difference(A, A, "charbonnier").detach().max()) == pytest.approx(1e-3)
    pattern = (torch.arange(6) + torch.arange(5)[:, None]).remainder(2).double().expand(1, 3, 5, 6)
    assert float(dissimilarity(pattern, 1 - pattern).min()) > 0.9
    torch.testing.assert_close(photometric_error(A, B), photometric_error(B, A))


def test_mirrored_pictures_have_mirrored_errors():
    torch.testing.assert_close(photometric_error(A.flip(-1), B.flip(-1)).flip(-1), photometric_error(A, B))


def test_clipping():
    errors = torch.tensor([0.0, 0, 0, 0, 10], dtype=torch.float64, requires_grad=True)
    limit = 2 + 0.5 * (sum((x - 2) ** 2 for x in (0, 0, 0, 0, 10)) / 4) ** 0.5
    clipped = clip_errors(errors, 0.5)
    torch.testing.assert_close(clipped, errors.detach().clamp(max=limit))
    clipped.sum().backward()
    assert errors.grad.tolist() == [1, 1, 1, 1, 0]
    assert clip_errors(errors, 0) is errors
    level = torch.ones(4, requires_grad=True)
    clip_errors(level, 0.5).sum().backward()
    assert level.grad.tolist() == [1, 1, 1, 1]  # none is above the limit
