"""How a patch's map goes into the map of the whole: fitted by a line, blended by a soft mask."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

MASK_SIDE, MASK_BORDER = 3000, 450  # the mask is made at this size: ones but for a border of 15 %,
MASK_SIGMA = 187  # blurred by this many of its pixels,
MASK_KERNEL = 749  # with a window of two sigmas to either side


def soft_mask(size: tuple[int, int]) -> np.ndarray:
    """One in the middle of a patch, falling to nothing before its border.

    Args:
        size: (height, width) of the patch, in pixels.

    Returns:
        (height, width) float32, 0..1.
    """
    rows, columns = (cv2.resize(_profile(), (1, side)) for side in size)
    mask: np.ndarray = (rows * columns.T).astype(np.float32)
    return mask


@lru_cache(maxsize=1)
def _profile() -> np.ndarray:
    """(3000, 1) float64: box, Gaussian and bilinear resize are separable, and so is all of the mask."""
    line = np.zeros((MASK_SIDE, 1))
    line[MASK_BORDER:-MASK_BORDER] = 1
    line = np.asarray(cv2.GaussianBlur(line, (1, MASK_KERNEL), MASK_SIGMA))
    return np.asarray(line / line.max())


def fit_line(values: np.ndarray, target: np.ndarray) -> tuple[float, float] | None:
    """Scale and shift that bring ``values`` closest to ``target``, by least squares.

    Args:
        values, target: Maps of one shape.

    Returns:
        (scale, shift); None where ``values`` are all the same, so that they say nothing.
    """
    x, y = values.astype(np.float64).ravel(), target.astype(np.float64).ravel()
    mean_x, mean_y = float(x.mean()), float(y.mean())
    if is_flat(values):
        return None
    x -= mean_x
    y -= mean_y
    scale = float(x @ y / (x @ x))
    return scale, mean_y - scale * mean_x


def is_flat(values: np.ndarray) -> bool:
    """Whether a map has no more relief than rounding gives it.

    Args:
        values: Of any shape, finite.
    """
    low, high = float(values.min()), float(values.max())
    return high - low <= 1e-6 * max(abs(low), abs(high))


def spread(values: np.ndarray) -> np.ndarray:
    """A map stretched to 0..1; zeros where it is flat.

    Args:
        values: Finite.

    Returns:
        float32.
    """
    if is_flat(values):
        return np.zeros(values.shape, np.float32)
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low), np.float32)


def resized_map(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at another size, bicubic as OpenCV's.

    Args:
        values: (h, w) float32.
        size: (height, width).
    """
    return np.asarray(cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_CUBIC))
