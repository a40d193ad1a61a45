"""How many frames apart two views of each shot of a footage should be."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..geometry.motion.gaps import choose_gap

if TYPE_CHECKING:
    from ..progress import Progress
    from .footage import Footage


def luma_of(footage: Footage) -> Callable[[int], np.ndarray]:
    """Reads frames as (h, w) uint8 luma, the last ones from memory.

    Args:
        footage: Its frames are there.
    """

    @lru_cache(maxsize=64)
    def read(index: int) -> np.ndarray:
        return np.asarray(cv2.cvtColor(footage.frames.read(index)[0], cv2.COLOR_RGB2GRAY))

    return read


def choose_gaps(footage: Footage, progress: Progress) -> list[int]:
    """The gap of each shot in frames, 1 at least; shots of few frames have a smaller one.

    Args:
        footage: Its frames are there.
        progress: May cancel.

    Raises:
        Cancelled: the user asked to stop.
    """
    luma = luma_of(footage)
    gaps = []
    for shot in footage.shots:
        progress.check()
        gaps.append(choose_gap(luma, shot, footage.width))
    return gaps
