"""How much of its outlines a model keeps when it is adapted.

What is learnt along flow knows little about silhouettes, and errors of pictures forgive a soft one: outlines
may go while every held-out error falls. Nobody has the truth of a user's clip, but the untouched model's own
outlines can be looked for.
"""

from __future__ import annotations

import cv2
import numpy as np

SOFT = 0.7  # of their contrast: less is worth a warning
_STEEPEST = 0.02  # of a map's pixels: its outlines
_NEAR = 5  # pixels a side an outline may have moved within: adapting also puts it where it is
_FLAT = 1e-3  # of the range a pixel: no outline at all


def outlines_kept(before: np.ndarray, after: np.ndarray) -> float | None:
    """The contrast of a map's outlines in another map of the same frame, over what it was.

    Both maps' steepest slopes near the steepest hundredths of the first one are compared.

    Args:
        before: (h, w) disparity of the model as it was.
        after: (h, w) of the adapted one, on the same scale.

    Returns:
        1: as before, 0: nothing is left; above 1 they are harder. None: there were no outlines.
    """
    span = float(np.ptp(before))
    was = _slope(before)
    steep = was >= np.quantile(was, 1 - _STEEPEST)
    if float(was[steep].mean()) <= _FLAT * span:
        return None
    kernel = np.ones((_NEAR, _NEAR), np.uint8)
    was, now = (cv2.dilate(slope, kernel)[steep] for slope in (was, _slope(after)))
    return float(now.mean() / was.mean())


def _slope(maps: np.ndarray) -> np.ndarray:
    plain = maps.astype(np.float32)
    across, down = (cv2.Scharr(plain, cv2.CV_32F, *axis) / 32 for axis in ((1, 0), (0, 1)))
    return np.hypot(across, down)
