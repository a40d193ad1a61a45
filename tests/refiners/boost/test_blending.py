"""Masks and line fits."""

import cv2
import numpy as np
import pytest

from vdepth_core.refiners.boost.blending import MASK_KERNEL, MASK_SIGMA, fit_line, is_flat, soft_mask, spread


@pytest.fixture(scope="module")
def published_mask():
    """3000 x 3000, blurred one axis after the other: both at once take half a minute."""
    mask = np.zeros((3000, 3000))
    mask[450:2550, 450:2550] = 1
    line = cv2.getGaussianKernel(MASK_KERNEL, MASK_SIGMA)
    middle = cv2.filter2D(np.ascontiguousarray(mask[:, 1500:1501]), -1, line)
    blurred = middle @ middle.T
    return ((blurred - blurred.min()) / (blurred.max() - blurred.min())).astype(np.float32)


@pytest.mark.parametrize("size", [(768, 768), (301, 517), (1024, 1024), (37, 3500)])
def test_the_mask_is_the_published_one(published_mask, size):
    mask = soft_mask(size)
    assert mask.shape == size
    assert mask.dtype == np.float32
    wanted = cv2.resize(published_mask, size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(mask, wanted, atol=5e-7)


def test_values_of_the_mask():
    mask = soft_mask((1000, 1000))
    assert mask[0, 0] == mask[500, 0] == 0  # 450 pixels of ones' border are more than the window's 374
    assert mask[500, 500] == pytest.approx(1, abs=1e-6)
    assert mask[500, 150] == pytest.approx(0.5, abs=5e-3)  # where the ones begin
    np.testing.assert_allclose(mask, mask[::-1, ::-1], atol=1e-6)


def test_line_by_hand():
    x = np.float32([[0, 1], [2, 3]])
    assert fit_line(x, 3 - 2 * x) == pytest.approx((-2, 3))
    assert fit_line(x, np.float32([[1, 0], [0, 1]])) == pytest.approx((0, 0.5))
    assert fit_line(np.full((2, 2), 7.0), x) is None


def test_the_line_is_numpys():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 200, 300), np.float32)
    assert fit_line(x + 100, y) == pytest.approx(np.polyfit((x + 100).ravel().astype(float), y.ravel(), 1))


def test_flat_maps_stay_flat():
    almost = np.full((5, 5), 500, np.float32)
    almost[2, 2] += 3e-5  # one rounding
    assert is_flat(almost)
    assert is_flat(np.zeros((3, 3)))
    assert not spread(almost).any()
    np.testing.assert_array_equal(spread(np.float32([[2, 4, 3]])), [[0, 1, 0.5]])
    assert not is_flat(np.float32([[0, 1e-9]]))
