"""Holds the detail of a shot still along its flow.

Per-frame models see small things differently in every frame. What boosting added to the steady estimate is
therefore averaged with what it added to the frame before, found again along optical flow, as far as that
pixel was seen and the two agree. The filter needs no other state than the last finished map, so a job that
goes on there gives the same bytes.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...flow.dis import DisFlow, working_size
from ...flow.visibility import forward_backward, photometric
from ...flow.warp import sample, target

KEEP = 0.8  # of the frame before, where it is surely the same
AGREE = 0.04  # of the shot's range: a difference of as much counts 0.6
_LONGEST = 960  # pixels of the pictures that flow is found in
_ROWS = 256  # of the result at a time


class Steady:
    """The filter of one shot; frames come in order."""

    def __init__(self, size: tuple[int, int]) -> None:
        """``size``: (height, width) of the maps."""
        self._size, self._small = size, working_size(*size, _LONGEST)
        self._estimator = DisFlow("fast")

    def see(self, rgb: np.ndarray) -> np.ndarray:
        """A picture as flow is found in it, (h, w) uint8.

        Args:
            rgb: (H, W, 3) uint8.
        """
        small = cv2.resize(rgb, self._small[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))

    def __call__(
        self, detail: np.ndarray, before: np.ndarray, seen: np.ndarray, seen_before: np.ndarray, extent: float
    ) -> None:
        """Filters what was added to a frame, in place.

        Args:
            detail: (H, W) float32.
            before: The same of the frame before, filtered.
            seen, seen_before: What `see` gave of the two.
            extent: Range of the estimate, > 0.
        """
        forward = self._estimator.flow(seen, seen_before)
        backward = self._estimator.flow(seen_before, seen)
        where = target(forward)
        weight = forward_backward(forward, backward) * photometric(seen, sample(seen_before, where))
        weight *= np.float32(KEEP)
        height, width = self._size
        down, across = self._small[0] / height, self._small[1] / width
        columns = ((np.arange(width) + 0.5) * across - 0.5).astype(np.float32)
        falloff = np.float32(-0.5 / (AGREE * extent) ** 2)
        for start in range(0, height, _ROWS):
            rows = slice(start, min(start + _ROWS, height))
            lines = ((np.arange(rows.start, rows.stop) + 0.5) * down - 0.5).astype(np.float32)
            here = np.empty((len(lines), width, 2), np.float32)
            here[..., 0], here[..., 1] = columns, lines[:, None]
            flow = sample(forward, here)
            trust = sample(weight, here)
            flow /= np.array((across, down), np.float32)
            flow[..., 0] += np.arange(width, dtype=np.float32)
            flow[..., 1] += np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
            difference = cv2.remap(before, flow, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
            difference -= detail[rows]
            agree = difference * difference
            agree *= falloff
            trust *= cv2.exp(agree)
            difference *= trust
            detail[rows] += difference
