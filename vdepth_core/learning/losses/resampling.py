"""How the published systems bring pictures, disparities and masks to another size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def area(maps: Tensor, size: Sequence[int]) -> Tensor:
    """The average over what each new pixel covers.

    Args:
        maps: (B, C, H, W).
        size: (h, w), not larger.
    """
    if maps.shape[-2:] == tuple(size):
        return maps
    return functional.interpolate(maps, tuple(size), mode="area")


def bilinear(maps: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """Between the four nearest pixels, without a filter.

    Args:
        maps: (B, C, H, W).
        size: (h, w).
        align_corners: Whether the outermost pixels' centres stay (PackNet), or the picture's edges.
    """
    if maps.shape[-2:] == tuple(size):
        return maps
    return functional.interpolate(maps, tuple(size), mode="bilinear", align_corners=align_corners)


def nearest(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Repeated pixels.

    Args:
        maps: (B, C, H, W).
        size: (h, w).
    """
    return functional.interpolate(maps, tuple(size), mode="nearest")
