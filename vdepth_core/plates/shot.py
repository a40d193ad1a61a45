"""The clean plates of one registered shot, frame by frame: what is hidden, what lies beside the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..flow.dis import DisFlow, reduce
from ..geometry.camera_path import inverse_pose
from ..store import FrameArray
from .background import STEP, View, carried, colours, deepest, sure
from .registration import Registration

REACH = (1, 2, 4)  # gaps, to either side, that frames around are taken from
HIDDEN = 0.5  # how surely a pixel is seen again, below which it is hidden
_FARTHEST = 1e-4  # of the median's inverse depth: what is farther counts as that far
_RIM = np.ones((5, 5), np.uint8)  # of the plate: a foreground's mixed edge goes with it


@dataclass(frozen=True, eq=False)
class ShotBackground:
    """A registered shot.

    Attributes:
        disparity: Number of a frame, from the shot's first -> (H, W) disparity of the result.
        found: Its cameras.
        plates: (H, W, 3) uint8 a frame.
        size: (height, width) that depth is carried at.
        margin: Pixels around the plate, at each side across and down.
    """

    disparity: Callable[[int], np.ndarray]
    found: Registration
    plates: FrameArray
    size: tuple[int, int]
    margin: tuple[int, int]

    def fused(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colour, inverse depth, and where anything is known, on the raster with its margin.

        Args:
            index: Of the frame, from the shot's first.

        Returns:
            (H, W, 3) uint8, (H, W) float32 and (H, W) bool.
        """
        across, down = self.margin
        own, q = self.plates.read(index)[0], self._q(index)
        height, width = q.shape
        rgb = np.zeros((height + 2 * down, width + 2 * across, 3), np.uint8)
        deep = np.full(rgb.shape[:2], np.inf, np.float32)
        known = np.zeros(rgb.shape[:2], bool)
        middle = (slice(down, down + height), slice(across, across + width))
        rgb[middle], deep[middle], known[middle] = own, q, True
        around = self._around(index)
        if not around:
            return rgb, deep, known
        behind, beside = self._behind(index, around, rgb.shape[:2])
        behind = np.where(known, behind, beside)
        hidden = np.isfinite(behind) & (behind < (1 - STEP) * deep)
        hidden[middle] = cv2.dilate(self._occluded(hidden[middle], q), _RIM) > 0
        hidden &= np.isfinite(behind)
        rows, columns = np.nonzero(hidden)
        places = np.stack((columns - across, rows - down), 1).astype(np.float64)
        seen, found = colours(
            places, behind[rows, columns], self._views(index, around), self._matrix(q.shape)
        )
        rows, columns = rows[found], columns[found]
        rgb[rows, columns], deep[rows, columns], known[rows, columns] = (
            seen[found],
            behind[rows, columns],
            True,
        )
        return rgb, deep, known

    def _occluded(self, hidden: np.ndarray, q: np.ndarray) -> np.ndarray:
        """The parts of (H, W) that begin at a silhouette: elsewhere nothing is hidden, but depth wrong."""
        edge = cv2.dilate((~sure(reduce(q, self.size))).astype(np.uint8), _RIM)
        edge = cv2.resize(edge, (q.shape[1], q.shape[0]), interpolation=cv2.INTER_NEAREST)
        count, labels = cv2.connectedComponents(hidden.astype(np.uint8))
        real = np.zeros(count, np.uint8)
        real[np.unique(labels[edge > 0])] = 1
        real[0] = 0
        return np.asarray(real[labels])

    def _behind(self, index: int, around: list[int], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Inverse depth of the deepest surface that is hidden, and of the deepest at all, at the size of the
        files; infinity: nobody saw one.
        """
        height, width = self.size
        ratio = height / self.plates.shape[0]
        margin = (round(self.margin[0] * ratio), round(self.margin[1] * ratio))
        hidden: list[np.ndarray] = []
        every: list[np.ndarray] = []
        flow = DisFlow("medium")
        wanted = self._small(index)
        for other in around:
            q = reduce(self._q(other), self.size)
            # What flow finds again in the wanted frame is not hidden there, whatever its depth says.
            _, seen = flow.motion(self._small(other), wanted)
            keep = sure(q) & (self.found.still.read(other)[0] > 127)
            for layers, which in ((hidden, keep & (seen < HIDDEN)), (every, keep)):
                layers.append(carried(q, which, self.found.K, self._motion(other, index), margin))
        # The margin at the working size is rounded: the raster is placed by the plate's own pixels.
        rows = (np.arange(shape[0]) + 0.5 - self.margin[1]) * ratio - 0.5 + margin[1]
        columns = (
            (np.arange(shape[1]) + 0.5 - self.margin[0]) * width / self.plates.shape[1] - 0.5 + margin[0]
        )
        at = np.ix_(
            np.clip(np.rint(rows).astype(int), 0, height + 2 * margin[1] - 1),
            np.clip(np.rint(columns).astype(int), 0, width + 2 * margin[0] - 1),
        )
        return _whole(deepest(hidden))[at], _whole(deepest(every))[at]

    def _small(self, index: int) -> np.ndarray:
        """A plate at the working size."""
        size = (self.size[1], self.size[0])
        return np.asarray(cv2.resize(self.plates.read(index)[0], size, interpolation=cv2.INTER_AREA))

    def _around(self, index: int) -> list[int]:
        """Frames to look in, near ones and far ones."""
        offsets = [sign * self.found.gap * reach for reach in REACH for sign in (-1, 1)]
        wanted = {min(max(index + offset, 0), self.plates.count - 1) for offset in offsets} - {index}
        return [other for other in sorted(wanted) if self.found.trusted[other] and self.found.trusted[index]]

    def _views(self, index: int, around: list[int]) -> Iterator[View]:
        for other in around:
            rgb = self.plates.read(other)[0]
            still = cv2.resize(self.found.still.read(other)[0], (rgb.shape[1], rgb.shape[0])) > 127
            yield View(rgb, self._q(other), still, self._motion(index, other))

    def _motion(self, a: int, b: int) -> np.ndarray:
        """Carries points of frame a's camera into frame b's."""
        motion: np.ndarray = inverse_pose(self.found.poses[b]) @ self.found.poses[a]
        return motion

    def _q(self, index: int) -> np.ndarray:
        disparity = self.disparity(index)
        q = self.found.scale * disparity + self.found.shift
        return np.maximum(q, _FARTHEST * float(np.median(q))).astype(np.float32)

    def _matrix(self, shape: tuple[int, ...]) -> np.ndarray:
        """K for pixel indices at the plate's size."""
        sy, sx = shape[0] / self.size[0], shape[1] / self.size[1]
        K = self.found.K
        return np.array(
            (
                (K[0, 0] * sx, 0, (K[0, 2] + 0.5) * sx - 0.5),
                (0, K[1, 1] * sy, (K[1, 2] + 0.5) * sy - 0.5),
                (0, 0, 1),
            )
        )


def _whole(deep: np.ndarray) -> np.ndarray:
    """Without the cracks that are left between carried pixels."""
    holes = ~np.isfinite(deep)
    filled = cv2.medianBlur(np.where(holes, 0, deep).astype(np.float32), 3)
    return np.asarray(np.where(holes & (filled > 0), filled, deep))
