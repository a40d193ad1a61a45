"""Puts what patches add to a picture together: soft masks that sum up to one, at the size of the result."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Box = tuple[int, int, int, int]
_SOFT = 0.15  # of a patch's side, at either end
_ROWS = 256  # of the result at a time


class Canvas:
    """One frame of the result, as what is added to the whole picture's map.

    Every patch adds its difference to that map, under a mask. Where masks sum up to more than one, the mean
    weighted by them counts: many views of a place are steadier than the last.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """``size``: (height, width) of the result."""
        self._sum, self._weights = np.zeros(size, np.float32), np.zeros(size, np.float32)

    def add(self, box: Box, difference: np.ndarray, weight: float) -> None:
        """Adds a patch.

        Args:
            box: (left, top, width, height) in the result.
            difference: (h, w) float32, of any size.
            weight: In [0, 1], how far it is faded in.
        """
        x, y, width, height = box
        rows, columns = slice(y, y + height), slice(x, x + width)
        total = self._sum.shape
        mask = np.multiply.outer(
            _profile(height, y > 0, y + height < total[0]), _profile(width, x > 0, x + width < total[1])
        )
        mask *= np.float32(weight)
        self._weights[rows, columns] += mask
        mask *= resized(difference, (height, width))
        self._sum[rows, columns] += mask

    def onto(self, whole: np.ndarray) -> np.ndarray:
        """The result (H, W) float32: the whole picture's map, and what was added.

        Args:
            whole: (h, w) float32, of any size.
        """
        out = resized(whole, self._sum.shape)
        for start in range(0, len(out), _ROWS):
            rows = slice(start, start + _ROWS)
            out[rows] += self._sum[rows] / np.maximum(self._weights[rows], np.float32(1))
        return out


def box_in(patch: Sequence[int], size: tuple[int, int], into: tuple[int, int]) -> Box:
    """A patch of a picture in pixels of another size of it, a pixel at least.

    Args:
        patch: (left, top, width, height).
        size, into: (height, width) of the two.
    """
    x, y, width, height = patch
    down, across = into[0] / size[0], into[1] / size[1]
    left, top = min(round(x * across), into[1] - 1), min(round(y * down), into[0] - 1)
    right, bottom = min(round((x + width) * across), into[1]), min(round((y + height) * down), into[0])
    return left, top, max(1, right - left), max(1, bottom - top)


def crop(image: np.ndarray, patch: Sequence[int], size: tuple[int, int], into: tuple[int, int]) -> np.ndarray:
    """A patch of ``image`` (h, w) float32, bicubic.

    Args:
        image: Of the whole picture.
        patch: (left, top, width, height) in a picture of ``size``.
        size: (height, width).
        into: (height, width) of the answer.
    """
    down, across = image.shape[0] / size[0], image.shape[1] / size[1]
    x, y, width, height = patch
    matrix = np.zeros((2, 3))
    for row, (start, length, scale, side) in enumerate(
        ((x, width, across, into[1]), (y, height, down, into[0]))
    ):
        step = length * scale / side
        matrix[row, row], matrix[row, 2] = step, start * scale + 0.5 * step - 0.5  # centres lie at +0.5
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, into[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE))


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at another size: averaged where it shrinks, bicubic where it grows; always a new array.

    Args:
        image: (h, w) float32.
        size: (height, width).
    """
    if image.shape == size:
        return image.copy()
    shrinks = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=how))


@lru_cache(maxsize=64)
def _profile(length: int, falls_before: bool, falls_after: bool) -> np.ndarray:
    """A mask along one axis, (length,) float32; at the picture's own border nothing falls off."""
    place = (np.arange(length) + 0.5) / length
    profile = np.ones(length)
    for falls, distance in ((falls_before, place), (falls_after, 1 - place)):
        if falls:
            x = np.clip(distance / _SOFT, 0, 1)
            profile *= x * x * (3 - 2 * x)
    return profile.astype(np.float32)
