"""Whether what a model says of a shot is depth at all: numbers, and not the same one everywhere.

A picture that is all one colour (a slate, a fade to black) may well have flat depth, or none: only pictures
with something in them count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WeightsError

if TYPE_CHECKING:
    from ..store import FrameArray

_PLAIN = 8  # levels of luma: a picture that differs by no more shows nothing
_SAME = 1e-6  # of the largest value: what rounding leaves of a constant
_HINT = "Try --dtype fp32; if that does not help, get its weights again, or choose another model."


class DepthCheck:
    """Looks at the predictions for one shot."""

    def __init__(self, model: str, luma: FrameArray, first: int) -> None:
        """``luma`` is the shot's, and ``first`` the number of its first frame in the clip."""
        self._model, self._luma, self._first = model, luma, first

    def numbers(self, said: np.ndarray, frames: Sequence[int], luma: np.ndarray | None = None) -> None:
        """Refuses maps without a single number.

        Args:
            said: (n, h, w) as predicted.
            frames: Which of the shot's they are of.
            luma: Their pictures, (n, h, w); None: they are in the store.

        Raises:
            WeightsError: there is one, and its picture shows something.
        """
        for index, frame in enumerate(frames):
            if np.isfinite(said[index]).any():
                continue
            if not _plain(self._luma.read(frame)[0] if luma is None else luma[index]):
                raise WeightsError(
                    f"The model {self._model} gives no number at all for frame {self._first + frame}.", _HINT
                )

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
