"""Flow between frames of a shot at the size `temporal` works at; what its first pass found is kept for the
second.

DIS ends at a quarter of the size and enlarges from there. Here it is given the quarter-size pictures, made
once a frame, and what it finds is enlarged as it does it: the same flow, to the bit, that is small enough to
keep on the disk.
"""

from __future__ import annotations

import tempfile
import weakref
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import cv2
import numpy as np

from ...flow.dis import MIN_SIDE, DisFlow, reduce, working_size

if TYPE_CHECKING:
    from ...store import DepthStore

LONGEST = 256  # pixels; measured: 256..384 give the same consistency within 0.5 %, at half the time
_COARSE = 4  # DIS "fast" ends at this part of the size


class Flows:
    """Luma and flow of a shot at the working size; used by one thread at a time.

    Attributes:
        size: (height, width) of both.
    """

    def __init__(self, store: DepthStore) -> None:
        """Keeps flows in a nameless file in the store's folder.

        Args:
            store: Of the shot; its ``luma`` is read.
        """
        self.size = working_size(store.height, store.width, LONGEST)
        self._store = store
        height, width = self.size
        divisor = _COARSE if min(self.size) >= _COARSE * MIN_SIDE else 1  # too small: all of it is computed
        self._coarse = height // divisor, width // divisor
        self._estimator = DisFlow("fast", finest=0 if divisor == _COARSE else None)
        self._scale = np.float32(divisor)
        self._lumas: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._slots: dict[tuple[int, int], int] = {}
        self._file: IO[bytes] | None = None

    def luma(self, t: int) -> np.ndarray:
        """Luma of a frame, (h, w) uint8.

        Args:
            t: The frame, 0-based within the shot.
        """
        return self._luma(t)[0]

    def flow(self, a: int, b: int, *, keep: bool = False) -> np.ndarray:
        """Flow from one frame to another, (h, w, 2) float32 in pixels.

        Args:
            a, b: The frames.
            keep: For whoever asks again.
        """
        coarse = self._kept(a, b)
        if coarse is None:
            coarse = self._estimator.flow(self._luma(a)[1], self._luma(b)[1])
            if keep:
                self._keep(a, b, coarse)
        if self._coarse == self.size:
            return coarse
        flow: np.ndarray = cv2.resize(coarse, self.size[::-1], interpolation=cv2.INTER_LINEAR)
        flow *= self._scale
        return flow

    def forget(self, oldest: int) -> None:
        """Drops the pictures of frames nobody will ask for any more.

        Args:
            oldest: The first that is kept.
        """
        self._lumas = {t: pictures for t, pictures in self._lumas.items() if t >= oldest}

    def _luma(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        if t not in self._lumas:
            luma = reduce(self._store.luma.read(t)[0], self.size)
            self._lumas[t] = luma, reduce(luma, self._coarse)
        return self._lumas[t]

    def _keep(self, a: int, b: int, coarse: np.ndarray) -> None:
        with suppress(OSError):  # a full disk: then it is computed again
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._store.folder)  # noqa: SIM115  closed below
                weakref.finalize(self, self._file.close)
            slot = len(self._slots)
            self._file.seek(slot * coarse.nbytes)
            self._file.write(coarse.tobytes())
            self._slots[a, b] = slot

    def _kept(self, a: int, b: int) -> np.ndarray | None:
        slot = self._slots.get((a, b))
        if slot is None or self._file is None:
            return None
        shape = (*self._coarse, 2)
        size = 4 * int(np.prod(shape))
        with suppress(OSError):
            self._file.seek(slot * size)
            data = self._file.read(size)
            if len(data) == size:
                return np.frombuffer(data, np.float32).reshape(shape)
        return None
