"""Which parts of the working picture get an estimate of their own: tiles full of edges, grown."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

STRIDE = 0.75  # of the base size
GROW_BY = 32  # pixels a step, over the factor of the working size


class Patch(NamedTuple):
    """A rectangle of the working picture, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    def scaled(self, scale: float) -> Patch:
        """The same rectangle of the same picture in another size.

        Args:
            scale: New over old size.
        """
        return Patch(*(round(value * scale) for value in self))

    @property
    def rows_and_columns(self) -> tuple[slice, slice]:
        """Indices of an array (H, W, ...)."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


def candidate_tiles(size: tuple[int, int], base: int) -> list[Patch]:
    """Squares of twice the base size all over the picture, column by column.

    As published, the ends are exclusive: strips at the right and at the bottom are in no tile.

    Args:
        size: (height, width) of the working picture.
        base: Size the network was trained at, in pixels.
    """
    height, width = size
    stride = max(round(STRIDE * base), 1)
    return [
        Patch(x - base, y - base, 2 * base, 2 * base)
        for x in range(base, width - base, stride)
        for y in range(base, height - base, stride)
    ]


def select_tiles(gradients: np.ndarray, base: int, factor: float) -> tuple[Patch, ...]:
    """The tiles that are at least as full of edges as the whole picture, each grown while it stays so.

    Args:
        gradients: (H, W) of the working picture, as `edge_strength` gives them.
        base: Size the network was trained at, in pixels.
        factor: What the working size was divided by, 0.2..1; the smaller, the larger the steps of growth.

    Returns:
        Largest first; equally large ones in the order of `candidate_tiles`.
    """
    positive = gradients[gradients > 0]
    if not positive.size:
        return ()
    density = _Density(np.where(gradients < positive.mean(), 0, gradients))
    tiles = candidate_tiles((gradients.shape[0], gradients.shape[1]), base)
    kept = [tile for tile in tiles if density(tile) >= density.whole]
    step = int(GROW_BY / factor)
    return tuple(sorted((_grown(tile, density, step) for tile in kept), key=lambda tile: -tile.width))


class _Density:
    """Mean gradient of any rectangle, from an integral image."""

    def __init__(self, gradients: np.ndarray) -> None:
        self.whole = float(gradients.mean())
        self._sums = cv2.integral(gradients, sdepth=cv2.CV_64F)
        self.height, self.width = gradients.shape

    def __call__(self, patch: Patch) -> float:
        x, y, width, height = patch
        s, right, bottom = self._sums, x + width, y + height
        return float(s[bottom, right] - s[y, right] - s[bottom, x] + s[y, x]) / (width * height)


def _grown(tile: Patch, density: _Density, step: int) -> Patch:
    while True:
        x, y, width, height = tile
        larger = Patch(x - step // 2, y - step // 2, width + step, height + step)
        inside = (
            larger.x >= 0
            and larger.y >= 0
            and larger.x + larger.width <= density.width  # touching the border is allowed
            and larger.y + larger.height <= density.height
        )
        if not inside or density(larger) < density.whole:
            return tile
        tile = larger
