"""Shot boundaries, streaming, with PySceneDetect's adaptive detector.

Why the adaptive one: it compares each frame's change (mean HSV difference, `ContentDetector`) with the
changes around it, so a fast pan or a shaky hand, where every frame changes a lot, is no cut, while a cut in a
quiet scene is. It answers two frames late. A flash changes the picture for a frame or two and gives it back;
around a cut, frames three apart must therefore differ as well.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import ClassVar

import cv2
import numpy as np

MIN_SHOT = 6  # frames; a quarter of a second at 24, the shortest shot editors cut on purpose
_RATIO = 2.0  # times the change around it: pans and shakes stay below 1.5, cuts into fast motion reach 2.8
_LEAST_CHANGE = 15.0  # of 255, mean HSV difference (PySceneDetect's default)
_FLASH = 0.5  # a real cut shows at least this share of its change across two frames more on either side


class CutDetector:
    """Takes the frames of a clip one by one and says where a new shot begins."""

    LAG: ClassVar[int] = 2  # a cut at n is known once frame n + LAG was pushed

    def __init__(self, rate: Fraction) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._rate = rate
        self._detector = AdaptiveDetector(
            adaptive_threshold=_RATIO, min_scene_len=1, window_width=self.LAG, min_content_val=_LEAST_CHANGE
        )
        self._recent: deque[np.ndarray] = deque(maxlen=self.LAG + 4)
        self._start: int | None = None

    def push(self, index: int, thumbnail: np.ndarray) -> int | None:
        """Adds the next frame; returns the index of the first frame of a new shot if one is now certain.

        Args:
            index: Clip frame index; consecutive.
            thumbnail: (h, w, 3) uint8 BGR, the same size every time.
        """
        from scenedetect.common import FrameTimecode

        if self._start is None:
            self._start = index
        self._recent.append(thumbnail)
        cuts = self._detector.process_frame(FrameTimecode(index, fps=self._rate), thumbnail)
        for cut in (code.frame_num for code in cuts):
            if cut - self._start >= MIN_SHOT and self._lasts():
                self._start = cut
                return cut
        return None

    def _lasts(self) -> bool:
        """Neither the picture before the cut comes back after it, nor is the new one as before a flash."""
        earlier, before, at, later = (
            self._recent[k] for k in (-self.LAG - 4, -self.LAG - 2, -self.LAG - 1, -1)
        )
        least = _FLASH * _change(before, at)
        return _change(before, later) >= least and _change(earlier, at) >= least


def _change(one: np.ndarray, other: np.ndarray) -> float:
    return float(cv2.absdiff(one, other).mean())
