"""The plan of one picture: how large the network sees the whole of it, and which patches besides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .search import LARGEST, edge_strength, is_textureless, receptive_resolution, search_sizes
from .tiles import Patch, select_tiles

__all__ = ["WITHOUT_CONTEXT", "ImagePlan", "Patch", "plan_image", "resized_picture", "working_size"]

WITHOUT_CONTEXT = 0.2  # the share of a picture that may lack context in the estimate of the whole: R20
_FINEST = 0.2  # the least the working size is divided by


@dataclass(frozen=True)
class ImagePlan:
    """What is estimated of one picture, decided before any estimate.

    Attributes:
        base: Size the network was trained at, in pixels; the paper's R.
        whole: Size of the sharper of the two estimates of the whole picture; the paper's R20.
        size: (height, width) of the working picture.
        patches: What gets estimates of its own, largest first, in pixels of the working picture.
    """

    base: int
    whole: int
    size: tuple[int, int]
    patches: tuple[Patch, ...]

    @property
    def boosts(self) -> bool:
        """Whether it asks for more than the one plain estimate: not of textureless or of tiny pictures."""
        return bool(self.patches) or self.whole > self.base

    def scaled(self, scale: float) -> ImagePlan:
        """The same plan on a working picture of another size.

        Args:
            scale: New over old size.
        """
        height, width = (round(side * scale) for side in self.size)
        patches = tuple(patch.scaled(scale) for patch in self.patches)
        return replace(self, size=(height, width), patches=patches)


def plan_image(rgb: np.ndarray, base: int, max_size: float) -> ImagePlan:
    """Plans one picture by the published rules.

    A textureless picture, or one too small for any search (its longer side no more than about a third of
    the base size), gets no more than the plain estimate; so does the local stage where ``max_size`` is
    below the size of the whole estimate.

    Args:
        rgb: (H, W, 3), uint8, or floating point where 1 is white.
        base: Size the network was trained at, a multiple of 32, in pixels.
        max_size: The most pixels the longer side of the working picture may have; ``math.inf``: any.
    """
    size = (rgb.shape[0], rgb.shape[1])
    gradients = edge_strength(rgb)
    plain = ImagePlan(base, base, size, ())
    if is_textureless(gradients) or not search_sizes(max(size), base):
        return plain
    whole, density = receptive_resolution(gradients, max(size), base, WITHOUT_CONTEXT)
    del gradients
    if max_size < whole:
        return replace(plain, whole=whole)
    factor, working = working_size(size, whole, density, max_size)
    patches = select_tiles(edge_strength(resized_picture(rgb, working)), base, factor)
    return ImagePlan(base, whole, working, patches)


def working_size(
    size: tuple[int, int], whole: int, density: float, max_size: float
) -> tuple[float, tuple[int, int]]:
    """How large the picture is made for its patches: twice R20 or more, the sparser its edges the more.

    Args:
        size: (height, width) of the picture.
        whole: R20, in pixels.
        density: How densely edges cover it, 0..1, as `receptive_resolution` says.
        max_size: The most pixels its longer side may have.

    Returns:
        The factor, 0.2..1, that twice R20 was divided by; (height, width) of the working picture.
    """
    factor = max(min(1.0, 4 * density * whole / LARGEST), _FINEST)
    long, short = max(size), min(size)
    sides = (2 * whole, round(2 * whole * short / long))
    wide, narrow = (round(side / factor) for side in sides)
    if wide > max_size:
        wide, narrow = int(max_size), round(max_size * short / long)
    narrow = max(narrow, 1)
    return factor, (wide, narrow) if size[0] > size[1] else (narrow, wide)


def resized_picture(rgb: np.ndarray, *sizes: tuple[int, int]) -> np.ndarray:
    """A picture in float64 at another size, bicubic, its overshoot kept.

    Args:
        rgb: (H, W, 3), uint8, or floating point where 1 is white.
        sizes: (height, width) of the result, after those it goes by way of.

    Returns:
        (height, width, 3) float64.
    """
    planes = np.empty((3, *sizes[-1]))  # one at a time: an 8K picture in float64 is 0.8 GB
    for channel, last in enumerate(planes):
        plane: np.ndarray = rgb[..., channel].astype(np.float64)
        if rgb.dtype == np.uint8:
            plane /= 255
        for height, width in sizes[:-1]:
            plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.resize(plane, last.shape[::-1], dst=last, interpolation=cv2.INTER_CUBIC)
        del plane  # before there is another
    return np.moveaxis(planes, 0, 2)
