"""Whether what a model says of a shot is depth at all: numbers, and not the same one everywhere; a few bad
pixels are filled.

A picture that is all one colour (a slate, a fade to black) may well have flat depth, or none: only pictures
with something in them count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WeightsError

if TYPE_CHECKING:
    from ..progress import Progress
    from ..store import FrameArray

_PLAIN = 8  # levels of luma: a picture that differs by no more shows nothing
_SAME = 1e-6  # of the largest value: what rounding leaves of a constant
_HINT = "Try --dtype fp32; if that does not help, get its weights again, or choose another model."


class DepthCheck:
    """Looks at the predictions for one shot."""

    def __init__(self, model: str, luma: FrameArray, first: int, progress: Progress) -> None:
        """Takes what it needs to know.

        Args:
            model: The model's name.
            luma: The shot's pictures.
            first: Number of its first frame in the clip.
            progress: Told of the first value that is no number.
        """
        self._model, self._luma, self._first, self._progress = model, luma, first, progress
        self._warned = False

    def repaired(self, said: np.ndarray, frames: Sequence[int], luma: np.ndarray | None = None) -> np.ndarray:
        """Maps in which what is no number is filled from its neighbours; the user is told of it once.

        Args:
            said: (n, h, w) as predicted.
            frames: Which of the shot's they are of.
            luma: Their pictures, (n, h, w); None: they are in the store.

        Raises:
            WeightsError: a map has no number at all, and its picture shows something.
        """
        good = np.isfinite(said)
        if good.all():
            return said
        for index, frame in enumerate(frames):
            if good[index].any():
                continue
            if not _plain(self._luma.read(frame)[0] if luma is None else luma[index]):
                raise WeightsError(
                    f"The model {self._model} gives no number at all for frame {self._first + frame}.", _HINT
                )
        if not self._warned:
            self._warned = True
            first = self._first + frames[int(np.argmin(good.reshape(len(good), -1).all(1)))]
            self._progress.warn(
                f"The model {self._model} gave values that are not numbers (first at frame {first}); they "
                "were filled from neighbours."
            )
        return filled_from_nearest(said, good)

    def varied(self, maps: FrameArray, frames: Sequence[int]) -> None:
        """Refuses a shot that has the same depth everywhere, in every picture that shows something.

        Args:
            maps: Everything predicted for the shot; read until one map is not constant, most often one.
            frames: Which frame of the shot each map is of.

        Raises:
            WeightsError: no map varies.
        """
        constant: int | None = None
        for index, frame in enumerate(frames):
            if _plain(self._luma.read(frame)[0]):
                continue
            values = maps.read(index)[0]
            if np.ptp(values) > _SAME * np.abs(values).max():
                return
            constant = frame if constant is None else constant
        if constant is not None:
            raise WeightsError(
                f"The model {self._model} gives the same depth everywhere in every picture of the shot "
                f"(first in frame {self._first + constant}): that is no depth.",
                _HINT,
            )


def _plain(luma: np.ndarray) -> bool:
    return int(luma.max()) - int(luma.min()) <= _PLAIN


def filled_from_nearest(maps: np.ndarray, good: np.ndarray) -> np.ndarray:
    """A copy of ``maps`` with the nearest good value of the same frame wherever one is not good.

    A frame without any becomes 0.

    Args:
        maps: (T, H, W) float32.
        good: (T, H, W) bool.
    """
    import cv2

    maps = maps.copy()
    for frame, mask in zip(maps, good, strict=True):
        if mask.all():
            continue
        if not mask.any():
            frame[:] = 0.0
            continue
        _, label = cv2.distanceTransformWithLabels(
            (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        values = np.zeros(int(label.max()) + 1, np.float32)
        values[label[mask]] = frame[mask]
        frame[:] = values[label]
    return maps
