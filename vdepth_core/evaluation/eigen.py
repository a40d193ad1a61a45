"""The Eigen protocol: what the self-supervised driving benchmark fixes beside its errors.

Eigen et al., NIPS 2014, with the crop of Garg et al., ECCV 2016, in the order of Godard et al., ICCV 2019:
disparity is resized to the truth bilinearly and inverted; truth counts within the crop and between the ends
of the range; each picture's depth is scaled by the ratio of the medians there, then clipped to the range.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import UsageError
from ..types import Quantity

EIGEN_RANGE = (1e-3, 80.0)  # metres
GARG_ROWS = (0.40810811, 0.99189189)  # of the height: most of the sky and the car's bonnet are left out
GARG_COLUMNS = (0.03594771, 0.96405229)  # of the width
_SMALLEST = 1e-12  # stands for zero, so that a sky is far and not infinite


def garg_crop(height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of truth that count, the ends cut to whole numbers as published.

    Args:
        height: Of the truth, pixels.
        width: Of the truth, pixels.
    """
    top, bottom = (int(part * height) for part in GARG_ROWS)
    left, right = (int(part * width) for part in GARG_COLUMNS)
    return slice(top, bottom), slice(left, right)


def depth_at(prediction: np.ndarray, quantity: Quantity, shape: tuple[int, ...]) -> np.ndarray:
    """Depth at the truth's size; what is resized is always disparity, whatever was predicted.

    Args:
        prediction: (h, w) float64 in ``quantity``; depth may be infinite.
        quantity: What it holds.
        shape: (H, W) of the truth.

    Returns:
        (H, W) float64, positive and finite; zero and negative disparity is as far as can be.
    """
    disparity = 1 / np.maximum(prediction, _SMALLEST) if quantity == "depth" else prediction
    if disparity.shape != shape:
        disparity = cv2.resize(disparity, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return 1 / np.maximum(disparity, _SMALLEST)


def refuse_other_range(min_depth: float, max_depth: float) -> None:
    """Refuses a range under which the figure would no longer be the benchmark's.

    Args:
        min_depth: Nearest valid depth, metres.
        max_depth: Farthest valid depth, metres.

    Raises:
        UsageError: the range is another than 0.001 to 80 m.
    """
    if (min_depth, max_depth) != EIGEN_RANGE:
        raise UsageError(
            f"The eigen protocol counts depth from {EIGEN_RANGE[0]:g} to {EIGEN_RANGE[1]:g} m, not from "
            f"{min_depth:g} to {max_depth:g} m.",
            "Leave the range away, or use the protocol median, which takes any.",
        )
