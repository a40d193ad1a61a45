"""TGM: temporal gradient matching, how far depth changes in place as the truth does.

Chen et al., "Video Depth Anything", CVPR 2025, use it as a loss: mean | |d_{t+1} − d_t| − |g_{t+1} − g_t| |.
No flow is needed, but truth in both frames. Where the truth hardly changes, a constant video scores well:
print accuracy beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

import numpy as np

from ..errors import InputError
from .undefined import UndefinedMeasure


def gradient_matching(
    depth: Iterable[np.ndarray], truth: Iterable[np.ndarray], *, min_depth: float = 1e-3, max_depth: float
) -> float:
    """Mean over pairs of frames of the mean over pixels known in both, in the truth's unit; lower is better.

    Args:
        depth: (H, W) depth a frame, aligned to the truth per clip.
        truth: (H, W) depth a frame; counts where min_depth < g < max_depth.
        min_depth, max_depth: Range of valid truth.

    Raises:
        InputError: the numbers or sizes of frames differ.
        UndefinedMeasure: no pixel has truth twice in a row.
    """
    total, pairs = 0.0, 0
    previous: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    for index, (d, g) in enumerate(zip_longest(depth, truth)):
        if d is None or g is None or d.shape != g.shape:
            wrong = "no depth" if d is None else "no truth" if g is None else "another size"
            raise InputError(
                f"Frame {index} has {wrong}.",
                "Give depth and truth of the same frames and size.",
            )
        with np.errstate(invalid="ignore"):
            known = (g > min_depth) & (g < max_depth)
        current = np.asarray(d, np.float64), np.where(known, g, 0).astype(np.float64), known
        if previous is not None and (both := previous[2] & known).any():
            change = np.abs(current[0] - previous[0])[both]
            expected = np.abs(current[1] - previous[1])[both]
            total += float(np.mean(np.abs(change - expected)))
            pairs += 1
        previous = current
    if not pairs:
        raise UndefinedMeasure("TGM of the clip is undefined: no pixel has truth in two neighbouring frames.",
                         "Check the truth's unit and the depth range.")  # fmt: skip
    return total / pairs
