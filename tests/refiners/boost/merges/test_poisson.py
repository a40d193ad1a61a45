"""Gradient blending equals the direct solution of its equations."""

import numpy as np
import pytest
import torch
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from vdepth_core.refiners.boost.merges.poisson import Poisson


def direct(low, high):
    """The five-point equations, solved as they stand; ``high`` is scaled by least squares."""
    slope = np.polyfit(high.ravel(), low.ravel(), 1)[0]
    high = max(slope, 0) * high
    height, width = low.shape
    number = np.arange(low.size).reshape(low.shape)
    matrix, right = lil_matrix((low.size, low.size)), low.ravel().copy()
    for y, x in np.ndindex(low.shape):
        i = number[y, x]
        if y in (0, height - 1) or x in (0, width - 1):
            matrix[i, i] = 1
            continue
        around = ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
        matrix[i, i], right[i] = 4, sum(high[y, x] - high[at] for at in around)
        for at in around:
            matrix[i, number[at]] = -1
    return spsolve(matrix.tocsr(), right).reshape(low.shape)


@pytest.mark.parametrize("size", [(3, 3), (17, 30), (33, 12)])
@pytest.mark.parametrize("sign", [1, -1])
def test_it_equals_a_direct_solution(size, sign):
    rng = np.random.default_rng(3)
    low = rng.random(size)
    high = 3 * sign * low + rng.random(size) - 7
    found = Poisson()(*(torch.from_numpy(maps).float()[None, None] for maps in (low, high)))
    np.testing.assert_allclose(found[0, 0].numpy(), direct(low, high), atol=2e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (9, 1)])
def test_maps_that_are_all_border_stay(size):
    low = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Poisson()(low, low.flip(0)), low)


def test_equal_maps_stay_and_flat_ones_bring_nothing():
    low = torch.rand(2, 1, 40, 30, generator=torch.Generator().manual_seed(0))
    before = low.clone()
    torch.testing.assert_close(Poisson()(low, 5 * low - 2), low, rtol=0, atol=1e-5)
    assert torch.isfinite(Poisson()(low, torch.ones_like(low))).all()
    assert torch.equal(low, before)
