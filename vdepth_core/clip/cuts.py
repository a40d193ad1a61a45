"""Shot boundaries, streaming, with PySceneDetect's adaptive detector.

Why the adaptive one: it compares each frame's change (mean HSV difference, `ContentDetector`) with the
changes around it, so a fast pan or a shaky hand, where every frame changes a lot, is no cut, while a cut in a
quiet scene is. A flash changes the picture for a moment and gives it back: where the old picture returns
within a quarter of a second, at whatever frame rate, there was no cut, and none where it returns.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

MOMENT = Fraction(1, 4)  # seconds: no flash lasts longer, no shot that editors cut on purpose is shorter
_FEWEST = 3  # frames of a shot, and one more than of a flash, where frames are slow
_RATIO = 2.0  # times the change around it: pans and shakes stay below 1.5, cuts into fast motion reach 2.8
_WINDOW = 2  # frames either side that a change is compared with
_LEAST_CHANGE = 15.0  # of 255, mean HSV difference (PySceneDetect's default)
_RETURN = 0.5  # of a cut's change; a picture nearer than that to the one before it is the old one again
_SMALL = 32  # pixels on the longer side: what moves within a moment is still much the same


@dataclass(frozen=True)
class _Seen:
    index: int
    time: Fraction
    small: np.ndarray


class CutDetector:
    """Takes the frames of a clip one by one and says where new shots begin, a moment later."""

    def __init__(self, rate: Fraction) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._rate = rate
        self._detector = AdaptiveDetector(
            adaptive_threshold=_RATIO, min_scene_len=1, window_width=_WINDOW, min_content_val=_LEAST_CHANGE
        )
        self._flash = max(MOMENT, (_FEWEST - 1) / rate) + 1 / (2 * rate)  # half a frame for rounded times
        self._shortest = max(MOMENT, _FEWEST / rate)
        self._seen: deque[_Seen] = deque()
        self._waiting: deque[int] = deque()  # changes whose picture may still be given back
        self._start: Fraction | None = None

    @property
    def settled(self) -> int:
        """No new shot will yet be found to begin at a frame below this index."""
        last = self._seen[-1].index if self._seen else 0
        return self._waiting[0] if self._waiting else last - _WINDOW

    def push(self, index: int, time: Fraction, thumbnail: np.ndarray) -> list[int]:
        """Adds the next frame; returns the first frames of new shots that are now certain.

        Args:
            index: Clip frame index; consecutive.
            time: Presentation time in seconds.
            thumbnail: (h, w, 3) uint8 BGR, the same size every time.
        """
        from scenedetect.common import FrameTimecode

        if self._start is None:
            self._start = time
        self._seen.append(_Seen(index, time, _small(thumbnail)))
        while time - self._seen[0].time > 3 * self._flash and len(self._seen) > 4 * _WINDOW:
            self._seen.popleft()
        found = self._detector.process_frame(FrameTimecode(index, fps=self._rate), thumbnail)
        self._waiting += [code.frame_num for code in found if not self._gives_back(code.frame_num)]
        return self._decide(time - self._flash)

    def flush(self) -> list[int]:
        """The first frames of new shots still waiting when the clip ends."""
        return self._decide(None)

    def _decide(self, until: Fraction | None) -> list[int]:
        cuts: list[int] = []
        while self._waiting:
            cut = self._at(self._waiting[0])
            if self._is_given_back(cut):
                self._waiting.popleft()
                continue
            if until is not None and cut.time > until:
                break
            self._waiting.popleft()
            if self._start is not None and cut.time - self._start >= self._shortest:
                self._start = cut.time
                cuts.append(cut.index)
        return cuts

    def _is_given_back(self, cut: _Seen) -> bool:
        """Whether the picture before ``cut`` has come back a moment after it."""
        before = self._at(cut.index - 1)
        least = _RETURN * _change(before, cut)
        return any(
            _change(before, later) < least
            for later in self._seen
            if later.index > cut.index and later.time - cut.time <= self._flash
        )

    def _gives_back(self, index: int) -> bool:
        """Whether the picture at ``index`` is one from a moment before the change."""
        cut = self._at(index)
        least = _RETURN * _change(self._at(index - 1), cut)
        return any(
            _change(earlier, cut) < least
            for earlier in self._seen
            if earlier.index < index - 1 and cut.time - earlier.time <= self._flash + 1 / self._rate
        )

    def _at(self, index: int) -> _Seen:
        return self._seen[index - self._seen[0].index]


def _small(thumbnail: np.ndarray) -> np.ndarray:
    height, width = thumbnail.shape[:2]
    scale = min(1.0, _SMALL / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(thumbnail, size, interpolation=cv2.INTER_AREA)


def _change(one: _Seen, other: _Seen) -> float:
    return float(cv2.absdiff(one.small, other.small).mean())
